"""Makes runs: schedules them, reads what the targets say, merges what other machines made."""
