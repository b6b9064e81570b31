"""Loads matrix/data/backends.toml: what the image of a target is built on."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from matrix import catalog, ids, paths

Reference = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9./:@{}_-]+$")]
Package = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.+-]+$")]


class Backend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`image`: the base in a registry, with `{python}`; `debian` and its `packages`: of a base made without one."""

    name: ids.Backend
    image: Reference
    debian: Literal["bookworm", "trixie"]
    packages: tuple[Package, ...] = ()

    def reference(self, python: str) -> str:
        return self.image.format(python=python)


@cache
def load(file: Path = paths.DATA / "backends.toml") -> dict[ids.Backend, Backend]:
    """Raise BadData naming every fault of the file."""
    return {entry.name: entry for entry in catalog.load_entries(file, "backend", Backend, key="name")}


def dockerfile(backend: ids.Backend) -> Path:
    return paths.DOCKERFILES / f"{backend}.Dockerfile"
