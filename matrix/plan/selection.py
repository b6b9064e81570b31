"""From selectors to an ordered list of runs, which of them are due, and what they will take."""

from __future__ import annotations

import difflib
import itertools
import statistics
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from matrix.base.errors import BadRecord, BadUsage, NotBuilt
from matrix.base.ids import Backend, Run, Target
from matrix.catalog import locks
from matrix.catalog.releases import Catalog, Profile, Release
from matrix.catalog.suite import suite, suite_parts, suite_sha256
from matrix.provision import emulators, interpreters, qemu
from matrix.provision.emulators import Emulator
from matrix.provision.engines import ENGINES
from matrix.record import host, records
from matrix.record.records import CellId, Record
from matrix.run import runner
from matrix.run.runner import Planned

RECENT = 5
SETS: dict[str, Callable[[Sequence[Release]], Sequence[Release]]] = {
    "landmarks": lambda releases: [release for release in releases if release.landmark],
    "recent": lambda releases: releases[-RECENT:],
    "nightly": lambda releases: [release for release in releases if Version(release.version).is_devrelease],
    "all": lambda releases: releases,
}
# Measured on two cores; only used until there are records to learn from.
SECONDS_A_RUN = 60
SECONDS_AN_ENVIRONMENT = 10
# A record with one of these stays until its inputs change; any other outcome is tried again.
LASTING = ("complete", "not_imported")


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
            return runner.core_patterns(planned.profile.approaches or suite.APPROACHES)
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


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What the due runs will take, in seconds of wall time."""

    environments: int
    runs: int
    seconds: float


def plan(catalog: Catalog, selection: Selection, engine: records.EngineName) -> tuple[Planned, ...]:
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
    target = qemu.target(release, backend, emulator.machine if emulator else locks.USUAL)
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


def _select_emulator(name: str, engine: records.EngineName) -> Emulator:
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


def current(planned: Planned, reports: Path) -> Record | None:
    """The record of this run, where it has one that was made from the same inputs.

    One that could not be built for want of an interpreter stands as long as there is none.
    """
    record = _record(planned, reports)
    if record is None:
        return None
    header = record.header
    if header.status == "not_built" and planned.engine == "venv":
        return None if interpreters.find(planned.run.target.python) else record
    todays = suite_sha256(how=planned.how)
    same = header.suite_sha256 == todays and header.recipe_sha256 == _recipe(planned)
    stays = not header.machine and (header.status in LASTING or header.same_as)
    return record if same and stays else None


def still_true(planned: Planned, reports: Path) -> Record | None:
    """What of a record of an older suite was observed as the suite of today would, in the same environment and on the
    same processor: a record has one.
    """
    record = _record(planned, reports)
    if record is None or record.header.status != "complete" or record.header.recipe_sha256 != _recipe(planned):
        return None
    if record.header.host.cpu != planned.host.cpu:
        return None
    then, now = record.header.suite_parts or {}, suite_parts(how=planned.how)
    same = {part for part in now if then.get(part) == now[part]}
    kept = tuple(one for one in record.observations if {"*", one.approach} <= same)
    return Record(header=record.header, observations=kept) if kept else None


def _record(planned: Planned, reports: Path) -> Record | None:
    try:
        return records.read(records.path(reports, planned.host.host_class, planned.engine, planned.run.id))
    except (FileNotFoundError, BadRecord):
        return None


def _recipe(planned: Planned) -> str | None:
    try:
        return runner.recipe_sha256(planned, ENGINES[planned.engine].recipe(planned.run.target))
    except NotBuilt:
        return None


def estimate(due: Sequence[Planned], reports: Path, slots: int) -> Estimate:
    """From the records of the same runs where there are any, else from all records, else from a constant."""
    known = {(header.run, header.engine): header.seconds or 0.0 for header in records.headers(reports)}
    usual = statistics.median(known.values()) if known else SECONDS_A_RUN
    slower = emulators.SLOWER if any(planned.emulator for planned in due) else 1
    targets = {planned.run.target: planned for planned in due}
    missing = sum(_is_to_build(planned) for planned in targets.values())
    seconds = sum(known.get((planned.run.id, planned.engine), usual) for planned in due)
    return Estimate(
        environments=missing,
        runs=len(due),
        seconds=slower * seconds / min(slots, len(due) or 1) + missing * SECONDS_AN_ENVIRONMENT,
    )


def _is_to_build(planned: Planned) -> bool:
    """What cannot be built at all takes no time."""
    try:
        return not ENGINES[planned.engine].is_built(planned.run.target)
    except NotBuilt:
        return False
