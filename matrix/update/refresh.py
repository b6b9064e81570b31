"""Refreshes releases.toml from the package index, and the locks of the targets. `landmark` alone is kept by hand.

In the catalog: the latest patch of every minor release, the newest pre-release where it is ahead of them, and the
newest nightly build.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from packaging.version import Version

from matrix.base import paths
from matrix.base.errors import BadData, BadUsage
from matrix.base.files import write_whole
from matrix.base.ids import Backend, Target
from matrix.catalog import locks
from matrix.catalog import releases as catalog
from matrix.catalog.releases import Release, Wheel
from matrix.provision import foreign_environments
from matrix.update import package_index, resolve
from matrix.update.package_index import Offer
from matrix.update.resolve import Sdist

PROJECTS = ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-rocm", "tf-nightly", "tf-nightly-cpu")
OLDEST = Version("1.0")
# From here on `tensorflow` is the GPU build; from the second on its extra brings CUDA's libraries. That of 2.14 wants
# TensorRT 8.5.3.1 besides, which has no wheel for the newest Python of that release.
GPU_BY_DEFAULT = Version("2.1")
CUDA_AS_EXTRA = Version("2.15")
# From here on a target of the backend is locked: GPU builds before 1.15 have nothing that could be fused.
LOCKED: Mapping[Backend, Version] = {"cpu": OLDEST, "cuda": Version("1.15"), "rocm": Version("1.15")}
# From here on `tensorflow` on Arm is the build itself, and not a name for tensorflow-cpu-aws.
ARM_SINCE = Version("2.16")
HEAD = """\
# Written by `nox -s update` from the package index; only `landmark` is kept by hand.
# The patch number of tensorflow-rocm is AMD's own: its newest stands with the release of the same minor.
"""

Offers = Mapping[str, Sequence[Offer]]
Say = Callable[[str], object]


def update(only: Collection[str] = (), *, say: Say, data: Path = paths.DATA) -> None:
    """Rewrite releases.toml and the locks: all, or those of the releases in `only` (`2.15.1`, `2.15`, `pre-release`,
    `nightly`) and those that are missing.

    A lock whose target is gone is removed. Raise BadUsage for a release that the index does not have, MachineError
    where the index does not answer; at the end, BadData with every target that cannot be locked.
    """
    known = catalog.load_entries(data / "releases.toml", "release", Release, key="version")
    address = package_index.address()
    releases = with_landmarks(from_index({project: package_index.ask(project, address) for project in PROJECTS}), known)
    named = {name: [release.version for release in releases if name in _names_of(release)] for name in only}
    if unknown := [name for name, found in named.items() if not found]:
        raise BadUsage(f"not among the releases: {', '.join(sorted(unknown))}", "those of releases.toml are")
    chosen = {version for found in named.values() for version in found}
    write_whole(data / "releases.toml", dump(releases).encode())
    wanted = [(release, target) for release in releases for target in targets(release)]
    _remove_idle(data / "locks", [target for _, target in wanted])
    due = [
        (release, target)
        for release, target in wanted
        if not only or release.version in chosen or not locks.path(target, data / "locks").exists()
    ]
    _lock(due, data, say)


def targets(release: Release) -> list[Target]:
    """Those that are locked."""
    version = Version(release.version)
    own = [release.target(backend) for backend in release.wheels if LOCKED[backend] <= version]
    on_arm = version >= ARM_SINCE and not version.is_prerelease
    return [*own, foreign_environments.target(release, "cpu", "aarch64")] if on_arm else own


def _remove_idle(folder: Path, wanted: Iterable[Target]) -> None:
    for lock in {*folder.glob("tf*.txt"), *folder.glob("*/tf*.txt")} - {locks.path(one, folder) for one in wanted}:
        lock.unlink()


def _lock(due: Sequence[tuple[Release, Target]], data: Path, say: Say) -> None:
    sdists = resolve.load_sdists(data)
    faults = [fault for release, target in due if (fault := _lock_one(release, target, sdists, data, say))]
    building = {target.python for r, target in due if any(sdist.holds_for(r.version) for sdist in sdists)}
    for python in sorted(building):
        tools = resolve.build_tools(python)
        write_whole(data / "locks" / "build" / f"py{python.replace('.', '')}.txt", tools.encode())
    if faults:
        raise BadData("\n".join(map(str, faults)), "; ".join(sorted({fault.cure for fault in faults} - {""})))


def _lock_one(release: Release, target: Target, sdists: Collection[Sdist], data: Path, say: Say) -> BadData | None:
    """One target that cannot be locked leaves the others as they are."""
    file = locks.path(target, data / "locks")
    say(f"locking {file.relative_to(data / 'locks').with_suffix('')}")
    try:
        lock = resolve.lock(release, target.backend, sdists, target.machine)
    except BadData as fault:
        return fault
    write_whole(file, lock.encode())
    return None


def from_index(offers: Offers) -> list[Release]:
    """The releases that the catalog should hold, oldest first."""
    return [release_of(version, offers) for version in sorted(_versions(offers))]


def with_landmarks(releases: Iterable[Release], known: Iterable[Release]) -> list[Release]:
    """A landmark stays with its minor release, or with the pre-release or the nightly build, whatever their number."""
    reasons = {_line_of(release): release.landmark for release in known}
    return [msgspec.structs.replace(release, landmark=reasons.get(_line_of(release))) for release in releases]


def dump(releases: Iterable[Release]) -> str:
    """The text of releases.toml."""
    return "\n".join([HEAD, *map(_entry, releases)])


def _versions(offers: Offers) -> Iterator[Version]:
    stable = sorted({offer.version for offer in offers["tensorflow"] if offer.version >= OLDEST})
    yield from {version.release[:2]: version for version in stable if not version.is_prerelease}.values()
    if stable[-1].is_prerelease:
        yield stable[-1]
    yield max(offer.version for project in ("tf-nightly", "tf-nightly-cpu") for offer in offers[project])


def release_of(version: Version, offers: Offers) -> Release:
    """A version as an entry of the catalog. Raise KeyError where the index has no wheel of it for CPUs."""
    found = {
        backend: (name, max(matching, key=lambda offer: (offer.version, offer.python, offer.date)))
        for backend, name in _names(version, offers).items()
        if (matching := [offer for offer in offers[_project(name)] if _is_of(offer, version)])
    }
    wheels = {
        backend: Wheel(requirement=f"{name}=={offer.version}", python=".".join(map(str, offer.python)))
        for backend, (name, offer) in found.items()
    }
    return Release(version=str(version), date=found["cpu"][1].date, wheels=wheels)


def _names(version: Version, offers: Offers) -> dict[Backend, str]:
    """What pip is asked for, by backend. Where there is no CPU build of its own, `tensorflow` runs on CPUs as well."""
    family = "tf-nightly" if version.is_devrelease else "tensorflow"
    has_cpu_build = any(offer.version == version for offer in offers[f"{family}-cpu"])
    cuda = f"{family}-gpu" if version < GPU_BY_DEFAULT else family
    if version >= CUDA_AS_EXTRA:
        cuda = f"{family}[and-cuda]"
    return {"cpu": f"{family}-cpu" if has_cpu_build else family, "cuda": cuda, "rocm": "tensorflow-rocm"}


def _project(name: str) -> str:
    return name.partition("[")[0]


def _is_of(offer: Offer, version: Version) -> bool:
    """ROCm's builds count their patches apart."""
    if offer.project == "tensorflow-rocm":
        return offer.version.release[:2] == version.release[:2]
    return offer.version == version


def _names_of(release: Release) -> tuple[str, str]:
    return release.version, _line_of(release)


def _line_of(release: Release) -> str:
    """What a landmark belongs to."""
    version = Version(release.version)
    if version.is_prerelease:
        return "nightly" if version.is_devrelease else "pre-release"
    return f"{version.major}.{version.minor}"


def _entry(release: Release) -> str:
    lines = ["[[release]]", f"version = {_quote(release.version)}", f"date = {release.date}"]
    for backend, wheel in release.wheels.items():
        requirement, python = _quote(wheel.requirement), _quote(wheel.python)
        lines.append(f"wheels.{backend} = {{ requirement = {requirement}, python = {python} }}")
    if release.landmark is not None:
        lines.append(f"landmark = {_quote(release.landmark)}")
    return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    """A basic string of TOML, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
