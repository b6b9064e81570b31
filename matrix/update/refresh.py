"""Refreshes releases.toml from the package index, and the locks of the targets. Only `landmark` is kept by hand.

The catalog holds the latest patch of every minor release, the newest pre-release where it is ahead of them, the newest
nightly build, and a patch that AMD alone has built last.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from packaging.version import Version

from matrix.base import paths
from matrix.base.errors import BadData, BadUsage
from matrix.base.files import write_whole
from matrix.base.ids import USUAL, Backend, Target
from matrix.catalog import locks
from matrix.catalog.entries import load_entries
from matrix.catalog.releases import Release, Wheel
from matrix.provision.debian_systems import PYTHONS
from matrix.update import package_index, resolve
from matrix.update.package_index import Offer

PROJECTS = ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-rocm", "tf-nightly", "tf-nightly-cpu")
OLDEST = Version("1.0")
# From here on `tensorflow` is the build for GPUs.
GPU_BY_DEFAULT = Version("2.1")
# From here on the extra `and-cuda` brings CUDA's libraries. The extra of 2.14 also wants TensorRT 8.5.3.1, which has no
# wheel for the newest Python of that release.
CUDA_AS_EXTRA = Version("2.15")
# From here on a backend's targets are locked: GPU builds before 1.15 can fuse nothing.
LOCKED: Mapping[Backend, Version] = {"cpu": OLDEST, "cuda": Version("1.15"), "rocm": Version("1.15")}
# Wheels of tensorflow-rocm that hold another TensorFlow than the newest of their minor, by the version that it gives
# itself.
ROCM_HOLDS = {"2.6.4": "2.6.0", "2.7.4": "2.7.0", "2.8.4": "2.8.3", "2.14.0.600": "2.14.0"}
# The newest CPython that the stable distributions have: Debian 13 and Fedora have it, Ubuntu 24.04 has 3.12.
COMMON = (3, 13)
# From here on `tensorflow` for Arm is a build of its own, and not another name of tensorflow-cpu-aws; its extra with
# CUDA's libraries is for x86-64 alone.
ARM_SINCE = Version("2.16")
HEAD = """\
# Written by `nox -s update` from the package index; only `landmark` is kept by hand.
# The patch number of tensorflow-rocm is AMD's own: its newest stands with the release of the same minor, but for wheels
# that hold another patch of TensorFlow, which is then a release of its own.
"""

Offers = Mapping[str, Sequence[Offer]]
Say = Callable[[str], object]


def update(only: Collection[str] = (), *, say: Say, data: Path = paths.DATA, dry_run: bool = False) -> None:
    """Rewrite releases.toml and the locks: all locks, or only those that are missing and those of the releases in
    `only` (`2.15.1`, `2.15`, `pre-release`, `nightly`). A lock whose target is gone is removed.

    Raise BadUsage for a release that the index does not have, and MachineError where the index does not answer. Raise
    BadData at the end, naming every target that cannot be locked.
    """
    known = load_entries(data / "releases.toml", "release", Release, key="version")
    address = package_index.address()
    releases = with_landmarks(from_index({project: package_index.ask(project, address) for project in PROJECTS}), known)
    names = {release.version: {release.version, _line_of(release)} for release in releases}
    if unknown := set(only).difference(*names.values()):
        raise BadUsage(f"not among the releases: {', '.join(sorted(unknown))}", "those of releases.toml are")
    wanted = {
        locks.path(target, data / "locks"): (release, target) for release in releases for target in targets(release)
    }
    due = {
        lock: of
        for lock, of in wanted.items()
        if not (only and lock.exists()) or names[of[0].version].intersection(only)
    }
    gone = {*(data / "locks").glob("tf*.txt")} - wanted.keys()
    if dry_run:
        before, after = ({release.version for release in these} for these in (known, releases))
        say(f"new releases: {', '.join(sorted(after - before, key=Version)) or 'none'}")
        say(f"releases to be dropped: {', '.join(sorted(before - after, key=Version)) or 'none'}")
        say(f"locks to be made: {len(due)}, to be removed: {len(gone)}")
        return
    write_whole(data / "releases.toml", dump(releases).encode())
    for lock in gone:
        lock.unlink()
    sdists = resolve.load_sdists(data)
    faults: list[BadData] = []
    building: set[str] = set()
    for lock, (release, target) in due.items():
        say(f"locking {lock.relative_to(data / 'locks').with_suffix('')}")
        if any(sdist.holds_for(release.version) for sdist in sdists):
            building.add(target.python)
        try:
            write_whole(lock, resolve.lock(release, target, sdists).encode())
        except BadData as fault:
            faults.append(fault)
    for python in sorted(building):
        tools = resolve.build_tools(python)
        write_whole(data / "locks" / "build" / f"py{python.replace('.', '')}.txt", tools.encode())
    if faults:
        raise BadData("\n".join(map(str, faults)), "; ".join(sorted({fault.cure for fault in faults} - {""})))


def targets(release: Release) -> list[Target]:
    """Return the targets of a release that are locked."""
    version = Version(release.version)
    backends = [backend for backend in release.wheels if LOCKED[backend] <= version]
    own = [target for backend in backends for target in release.targets(backend)]
    return [*own, *(release.targets("cpu", "aarch64") if "cpu" in release.wheels else [])]


def from_index(offers: Offers) -> list[Release]:
    """Return the releases that the catalog should hold, oldest first."""
    stable = sorted({offer.version for offer in offers["tensorflow"] if offer.version >= OLDEST})
    latest_patches = {version.release[:2]: version for version in stable if not version.is_prerelease}
    versions = list(latest_patches.values())
    if stable[-1].is_prerelease:
        versions.append(stable[-1])
    versions.append(max(offer.version for project in ("tf-nightly", "tf-nightly-cpu") for offer in offers[project]))
    releases = [one for version in versions for one in rocm_apart(release_of(version, offers))]
    return sorted(releases, key=lambda release: Version(release.version))


def rocm_apart(release: Release) -> Iterator[Release]:
    """Give the wheel of tensorflow-rocm a release of its own where it holds another TensorFlow."""
    wheels = dict(release.wheels)
    rocm = wheels.get("rocm")
    if rocm and (holds := ROCM_HOLDS.get(rocm.requirement.partition("==")[2])):
        yield Release(version=holds, date=release.date, wheels={"rocm": wheels.pop("rocm")})
    yield msgspec.structs.replace(release, wheels=wheels)


def with_landmarks(releases: Iterable[Release], known: Iterable[Release]) -> list[Release]:
    """Keep a landmark with its minor release, with the pre-release or with the nightly build, whatever the version.
    What only ROCm has is none.
    """
    reasons = {_line_of(release): release.landmark for release in known if "cpu" in release.wheels}
    return [
        msgspec.structs.replace(release, landmark=reasons.get(_line_of(release)) if "cpu" in release.wheels else None)
        for release in releases
    ]


def _line_of(release: Release) -> str:
    """Return the minor release that it belongs to, `2.15`, or `pre-release` or `nightly`."""
    version = Version(release.version)
    if version.is_prerelease:
        return "nightly" if version.is_devrelease else "pre-release"
    return f"{version.major}.{version.minor}"


def release_of(version: Version, offers: Offers) -> Release:
    """Return a version as an entry of the catalog. Raise KeyError where the index has no wheel of it for CPUs."""
    family = "tf-nightly" if version.is_devrelease else "tensorflow"
    has_cpu_build = any(offer.version == version for offer in offers[f"{family}-cpu"])
    for_arm = [
        one.python
        for one in offers[family]
        if (one.version, one.architecture) == (version, "aarch64") and _dotted(one.python) in PYTHONS.values()
    ]
    cuda = f"{family}-gpu" if version < GPU_BY_DEFAULT else family
    if version >= CUDA_AS_EXTRA:
        cuda = f"{family}[and-cuda]"
    # Where there is no build for CPUs alone, the build for GPUs runs on CPUs as well.
    names: dict[Backend, str] = {
        "cpu": f"{family}-cpu" if has_cpu_build else family,
        "cuda": cuda,
        "rocm": "tensorflow-rocm",
    }
    wheels: dict[Backend, Wheel] = {}
    dates: dict[Backend, datetime.date] = {}
    for backend, name in names.items():
        # AMD numbers the patches of its builds by itself, so that only the minor release has to match.
        matching = [
            offer
            for offer in offers[name.partition("[")[0]]
            if offer.architecture == USUAL
            and (offer.version == version or (backend == "rocm" and offer.version.release[:2] == version.release[:2]))
        ]
        if matching:
            newest = max(matching, key=lambda offer: (offer.version, offer.python, offer.date))
            common = [one.python for one in matching if one.version == newest.version and one.python <= COMMON]
            wheels[backend] = Wheel(
                requirement=f"{name}=={newest.version}",
                python=_dotted(newest.python),
                common=_dotted(max(common)) if common and newest.python > COMMON else None,
                arm=_dotted(max(for_arm)) if for_arm and backend == "cpu" and version >= ARM_SINCE else None,
            )
            dates[backend] = newest.date
    return Release(version=str(version), date=dates["cpu"], wheels=wheels)


def dump(releases: Iterable[Release]) -> str:
    """Return the text of releases.toml."""
    entries = []
    for release in releases:
        lines = ["[[release]]", f"version = {_quote(release.version)}", f"date = {release.date}"]
        for backend, wheel in release.wheels.items():
            fields = {
                "requirement": wheel.requirement, "python": wheel.python, "common": wheel.common, "arm": wheel.arm,
            }  # fmt: skip
            entry = ", ".join(f"{name} = {_quote(value)}" for name, value in fields.items() if value)
            lines.append(f"wheels.{backend} = {{ {entry} }}")
        if release.landmark is not None:
            lines.append(f"landmark = {_quote(release.landmark)}")
        entries.append("\n".join(lines) + "\n")
    return "\n".join([HEAD, *entries])


def _dotted(python: tuple[int, int]) -> str:
    return ".".join(map(str, python))


def _quote(text: str) -> str:
    """Return a basic string of TOML, which has the escapes of JSON."""
    return json.dumps(text, ensure_ascii=False)
