"""What a person selects: releases, backends and profiles, and for a closer look some cells of their runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from matrix.base.errors import BadUsage, unknown
from matrix.base.ids import Architecture, Backend, Depth
from matrix.catalog.releases import Catalog, Profile, Release
from matrix.plan.planned_run import PlannedRun
from matrix.record.records import CellId

RECENT = 5
SETS: dict[str, Callable[[Sequence[Release]], Sequence[Release]]] = {
    "landmarks": lambda releases: [release for release in releases if release.landmark],
    "recent": lambda releases: releases[-RECENT:],
    "nightly": lambda releases: [release for release in releases if Version(release.version).is_devrelease],
    "all": lambda releases: releases,
}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a person asked for, as typed. An empty field means all, and no machines this one's architecture."""

    releases: tuple[str, ...] = ("landmarks",)
    backends: tuple[Backend, ...] = ("cpu",)
    profiles: tuple[str, ...] = ()
    approaches: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    emulator: str = ""
    machines: tuple[Architecture, ...] = ()
    depth: Depth = "full"

    @property
    def is_whole(self) -> bool:
        """Whether its runs observe every cell: only such runs are recorded."""
        return not (self.approaches or self.modes or self.checks)

    def cells(self, planned: PlannedRun) -> tuple[CellId, ...]:
        """Return the selected cells of the run, without the cells whose observations are kept."""
        kept = {observation.cell for observation in planned.kept.observations} if planned.kept else set()
        wanted = (self.approaches, self.modes, self.checks)
        return tuple(
            cell
            for cell in planned.cells
            if cell not in kept and all(not names or name in names for name, names in zip(cell, wanted, strict=False))
        )

    def patterns(self, planned: PlannedRun) -> tuple[str, ...]:
        """Return the same cells as shell patterns, for `python -m suite`; no pattern means all cells."""
        if planned.kept:
            return tuple("/".join(cell) for cell in self.cells(planned)) or ("--describe",)
        of_profile = tuple(planned.profile.approaches)
        if self.is_whole and not of_profile:
            return ()
        approaches = tuple(name for name in self.approaches or of_profile if not of_profile or name in of_profile)
        wanted = (approaches or "*", self.modes or "*", self.checks or "*", "*")
        return tuple("/".join(names) for names in itertools.product(*wanted))


def select_releases(catalog: Catalog, selectors: Iterable[str]) -> list[Release]:
    """Return the releases that the selectors name: `2.15.1`, `2.15`, `2.5..2.9` (with both ends), or a name in SETS.

    Raise BadUsage for a selector that names nothing.
    """
    chosen: set[str] = set()
    for selector in selectors:
        if selector in SETS:
            found = SETS[selector](catalog.releases)
        else:
            first, dots, last = selector.partition("..")
            last = last if dots else first
            found = [release for release in catalog.releases if _is_within(release.version, first, last)]
            if not found and _is_reversed(first, last):
                raise BadUsage(f"{selector} begins after its end", f"turn it round: {last}..{first}")
            if not found:
                raise unknown("release", selector, [*SETS, *(release.version for release in catalog.releases)])
        chosen |= {release.version for release in found}
    return [release for release in catalog.releases if release.version in chosen]


def select_profiles(catalog: Catalog, names: Collection[str]) -> list[Profile]:
    """Return the named profiles; without names, all that need not be named. Raise BadUsage for an unknown name."""
    known = [profile.name for profile in catalog.profiles]
    for name in names:
        if name not in known:
            raise unknown("profile", name, known)
    return [profile for profile in catalog.profiles if profile.name in names or not (names or profile.by_name)]


def _is_reversed(first: str, last: str) -> bool:
    try:
        return Version(first) > Version(last)
    except ValueError:
        return False


def _is_within(version: str, first: str, last: str) -> bool:
    try:
        low, high = Version(first).release, Version(last).release
        own = Version(version).release
    except ValueError:  # no version, or a number too long for Python
        return False
    if first == last and Version(first).is_prerelease:
        return version == first
    return low <= own[: len(low)] and own[: len(high)] <= high
