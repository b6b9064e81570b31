"""Loads matrix/data/backends.toml: what the image of a target is built on."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta
from packaging.specifiers import SpecifierSet

from matrix.base import ids, paths
from matrix.base.structs import Strict
from matrix.catalog import releases as catalog

Reference = Annotated[str, Meta(pattern=ids.exactly("[a-z0-9][a-z0-9./:@_-]+(?:{python}[a-z0-9./:@_-]*)?"))]
Package = Annotated[str, Meta(pattern=ids.exactly("[a-z0-9][a-z0-9.+-]+"))]


class Toolkit(Strict, frozen=True, kw_only=True):
    """The vendor's image with a GPU's libraries, for a range of releases (PEP 440)."""

    releases: catalog.Releases
    image: Reference


class Backend(Strict, frozen=True, kw_only=True):
    """`image`: the base in a registry, with `{python}`; `debian` and its `packages`: of a base made without one.

    `virtual_device`: what a build of the backend plans for on a machine that has no device of it.
    """

    name: ids.Backend
    image: Reference
    debian: Literal["bookworm", "trixie"]
    packages: tuple[Package, ...] = ()
    virtual_device: Annotated[dict[str, str], Meta(max_length=20)] | None = None
    toolkits: tuple[Toolkit, ...] = ()

    def reference(self, python: str) -> str:
        return self.image.format(python=python)

    def toolkit(self, release: str) -> str | None:
        """None where the wheels of the release bring what they need."""
        fitting = (one.image for one in self.toolkits if SpecifierSet(one.releases, prereleases=True).contains(release))
        return next(fitting, None)


@cache
def load(file: Path = paths.DATA / "backends.toml") -> dict[ids.Backend, Backend]:
    """Raise BadData naming every fault of the file."""
    return {entry.name: entry for entry in catalog.load_entries(file, "backend", Backend, key="name")}


def dockerfile(backend: ids.Backend) -> Path:
    return paths.DOCKERFILES / f"{backend}.Dockerfile"
