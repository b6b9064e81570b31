"""Questions asked of the published records: what an error means, what to use, what changed."""
