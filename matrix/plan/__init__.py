"""From what a person selects to the list of runs, which of them are due, and their division into shards."""
