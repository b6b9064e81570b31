"""What every other package needs: errors, paths, ids, plain text, files."""
