"""The mini-suite: the real worker and stream, with fakes for what they observe. Also how to read a process of an engine
to its end, and how a test says that it cannot run here.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from matrix.base import paths
from matrix.provision.engines.protocol import Chunk, Process

FAKES = Path(__file__).parent / "fakes"


def cannot(reason: str) -> None:
    """Skip loudly; where nothing may be skipped (CI), fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"could not be tested: {reason}")
    pytest.skip(f"COULD NOT BE TESTED: {reason}")


def chunks(process: Process) -> Iterator[Chunk]:
    """All that a process writes, to its end."""
    while True:
        try:
            chunk = process.read(1)
        except EOFError:
            return
        if chunk:
            yield chunk


def mini_suite(folder: Path, main: Path | None = None, tensorflow: Path | None = None, fakes: Path = FAKES) -> Path:
    """The real worker and stream with fake cells; a fake `__main__` or a fake `tensorflow` where one is named."""
    suite = folder / "suite"
    suite.mkdir()
    own = ("__init__.py", "__main__.py", "about.py", "clock.py", "fork.py", "messages.py", "watch.py", "worker.py")
    for name in own:
        shutil.copy(paths.SUITE / name, suite / name)
    for name in ("runtime.py", "fake_stream.py"):
        shutil.copy(FAKES / name, suite / name)
    for name in ("catalog.py", "observe.py"):
        shutil.copy(fakes / name, suite / name)
    (suite / "approaches").mkdir()
    (suite / "approaches" / "__init__.py").touch()
    if main:
        shutil.copy(main, suite / "__main__.py")
    if tensorflow:
        shutil.copy(tensorflow, folder / "tensorflow.py")
    return suite


def fake_cells(fakes: Path = FAKES) -> tuple[tuple[str, str, str, str], ...]:
    spec = importlib.util.spec_from_file_location("fake_catalog", fakes / "catalog.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.cells()
