"""What everything else stands on: errors, paths, ids, plain text, files."""
