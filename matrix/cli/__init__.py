"""One command line: `tf-groupconv VERB`, or `python -m matrix VERB`."""
