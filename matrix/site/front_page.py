"""The support table as the front page has it: releases down, in ranges where they say the same; approaches across."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from matrix.base.ids import BACKENDS, Backend
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.releases import Profile
from matrix.judge.support import HostEntry, RunEntry, Verdict, question_of
from matrix.judge.verdicts import NEEDS
from matrix.report.support_table import why_unknown
from matrix.site.content import Content

NEED_LETTERS = {"yes": "y", "no": "n", "some": "s", "unknown": "u"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A run on a host class, and its verdict for each approach; None where its profile does not ask for the approach.

    Without `cells` all of it is unknown, because of `why`.
    """

    run: RunEntry
    cells: tuple[Verdict | None, ...] = ()
    why: str = ""

    @property
    def same_as(self) -> str:
        """The profile of the run that it is the same as, if it is."""
        return (self.run.same_as or "").partition("+")[2]

    @property
    def says(self) -> tuple[object, ...]:
        """What two neighbouring releases must share to stand in one range."""
        run = self.run
        words = tuple(cell and (cell.verdict, cell.evidence) for cell in self.cells)
        return (words, self.why, self.same_as, run.onednn, run.older_suite, bool(run.doubtful))


@dataclass(frozen=True, kw_only=True)
class Range:
    """Neighbouring releases of a table that say the same, newest first."""

    rows: tuple[Row, ...]

    @property
    def newest(self) -> Row:
        return self.rows[0]

    @property
    def oldest(self) -> Row:
        return self.rows[-1]


@dataclass(frozen=True, kw_only=True)
class Table:
    """One backend, host class and profile."""

    backend: Backend
    host_class: str
    profile: str
    about: Profile | None
    ranges: tuple[Range, ...]

    @property
    def made(self) -> int:
        """How many of its runs were made."""
        return sum(row.run.engine is not None for one in self.ranges for row in one.rows)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The tables of one backend on one host class; `planned`: the device was not there."""

    backend: Backend
    host_class: str
    hosts: tuple[HostEntry, ...]
    tables: tuple[Table, ...]
    planned: bool


def places(content: Content) -> tuple[Place, ...]:
    """Backends in their order, then the host class on which most runs were made."""
    runs: dict[tuple[Backend, str], list[RunEntry]] = defaultdict(list)
    for run in content.support.runs:
        runs[run.backend, run.host_class].append(run)
    found = [_place(content, *key, entries) for key, entries in runs.items()]
    return tuple(sorted(found, key=lambda one: (BACKENDS.index(one.backend), -_made(one), one.host_class)))


def needs_of(verdict: Verdict) -> str:
    """The answers of the needs, a letter each, for the script."""
    return "".join(NEED_LETTERS[verdict.needs[need]] for need in NEEDS)


def _made(place: Place) -> int:
    return sum(table.made for table in place.tables)


def _place(content: Content, backend: Backend, host_class: str, entries: Sequence[RunEntry]) -> Place:
    by_profile: dict[str, list[RunEntry]] = defaultdict(list)
    for run in entries:
        by_profile[run.profile].append(run)
    known = {profile.name: profile for profile in content.catalog.profiles}
    names = sorted(by_profile, key=lambda name: (list(known).index(name) if name in known else len(known), name))
    evidence = {one.evidence for run in entries for one in content.ways(question_of(run)).values()}
    return Place(
        backend=backend,
        host_class=host_class,
        hosts=tuple(host for host in content.support.hosts if host.host_class == host_class),
        tables=tuple(
            Table(
                backend=backend,
                host_class=host_class,
                profile=name,
                about=known.get(name),
                ranges=tuple(_ranges(_row(content, run) for run in reversed(by_profile[name]))),
            )
            for name in names
        ),
        planned="executed" not in evidence and bool(evidence & {"planned", "registered"}),
    )


def _ranges(rows: Iterator[Row]) -> Iterator[Range]:
    for _, alike in groupby(rows, key=lambda row: row.says):
        yield Range(rows=tuple(alike))


def _row(content: Content, run: RunEntry) -> Row:
    ways = content.ways(question_of(run))
    if run.engine and any(one.verdict != "unknown" for one in ways.values()):
        return Row(run=run, cells=tuple(ways.get(approach) for approach in APPROACHES))
    return Row(run=run, why=why_unknown(run))
