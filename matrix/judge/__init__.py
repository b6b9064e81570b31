"""Turn observations into needs, verdicts, notes, statements and changes, by rules that are stated once."""
