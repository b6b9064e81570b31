"""Loads matrix/data/backends.toml: the images that a target's image is built on."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from packaging.specifiers import SpecifierSet

from matrix.base import ids, paths
from matrix.base.structs import Strict
from matrix.catalog import entries
from matrix.catalog import releases as catalog

Reference = Annotated[str, Meta(pattern=ids.exactly("[a-z0-9][a-z0-9./:@_-]+(?:{python}[a-z0-9./:@_-]*)?"))]
Package = Annotated[str, Meta(pattern=ids.exactly("[a-z0-9][a-z0-9.+-]+"))]


class Toolkit(Strict, frozen=True, kw_only=True):
    """The vendor's image with a GPU's libraries, for a range of releases."""

    releases: catalog.Releases
    image: Reference


class System(Strict, frozen=True, kw_only=True):
    """What a range of releases needs of the system, instead of what its backend says."""

    name: Annotated[str, Meta(pattern=ids.exactly("[a-z0-9-]{1,20}"))]
    releases: catalog.Releases
    packages: tuple[Package, ...]
    unpacked: dict[Literal["forky"], tuple[Package, ...]] = {}


class Backend(Strict, frozen=True, kw_only=True):
    """`image`: the base image in a registry, with `{python}` in its name.

    `debian`, `packages`: the Debian release and packages of a base that is made where no registry can be reached.
    `unpacked`: packages of another Debian whose files are added, where the two cannot be installed side by side.
    `systems`: what some releases need instead; `system`: which of them that is.
    `virtual_device`: the device that TensorFlow is told to plan for on a machine that has none of this backend.
    """

    name: ids.Backend
    image: Reference
    debian: Literal["bookworm", "trixie"]
    packages: tuple[Package, ...] = ()
    unpacked: dict[Literal["forky"], tuple[Package, ...]] = {}
    system: str = ""
    systems: tuple[System, ...] = ()
    virtual_device: Annotated[dict[str, str], Meta(max_length=20)] | None = None
    toolkits: tuple[Toolkit, ...] = ()

    def reference(self, python: str) -> str:
        return self.image.format(python=python)

    def toolkit(self, release: str) -> str | None:
        """Return the toolkit's image; None where the wheels of the release bring all libraries that they need."""
        for toolkit in self.toolkits:
            if SpecifierSet(toolkit.releases, prereleases=True).contains(release):
                return toolkit.image
        return None


@cache
def load(file: Path = paths.DATA / "backends.toml") -> dict[ids.Backend, Backend]:
    """Raise BadData naming every fault of the file."""
    return {entry.name: entry for entry in entries.load_entries(file, "backend", Backend, key="name")}


def of(target: ids.Target) -> Backend:
    """Return the target's backend, with what its release needs of the system."""
    backend = load()[target.backend]
    for one in backend.systems:
        if SpecifierSet(one.releases, prereleases=True).contains(target.release):
            return msgspec.structs.replace(backend, system=one.name, packages=one.packages, unpacked=one.unpacked)
    return backend


def dockerfile(backend: ids.Backend) -> Path:
    return paths.DOCKERFILES / f"{backend}.Dockerfile"
