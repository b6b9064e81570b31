"""The published formats: the files that a run and a speed run leave, and how they are read, written and sealed."""
