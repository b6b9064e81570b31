"""One command line: `python -m matrix VERB`."""
