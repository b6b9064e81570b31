"""`python -m matrix VERB`; see matrix/cli/."""

import sys

from matrix.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
