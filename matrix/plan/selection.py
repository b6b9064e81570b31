"""From selectors to an ordered list of runs, which of them are due, and what they will take."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from matrix.base.errors import BadUsage
from matrix.base.ids import Backend, Run, Target
from matrix.catalog import locks
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.releases import Catalog, Profile, Release
from matrix.plan.planned_run import Planned, core_patterns
from matrix.provision import emulators, foreign_environments
from matrix.provision.emulators import Emulator
from matrix.record import host
from matrix.record.records import CellId
from matrix.record.store import EngineName

RECENT = 5
SETS: dict[str, Callable[[Sequence[Release]], Sequence[Release]]] = {
    "landmarks": lambda releases: [release for release in releases if release.landmark],
    "recent": lambda releases: releases[-RECENT:],
    "nightly": lambda releases: [release for release in releases if Version(release.version).is_devrelease],
    "all": lambda releases: releases,
}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a person asked for, as typed; empty where nothing was said, which means all."""

    releases: tuple[str, ...] = ("landmarks",)
    backends: tuple[Backend, ...] = ("cpu",)
    profiles: tuple[str, ...] = ()
    approaches: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    emulator: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether its runs observe every cell: only such are recorded."""
        return not (self.approaches or self.modes or self.checks)

    def cells(self, planned: Planned) -> tuple[CellId, ...]:
        """Of the run's cells, in their order."""
        wanted = (self.approaches, self.modes, self.checks)
        return tuple(
            cell
            for cell in _due_cells(planned)
            if all(not names or name in names for name, names in zip(cell, wanted, strict=False))
        )

    def patterns(self, planned: Planned) -> tuple[str, ...]:
        """The same for `python -m suite`, as shell patterns; none means all."""
        if planned.emulator and self.is_whole and not planned.kept:
            return core_patterns(planned.profile.approaches or APPROACHES)
        if planned.kept or planned.emulator:
            return tuple("/".join(cell) for cell in self.cells(planned)) or ("--describe",)
        of_profile = tuple(planned.profile.approaches)
        if self.is_whole and not of_profile:
            return ()
        approaches = tuple(name for name in self.approaches or of_profile if not of_profile or name in of_profile)
        wanted = (approaches or "*", self.modes or "*", self.checks or "*", "*")
        return tuple("/".join(names) for names in itertools.product(*wanted))


def _due_cells(planned: Planned) -> tuple[CellId, ...]:
    kept = {one.cell for one in planned.kept.observations} if planned.kept else set()
    return tuple(cell for cell in planned.cells if cell not in kept)


def plan(catalog: Catalog, selection: Selection, engine: EngineName) -> tuple[Planned, ...]:
    """The runs that a selection names, oldest release first. Raise BadUsage for a selector that names nothing."""
    emulator = _select_emulator(selection.emulator, engine) if selection.emulator else None
    profiles = select_profiles(catalog, selection.profiles)
    planned = tuple(
        Planned(
            run=Run(target=target, profile=profile.name),
            release=release,
            profile=profile,
            engine=engine,
            emulator=emulator,
        )
        for release in select_releases(catalog, selection.releases)
        for backend in selection.backends
        if backend in release.wheels and (target := _target(release, backend, emulator))
        for profile in profiles
        if profile.holds_for(release.version, backend)
        if not (profile.needs_device and host.facts(backend).gpu is None)
    )
    if not planned:
        raise BadUsage(
            "no release of the catalog has these profiles on these backends", "see: python -m matrix run --help"
        )
    return planned


def _target(release: Release, backend: Backend, emulator: Emulator | None) -> Target | None:
    """None where the release is not locked for the machine that is emulated."""
    target = foreign_environments.target(release, backend, emulator.machine if emulator else locks.USUAL)
    return target if target.machine == locks.USUAL or locks.path(target).exists() else None


def select_releases(catalog: Catalog, selectors: Iterable[str]) -> list[Release]:
    """`2.15.1`, `2.15`, `2.5..2.9` (both ends' minors included), `landmarks`, `recent` or `all`."""
    chosen = {release.version for selector in selectors for release in _select(catalog, selector)}
    return [release for release in catalog.releases if release.version in chosen]


def select_profiles(catalog: Catalog, names: Collection[str]) -> list[Profile]:
    known = [profile.name for profile in catalog.profiles]
    for name in names:
        if name not in known:
            raise _unknown("profile", name, known)
    return [profile for profile in catalog.profiles if profile.name in names or not (names or profile.by_name)]


def _select_emulator(name: str, engine: EngineName) -> Emulator:
    if name not in emulators.load():
        raise _unknown("emulator", name, list(emulators.load()))
    if engine != "venv":
        raise BadUsage("what is emulated runs in virtual environments", "say --engine venv")
    return emulators.load()[name]


def _select(catalog: Catalog, selector: str) -> Sequence[Release]:
    if selector in SETS:
        return SETS[selector](catalog.releases)
    first, dots, last = selector.partition("..")
    chosen = [release for release in catalog.releases if _is_within(release.version, first, last if dots else first)]
    if not chosen:
        raise _unknown("release", selector, [*SETS, *(release.version for release in catalog.releases)])
    return chosen


def _is_within(version: str, first: str, last: str) -> bool:
    try:
        low, high = Version(first).release, Version(last).release
        own = Version(version).release
    except ValueError:  # no version, or a number too long for Python
        return False
    if first == last and Version(first).is_prerelease:
        return version == first
    return low <= own[: len(low)] and own[: len(high)] <= high


def _unknown(what: str, name: str, known: Sequence[str]) -> BadUsage:
    near = difflib.get_close_matches(name, known, n=4, cutoff=0.4) or list(known)
    return BadUsage(f"no {what} is named {name!r}", f"nearest: {', '.join(near)}")
