"""The project's folders and files. No other module names them."""

from __future__ import annotations

import os
from pathlib import Path

from matrix import suite

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "matrix" / "data"
LOCKS = DATA / "locks"
SCHEMAS = DATA / "schema"
# `matrix/suite` is a link to tests/suite: here an ordinary package, and the folder that runs inside every target.
SUITE = Path(suite.__file__).resolve().parent
DOCKERFILES = ROOT / "dockerfiles"
REPORTS = ROOT / "reports"
DOCS = ROOT / "docs"
SITE = ROOT / "site"
README = ROOT / "README.md"

# Environments and working files lie on the checkout's own disk, so that uv can link wheels instead of copying them.
WORK = Path(os.environ.get("MATRIX_WORK", ROOT / ".matrix"))
ENVIRONMENTS = WORK / "environments"
LOGS = WORK / "logs"
