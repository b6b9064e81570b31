"""Writes the published pages: static files, for any web server or to be opened from disk."""
