"""Hashes of the suite: they say whether a record was made by the suite of today."""

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

# The modules that decide something of one kind of run alone: a change of them makes no record of another old.
OWN: dict[str, tuple[str, ...]] = {
    "on_gpu": ("on_gpu.py", "cudnn_plans.py"),
    "planned": ("planning.py", "grappler_plan.py", "kernel_registry.py"),
}

# What of the suite's catalog lists cells, and says nothing of how one is observed.
LISTS = ("APPROACHES", "CASE_SETS", "PLANNED_SETS")

# Other libraries on the same layers, a folder of the speed suite.
PEERS = "peers"


@cache
def suite_sha256(folder: Path = paths.SUITE, how: How = "executed") -> str:
    """Of the modules that decide what is observed so, by path and content: without the pytest callers and what
    measures speed.
    """
    return _sha256((file.relative_to(folder).as_posix(), file.read_bytes()) for file in _modules(folder, how))


@cache
def suite_parts(folder: Path = paths.SUITE, how: How = "executed") -> dict[str, str]:
    """The same in parts, shortened: what one approach alone depends on, by its id, and under `*` what all of them do.

    A cell that a record holds is current as long as both of its parts are: adding one changes no other.
    """
    modules = {file.relative_to(folder).as_posix(): file.read_bytes() for file in _modules(folder, how)}
    own = {name: modules.pop(name) for name in [*modules] if re.fullmatch(r"approaches/(?!__init__).*", name)}
    modules["catalog.py"] = _without_lists(modules["catalog.py"])
    parts = {"*": _sha256(modules.items())[:12]}
    for approach, module in _modules_of_approaches(modules["approaches/__init__.py"]).items():
        needed = {module, *re.findall(r"^from \.(\w+) import", own[f"approaches/{module}.py"].decode(), re.MULTILINE)}
        files = [(name, own[f"approaches/{name}.py"]) for name in sorted(needed)]
        parts[approach] = _sha256([*files, ("catalog", repr(suite.APPROACHES[approach]).encode())])[:12]
    return parts


@cache
def speed_sha256(folder: Path = paths.SUITE, *, peer: bool = False) -> str:
    """Of what decides which times are measured, and how: the speed suite, and for TensorFlow the parts of the suite
    that its programs come from; a case more makes no speed old.
    """
    timed = [file for file in _of_speed(folder) if peer or PEERS not in file.relative_to(folder).parts]
    parts = {} if peer else suite_parts(folder)
    contents = [(file.relative_to(folder).as_posix(), file.read_bytes()) for file in timed]
    return _sha256([*contents, *((name, part.encode()) for name, part in sorted(parts.items()))])


def _modules(folder: Path, how: How) -> list[Path]:
    timed = set(_of_speed(folder))
    others = {name for kind, names in OWN.items() if kind != how for name in names}
    return [
        file
        for file in sorted(folder.rglob("*.py"))
        if file not in timed and not file.name.startswith(("test_", "bench_")) and file.name not in others
    ]


def _of_speed(folder: Path) -> list[Path]:
    return sorted((folder / "speed").rglob("*.py"))


def _sha256(contents: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in contents:
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def _without_lists(source: bytes) -> bytes:
    lines = source.splitlines(keepends=True)
    for statement in reversed(ast.parse(source).body):
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", None) in LISTS:
            del lines[statement.lineno - 1 : statement.end_lineno]
    return b"".join(lines)


def _modules_of_approaches(source: bytes) -> dict[str, str]:
    """Each approach's module, from the tables that name its function: `"split-concat": rewritten.split_concat`."""
    return dict(re.findall(r'"([\w-]+)": (\w+)\.\w+', source.decode()))
