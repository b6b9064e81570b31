"""Hashes of the suite, by which a record shows whether today's suite made it."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from matrix.base import paths
from matrix.base.ids import How
from matrix.suite import catalog as suite

# The modules that affect one kind of run only: a change of them outdates no record of another kind.
OWN: dict[str, tuple[str, ...]] = {
    "on_gpu": ("on_gpu.py", "cudnn_plans.py"),
    "planned": ("planning.py", "grappler_plan.py", "kernel_registry.py"),
}

# Constants of the suite's catalog that choose cells but do not affect how a cell is observed; left out of the parts.
LISTS = ("APPROACHES", "CASE_SETS", "PLANNED_SETS")

# The folder of the speed suite that times other libraries on the same layers.
PEERS = "peers"


@cache
def suite_sha256(folder: Path = paths.SUITE, how: How = "executed") -> str:
    """Hash the paths and contents of the modules that decide what such a run observes.

    Left out are the modules that pytest calls, and the modules that time.
    """
    return _sha256((file.relative_to(folder).as_posix(), file.read_bytes()) for file in _modules(folder, how))


@cache
def suite_parts(folder: Path = paths.SUITE, how: How = "executed") -> dict[str, str]:
    """Hash the same in parts: by approach what this approach alone depends on, and under `*` what all depend on.

    A cell in a record is current as long as both of its parts are. A new case or approach changes no other part.
    """
    modules = {file.relative_to(folder).as_posix(): file.read_bytes() for file in _modules(folder, how)}
    own = {name: modules.pop(name) for name in [*modules] if re.fullmatch(r"approaches/(?!__init__).*", name)}
    catalog = modules["catalog.py"].splitlines(keepends=True)
    for statement in reversed(ast.parse(modules["catalog.py"]).body):
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", None) in LISTS:
            del catalog[statement.lineno - 1 : statement.end_lineno]
    modules["catalog.py"] = b"".join(catalog)
    parts = {"*": _sha256(modules.items())[:12]}
    # The tables of the package name each approach's function: `"split-concat": rewritten.split_concat`.
    functions = re.findall(r'"([\w-]+)": (\w+)\.\w+', modules["approaches/__init__.py"].decode())
    for approach, module in functions:
        needed = {module, *re.findall(r"^from \.(\w+) import", own[f"approaches/{module}.py"].decode(), re.MULTILINE)}
        files = [(name, own[f"approaches/{name}.py"]) for name in sorted(needed)]
        parts[approach] = _sha256([*files, ("catalog", repr(suite.APPROACHES[approach]).encode())])[:12]
    return parts


@cache
def speed_sha256(folder: Path = paths.SUITE, *, peer: bool = False) -> str:
    """Hash what decides which times are measured, and how: the speed suite, and for TensorFlow the parts of the suite
    that its programs come from. A new case does not change it.
    """
    speed = [file for file in _of_speed(folder) if peer or PEERS not in file.relative_to(folder).parts]
    parts = {} if peer else suite_parts(folder)
    contents = [(file.relative_to(folder).as_posix(), file.read_bytes()) for file in speed]
    return _sha256([*contents, *((name, part.encode()) for name, part in sorted(parts.items()))])


def _modules(folder: Path, how: How) -> list[Path]:
    left_out = {name for kind, names in OWN.items() if kind != how for name in names}
    speed = _of_speed(folder)
    return [
        file
        for file in sorted(folder.rglob("*.py"))
        if file not in speed and file.name not in left_out and not file.name.startswith(("test_", "bench_"))
    ]


def _of_speed(folder: Path) -> list[Path]:
    return sorted((folder / "speed").rglob("*.py"))


def _sha256(contents: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in contents:
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()
