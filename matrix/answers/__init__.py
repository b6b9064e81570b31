"""Questions asked of the judged records: what an error means, what to write, what changed."""
