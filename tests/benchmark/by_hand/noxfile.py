"""What a user would write without this project: nox, pip and pytest over a list of releases.

The baseline of `harness.py`. One suite, the same environments' packages, one after another, results on the terminal.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[3]
LOCKS = ROOT / "matrix" / "data" / "locks"
TARGETS = os.environ["TARGETS"].split()
SWITCHABLE = os.environ["SWITCHABLE"].split()


def _python(target: str) -> str:
    """`3.10` of `tf2.8.4-py310-cpu`."""
    return re.sub(r".*-py(\d)(\d+)-.*", r"\1.\2", target)


@nox.session(venv_backend="venv")
@nox.parametrize("python,target", [(_python(target), target) for target in TARGETS])
def suite(session: nox.Session, target: str) -> None:
    """pip install, then pytest; under oneDNN on and off where the release has such a switch."""
    if session.python == "3.6":
        session.install("--quiet", "pip==21.3.1")  # the one that comes with it knows no manylinux2014
    session.install("--no-deps", "--quiet", "-r", str(LOCKS / f"{target}.txt"))
    for value in ("1", "0") if target in SWITCHABLE else ("1",):
        session.run(
            "python", "-m", "pytest", "-q", str(ROOT / "tests" / "suite"), env={"TF_ENABLE_ONEDNN_OPTS": value},
            success_codes=[0, 1],
        )  # fmt: skip
