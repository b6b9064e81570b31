"""Makes the lock of a target: TensorFlow's own needs as of the release's time, the test harness the newest.

TensorFlow does not cap what it needs, so that today's NumPy and protobuf break old releases; those that were newest
when the release appeared work. The harness is resolved second, around these pins.
"""

from __future__ import annotations

import datetime
import tempfile
import tomllib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from packaging.markers import default_environment
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.version import Version

from matrix.base import ids, paths
from matrix.base.errors import BadData
from matrix.base.ids import Backend, Machine
from matrix.base.structs import Strict
from matrix.catalog import locks
from matrix.catalog import releases as catalog
from matrix.provision import foreign_environments, interpreters
from matrix.update import package_index

HARNESS = ("pytest", "pytest-benchmark")
# From here on Keras 2 is a package of its own, which profile `legacy-keras` asks for. It needs `tensorflow` by that
# name, so that its needs are left out: the release itself, under whatever name, meets them.
LEGACY_KERAS_SINCE = Version("2.16")
BUILD_TOOLS = ("setuptools", "wheel")
# The estimator, Keras and TensorBoard of a release can appear a day after it.
MARGIN = datetime.timedelta(days=2)
# uv builds with setuptools 40.8 or newer: a release from before its day is resolved with the first that will do.
BUILD_TOOLS_SINCE = datetime.date(2019, 2, 7)
LEGACY_PLATFORMS = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

# What a CPU's build is called there; `tensorflow-cpu` has none.
ON_ARM = "tensorflow"

Choice = tuple[Package, PackageWheel | PackageSdist]


class Sdist(Strict, frozen=True, kw_only=True):
    """A package that has no wheel in the time of these releases (each a PEP 440 range) and is built from source."""

    name: Annotated[str, Meta(pattern=ids.exactly("[a-z0-9]+(-[a-z0-9]+)*"))]
    releases: Annotated[list[catalog.Releases], Meta(min_length=1)]
    why: catalog.Text

    def holds_for(self, release: str) -> bool:
        return any(SpecifierSet(each, prereleases=True).contains(release) for each in self.releases)


def load_sdists(data: Path = paths.DATA) -> tuple[Sdist, ...]:
    return catalog.load_entries(data / "sdists.toml", "sdist", Sdist, key="name")


def lock(release: catalog.Release, backend: Backend, sdists: Iterable[Sdist], machine: Machine = locks.USUAL) -> str:
    """The text of a requirements file: on a line a pin and the hash of one file; wheels, but for what has none.

    Raise BadData where the release cannot be resolved, or `sdists` names too few packages for it, or too many.
    """
    named = {entry.name for entry in sdists if entry.holds_for(release.version)}
    own, files = _resolve(release, backend, machine, _wheels_but(named))
    if idle := named - _built(own):
        raise BadData(f"sdists.toml: {release.version} builds no {', '.join(sorted(idle))}", "narrow its `releases`")
    return _locked(release, named, files)


def lock_of_another(release: catalog.Release, backend: Backend, sdists: Iterable[Sdist]) -> str:
    """The same of a build that the catalog does not hold, so that the ranges of `sdists` say nothing of it: whatever of
    them has no wheel in its time is built. Raise BadData where anything else has none.
    """
    named = {entry.name for entry in sdists}
    return _locked(release, named, _resolve(release, backend, locks.USUAL, [])[1])


def _resolve(
    release: catalog.Release, backend: Backend, machine: Machine, forms: Iterable[str]
) -> tuple[list[Choice], list[Choice]]:
    """What the release needs by itself, and all that its environment holds; `forms` say what may come as a source."""
    python = foreign_environments.target(release, backend, machine).python
    requirement = f"{ON_ARM}=={release.version}" if machine == "aarch64" else release.wheels[backend].requirement
    options = [*forms, *_as_of(release.date + MARGIN), _whenever(requirement)]
    own = _compile([requirement], python, options, machine)
    files = _compile([*map(_pin, own), *HARNESS], python, machine=machine)
    return own, files + _legacy_keras(Version(release.version), python)


