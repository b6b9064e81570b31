"""The project's folders and files, in a checkout or in an installed package. No other module names them."""

from __future__ import annotations

import os
from pathlib import Path

from matrix import suite

ROOT = Path(__file__).resolve().parents[2]
# What an installed package brings of a checkout, see hatch_build.py; a checkout has no such folder.
BUNDLED = ROOT / "matrix" / "bundled"
IS_CHECKOUT = not BUNDLED.is_dir()
DATA = ROOT / "matrix" / "data"
LOCKS = DATA / "locks"
SCHEMAS = DATA / "schema"
# `matrix/suite` is a link to tests/suite: here an ordinary package, and the folder that runs inside every target.
SUITE = Path(suite.__file__).resolve().parent
DOCKERFILES = (ROOT if IS_CHECKOUT else BUNDLED) / "dockerfiles"
DOCS = (ROOT if IS_CHECKOUT else BUNDLED) / "docs"
# What an installed package writes goes to the folder that it is called in.
REPORTS = ROOT / "reports" if IS_CHECKOUT else Path("reports")
SITE = ROOT / "site" if IS_CHECKOUT else Path("site")
README = ROOT / "README.md"

# Environments and working files lie on the checkout's own disk, so that uv can link wheels instead of copying them.
if "MATRIX_WORK" in os.environ:
    WORK = Path(os.environ["MATRIX_WORK"])
elif IS_CHECKOUT:
    WORK = ROOT / ".matrix"
else:
    from platformdirs import user_cache_path

    WORK = user_cache_path("tf-groupconv")
ENVIRONMENTS = WORK / "environments"
LOGS = WORK / "logs"
