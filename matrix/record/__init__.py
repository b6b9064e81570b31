"""The published formats: what a run and a speed run leave behind, and how it is read, written and sealed."""
