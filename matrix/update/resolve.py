"""Makes the lock of a target: TensorFlow's dependencies as of the release's date, and the newest test harness.

TensorFlow does not cap its dependencies, so that today's NumPy and protobuf break old releases. The versions that were
newest when the release appeared work. The harness is resolved second, around these pins.
"""

from __future__ import annotations

import datetime
import tempfile
import tomllib
from collections.abc import Collection, Iterable
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
from matrix.base.ids import USUAL, Architecture, Backend, Target
from matrix.base.structs import Strict
from matrix.catalog import locks
from matrix.catalog import releases as catalog
from matrix.catalog.entries import Text, load_entries
from matrix.provision import interpreters
from matrix.update import package_index

HARNESS = ("pytest", "pytest-benchmark")
# From here on Keras 2 is a package of its own, which the profile `legacy-keras` uses. Its dependencies are left out: it
# asks for `tensorflow` by that name, and the release, which may have another name, meets them.
LEGACY_KERAS_SINCE = Version("2.16")
BUILD_TOOLS = ("setuptools", "wheel")
# The estimator, Keras and TensorBoard of a release can appear a day after it.
MARGIN = datetime.timedelta(days=2)
# The day of setuptools 40.8, the oldest that uv builds with: an older release is resolved with that version.
BUILD_TOOLS_SINCE = datetime.date(2019, 2, 7)
LEGACY_PLATFORMS = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

Choice = tuple[Package, PackageWheel | PackageSdist]


class Sdist(Strict, frozen=True, kw_only=True):
    """A package that had no wheel at the time of these releases (a list of PEP 440 ranges) and is built from source."""

    name: Annotated[str, Meta(pattern=ids.exactly("[a-z0-9]+(-[a-z0-9]+)*"))]
    releases: Annotated[list[catalog.Releases], Meta(min_length=1)]
    why: Text

    def holds_for(self, release: str) -> bool:
        return any(SpecifierSet(each, prereleases=True).contains(release) for each in self.releases)


def load_sdists(data: Path = paths.DATA) -> tuple[Sdist, ...]:
    return load_entries(data / "sdists.toml", "sdist", Sdist, key="name")


def lock(release: catalog.Release, target: Target, sdists: Iterable[Sdist]) -> str:
    """Return the text of a requirements file: each line has a pin and the hash of one file, a wheel if there is one.

    Raise BadData where the release cannot be resolved, or where `sdists` names too few or too many packages for it.
    """
    named = {entry.name for entry in sdists if entry.holds_for(release.version)}
    own, files = _resolve(release, target, _wheels_but(named))
    if idle := named - _built(own):
        raise BadData(f"sdists.toml: {release.version} builds no {', '.join(sorted(idle))}", "narrow its `releases`")
    return _locked(release, named, files)


def lock_of_another(release: catalog.Release, backend: Backend, sdists: Iterable[Sdist]) -> str:
    """Return the lock of a build that is not in the catalog, to which the ranges of `sdists` do not apply.

    A package in `sdists` is built from source if it has no wheel. Raise BadData where another package has none.
    """
    named = {entry.name for entry in sdists}
    return _locked(release, named, _resolve(release, release.target(backend), [])[1])


def _resolve(release: catalog.Release, target: Target, options: Iterable[str]) -> tuple[list[Choice], list[Choice]]:
    """Return the release with its dependencies, and everything that its environment holds. `options` are uv's."""
    python, architecture = target.python, target.architecture
    requirement = release.wheels[target.backend].requirement
    if architecture == "aarch64":
        requirement = requirement.replace("-cpu==", "==")  # the build for CPUs alone has no wheels for Arm
    day = release.date + MARGIN
    own = _compile(
        [requirement],
        python,
        [
            *options,
            f"--exclude-newer={day}T00:00:00Z",
            f"--exclude-newer-package=setuptools={max(day, BUILD_TOOLS_SINCE)}T00:00:00Z",
            # AMD's build of a release appears weeks after the release.
            f"--exclude-newer-package={Requirement(requirement).name}=9999-01-01T00:00:00Z",
        ],
        architecture,
    )
    files = _compile([*map(_pin, own), *HARNESS], python, architecture=architecture)
    version = Version(release.version)
    if version >= LEGACY_KERAS_SINCE and not version.is_prerelease:  # Keras 2 has no pre-releases
        keras = f"tf-keras=={version.major}.{version.minor}.*"
        files += _compile([keras], python, ["--no-deps", "--only-binary=:all:"])
    return own, files


def _locked(release: catalog.Release, named: Collection[str], files: Collection[Choice]) -> str:
    if unnamed := _built(files) - set(named):
        raise BadData(f"{release.version}: no wheel of {', '.join(sorted(unnamed))}", "name it in sdists.toml, and why")
    return "".join(f"{option}\n" for option in _wheels_but(_built(files))) + _text(files)


def build_tools(python: str) -> str:
    """Return the newest tools for this CPython that build sources, in the form of a lock."""
    return _text(_compile(BUILD_TOOLS, python))


def _wheels_but(sources: Iterable[str]) -> list[str]:
    """Options that uv takes both on its command line and in a requirements file."""
    return ["--only-binary=:all:", *(f"--no-binary={name}" for name in sorted(sources))]


def _built(choices: Iterable[Choice]) -> set[str]:
    return {package.name for package, file in choices if isinstance(file, PackageSdist)}


def _text(choices: Iterable[Choice]) -> str:
    return "".join(f"{_pin(choice)} --hash=sha256:{choice[1].hashes['sha256']}\n" for choice in choices)


def _pin(choice: Choice) -> str:
    package, _ = choice
    return f"{package.name}=={package.version}"


def _compile(
    requirements: Collection[str], python: str, options: Iterable[str] = (), architecture: Architecture = USUAL
) -> list[Choice]:
    """Resolve with uv; return each package with the file that fits best, in the order of their names."""
    with tempfile.TemporaryDirectory(prefix="matrix-resolve-") as folder:
        requirements_in = Path(folder, "requirements.in")
        requirements_in.write_text("\n".join(requirements), encoding="utf-8")
        answer = interpreters.uv(
            *("--directory", folder, "pip", "compile", "--quiet", "--format=pylock.toml", "--no-header"),
            *(f"--python-version={python}", f"--python-platform={locks.platform(architecture)}"),
            *(*options, str(requirements_in)),
            variables=package_index.settings(),
        )
    if answer.returncode != 0:
        raise BadData(f"uv cannot resolve {', '.join(requirements)} for CPython {python}:\n{answer.stderr.strip()}")
    environment = default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": architecture,
    }
    tags = _tags(int(python.partition(".")[2]), architecture)
    choices = []
    for package, file in Pylock.from_dict(tomllib.loads(answer.stdout)).select(environment=environment, tags=tags):
        assert isinstance(file, PackageWheel | PackageSdist)
        choices.append((package, file))
    return sorted(choices, key=lambda choice: choice[0].name)


def _tags(minor: int, architecture: Architecture = USUAL) -> list[Tag]:
    """Return the tags of the wheels that CPython 3.`minor` can install, the most specific first."""
    glibcs = range(locks.GLIBC_MINOR, 4, -1)
    names = [name for glibc in glibcs for name in (f"manylinux_2_{glibc}", LEGACY_PLATFORMS.get(glibc)) if name]
    platforms = [f"{name}_{architecture}" for name in (*names, "linux")]
    own = cpython_tags((3, minor), platforms=platforms)
    return [*own, *compatible_tags((3, minor), interpreter=f"cp3{minor}", platforms=platforms)]
