"""What a user would write without this project: nox, pip and pytest over a list of releases.

The baseline of `harness.py`. One suite, the same environments' packages, one after another, results on the terminal.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[3]
LOCKS = ROOT / "matrix" / "data" / "locks"
TARGETS = os.environ["TARGETS"].split()
SWITCHABLE = os.environ["SWITCHABLE"].split()


@nox.session(venv_backend="venv")
@nox.parametrize("target", TARGETS)
def suite(session: nox.Session, target: str) -> None:
    """pip install, then pytest; under oneDNN on and off where the release has such a switch."""
    session.install("--no-deps", "--quiet", "-r", str(LOCKS / f"{target}.txt"))
    for value in ("1", "0") if target in SWITCHABLE else ("1",):
        session.run(
            "python", "-m", "pytest", "-q", str(ROOT / "tests" / "suite"), env={"TF_ENABLE_ONEDNN_OPTS": value},
            success_codes=[0, 1],
        )  # fmt: skip
