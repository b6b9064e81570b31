"""Refreshes releases.toml and the locks from the package index."""
