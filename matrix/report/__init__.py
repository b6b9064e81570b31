"""Writes SUPPORT.md, CASES.md, CHANGES.md and the README's table."""
