"""The suite's own catalog, read where it lies: the one list of approaches, modes, checks and cases."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from matrix import paths


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("suite_catalog", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


suite = _load(paths.SUITE / "catalog.py")


# What plans for a device that is not there says nothing in a run that is executed.
PLANNING = ("planning.py", "grappler_plan.py", "kernel_registry.py")


@cache
def suite_sha256(folder: Path = paths.SUITE, *, planned: bool = False) -> str:
    """Of the modules that decide what an executed run observes, or a planned one, by path and content: without the
    pytest callers and the benchmarks.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        if not file.name.startswith(("test_", "bench_")) and (planned or file.name not in PLANNING):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()
