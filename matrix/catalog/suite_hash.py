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

# The modules that affect planned runs only: a change of them outdates no other record.
PLANNED = ("planning.py", "grappler_plan.py", "kernel_registry.py")
# Lists approaches and cells, and does not affect how a cell is observed: left out of the parts.
CATALOG = "catalog.py"
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
    """Hash the same in parts: by approach its own file, what that imports of other approaches, and what its entry
    in the catalog decides; and under `*` all files that every approach depends on.

    A cell in a record is current as long as both of its parts are. A new case that needs no new word changes no part,
    and a new approach none but its own.
    """
    modules = {file.relative_to(folder).as_posix(): file.read_bytes() for file in _modules(folder, how)}
    del modules[CATALOG]
    own = {name: modules.pop(name) for name in [*modules] if re.fullmatch(r"approaches/(?!__init__).*", name)}
    parts = {"*": _sha256(modules.items())[:12]}
    for approach, entry in suite.APPROACHES.items():
        needed = _imported(f"approaches/{approach.replace('-', '_')}.py", own)
        files = [(name, own[name]) for name in sorted(needed)]
        decides = (entry.form, entry.rank, entry.base, entry.layer, entry.fed, entry.modes)
        parts[approach] = _sha256([*files, ("catalog", repr(decides).encode())])[:12]
    return parts


def _imported(file: str, own: dict[str, bytes]) -> set[str]:
    """Return the file, if there is one, and the files of other approaches that it imports, directly or not."""
    if file not in own:
        return set()
    tree = ast.parse(own[file])
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for name in ([node.module] if node.module else [alias.name for alias in node.names])
    }
    found = {f"approaches/{name}.py" for name in names} & own.keys()
    return {file}.union(*(_imported(name, own) for name in found))


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
    left_out = () if how == "planned" else PLANNED
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