def _locked(release: catalog.Release, named: Collection[str], files: Collection[Choice]) -> str:
    if unnamed := _built(files) - set(named):
        raise BadData(f"{release.version}: no wheel of {', '.join(sorted(unnamed))}", "name it in sdists.toml, and why")
    return "".join(f"{option}\n" for option in _wheels_but(_built(files))) + _text(files)


def _legacy_keras(release: Version, python: str) -> list[Choice]:
    """None for builds on the way to a release: Keras 2 has none for them."""
    if release < LEGACY_KERAS_SINCE or release.is_prerelease:
        return []
    return _compile([f"tf-keras=={release.major}.{release.minor}.*"], python, ["--no-deps", "--only-binary=:all:"])


def build_tools(python: str) -> str:
    """What sources are built with: the newest for this CPython, in the same form as a lock."""
    return _text(_compile(BUILD_TOOLS, python))


def _wheels_but(sources: Iterable[str]) -> list[str]:
    """Options that uv takes on its command line and in a requirements file alike."""
    return ["--only-binary=:all:", *(f"--no-binary={name}" for name in sorted(sources))]


def _built(choices: Iterable[Choice]) -> set[str]:
    return {package.name for package, file in choices if isinstance(file, PackageSdist)}


def _text(choices: Iterable[Choice]) -> str:
    return "".join(f"{_pin(choice)} --hash=sha256:{choice[1].hashes['sha256']}\n" for choice in choices)


def _pin(choice: Choice) -> str:
    package, _ = choice
    return f"{package.name}=={package.version}"


def _as_of(day: datetime.date) -> list[str]:
    tools = f"{max(day, BUILD_TOOLS_SINCE)}T00:00:00Z"
    return [f"--exclude-newer={day}T00:00:00Z", f"--exclude-newer-package=setuptools={tools}"]


def _whenever(requirement: str) -> str:
    """AMD's builds appear weeks after the release that they are of."""
    return f"--exclude-newer-package={Requirement(requirement).name}=9999-01-01T00:00:00Z"


def _compile(
    requirements: Collection[str], python: str, options: Iterable[str] = (), machine: Machine = locks.USUAL
) -> list[Choice]:
    """What uv resolves, each package with the file that fits best, in the order of their names."""
    with tempfile.TemporaryDirectory(prefix="matrix-resolve-") as folder:
        asked = Path(folder, "requirements.in")
        asked.write_text("\n".join(requirements), encoding="utf-8")
        answer = interpreters.uv(
            *("--directory", folder, "pip", "compile", "--quiet", "--format=pylock.toml", "--no-header"),
            *(f"--python-version={python}", f"--python-platform={locks.platform(machine)}"),
            *(*options, str(asked)),
            variables=package_index.settings(),
        )
    if answer.returncode != 0:
        raise BadData(f"uv cannot resolve {', '.join(requirements)} for CPython {python}:\n{answer.stderr.strip()}")
    return sorted(_best_files(answer.stdout, python, machine), key=lambda choice: choice[0].name)


def _best_files(pylock: str, python: str, machine: Machine) -> Iterator[Choice]:
    tags = _tags(int(python.partition(".")[2]), machine)
    environment = default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
    }
    for package, file in Pylock.from_dict(tomllib.loads(pylock)).select(environment=environment, tags=tags):
        assert isinstance(file, PackageWheel | PackageSdist)
        yield package, file


def _tags(minor: int, machine: Machine = locks.USUAL) -> list[Tag]:
    """What CPython 3.`minor` can install, the most specific first."""
    glibcs = range(locks.GLIBC_MINOR, 4, -1)
    names = [name for glibc in glibcs for name in (f"manylinux_2_{glibc}", LEGACY_PLATFORMS.get(glibc)) if name]
    platforms = [f"{name}_{machine}" for name in (*names, "linux")]
    own = cpython_tags((3, minor), platforms=platforms)
    return [*own, *compatible_tags((3, minor), interpreter=f"cp3{minor}", platforms=platforms)]
