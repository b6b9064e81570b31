"""A whole small project in a folder: the real orchestrator, worker and stream, one release, a few cells, and a fake
TensorFlow. `python -m matrix run` in it takes seconds, so that it can be killed a hundred times.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mini import FAKES

from matrix.base import paths

TARGET = f"tf2.8.4-py3{sys.version_info.minor}-cpu"
RELEASES = f"""\
[[release]]
version = "2.8.4"
date = 2022-11-15
wheels.cpu = {{ requirement = "tensorflow==2.8.4", python = "3.{sys.version_info.minor}" }}
landmark = "the only one"
"""
# Seconds after which a process is taken for hung; no test asks whether one is quick.
PATIENCE = 600
PROFILES = "default|onednn-on|onednn-off"
# The environment holds one small package: what is observed comes from the fakes.
PACKAGE = "iniconfig"
FEWER_CELLS = """

_all_cells = cells


def cells(depth="full"):
    chosen = [cell for cell in _all_cells(depth) if cell.approach == "nn-conv2d" and cell.mode in ("eager", "graph")]
    return tuple(chosen[:30])
"""


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """Where the project, its working files and its records lie."""

    root: Path
    work: Path
    reports: Path

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """`python -m matrix ARGUMENTS` in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "matrix", *arguments],
            cwd=self.root,
            env=environment(MATRIX_WORK=str(self.work), **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *more: str, **variables: str) -> tuple[int, str]:
        """Exit status and words of `run`."""
        process = self.start("run", "--engine=venv", f"--reports={self.reports}", *more, **variables)
        told, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, told


@contextlib.contextmanager
def held(project: Tiny) -> Iterator[None]:
    """No cell of the project ends inside, so that a run is still under way however late a test acts on it."""
    hold = project.root / "tests" / "suite" / "hold"
    hold.touch()
    try:
        yield
    finally:
        hold.unlink()


def read_until(process: subprocess.Popen[str], words: str) -> None:
    """Read what the process says up to the line with these words."""
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"it never said {words!r}")


def until(happens: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def environment(**variables: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": "", "COLUMNS": "200"} | variables


def make(folder: Path) -> Tiny:
    root = folder / "project"
    ignored = shutil.ignore_patterns("__pycache__", "locks", "requirements")
    # `matrix/suite` stays a link to `tests/suite`, which is here the tiny suite.
    shutil.copytree(paths.ROOT / "matrix", root / "matrix", symlinks=True, ignore=ignored)
    (root / "README.md").write_text("A small project.\n")
    data = root / "matrix" / "data"
    (data / "releases.toml").write_text(RELEASES)
    (data / "profiles.toml").write_text("\n[[profile]]".join(_profiles()))
    (data / "locks").mkdir()
    (data / "locks" / f"{TARGET}.txt").write_text(_lock())
    _suite(root / "tests" / "suite")
    return Tiny(root=root, work=folder / "work", reports=folder / "reports")


def _profiles() -> list[str]:
    head, *entries = (paths.DATA / "profiles.toml").read_text().split("\n[[profile]]")
    return [head, *(entry for entry in entries if re.search(f'^name = "({PROFILES})"$', entry, re.MULTILINE))]


def _lock() -> str:
    text = (paths.DATA / "requirements" / "tests.txt").read_text()
    found = re.search(rf"^{PACKAGE}==(\S+) \\\n((?:    --hash=\S+(?: \\)?\n)+)", text, re.MULTILINE)
    assert found
    return f"--only-binary=:all:\n{found[0]}"


def _suite(suite: Path) -> None:
    (suite / "speed").mkdir(parents=True)
    own = ("__init__.py", "__main__.py", "about.py", "cases.py", "clock.py", "fork.py", "watch.py", "worker.py")
    for name in (*own, "speed/__init__.py", "speed/layers.py"):  # the orchestrator reads the layers' names
        shutil.copy(paths.SUITE / name, suite / name)
    shutil.copy(FAKES / "runtime.py", suite / "runtime.py")
    (suite / "approaches").mkdir()
    (suite / "approaches" / "__init__.py").touch()
    (suite / "catalog.py").write_text((paths.SUITE / "catalog.py").read_text() + FEWER_CELLS)
    tiny = FAKES.parent / "tiny_suite"
    shutil.copy(tiny / "observe.py", suite / "observe.py")
    shutil.copy(tiny / "tensorflow.py", suite.parent / "tensorflow.py")
