"""The support table as the front page has it: releases down, in ranges where they say the same; approaches across."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec

from matrix.answers.advise import MODES
from matrix.base.grouping import grouped
from matrix.base.ids import BACKENDS, Backend
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.releases import Profile
from matrix.judge.processors import nearest_timed
from matrix.judge.support import HostEntry, RunEntry, Verdict, question_of
from matrix.judge.verdicts import NEEDS
from matrix.record import speed_records
from matrix.record.speed_records import Point, SpeedRun
from matrix.report.support_table import why_unknown
from matrix.site.content import Content
from matrix.site.html import anchor
from matrix.speed import comparisons

# The approaches that people choose among; the page's script adds the columns of the others when they are asked for.
FIRST = tuple(name for name, about in APPROACHES.items() if about.common or (about.place and not about.wasteful))
REST = tuple(name for name in APPROACHES if name not in FIRST)
# A letter for every word of the table: capitals for what was executed, small letters for what was only planned.
LETTERS = {
    "fused": "F",
    "works": "W",
    "partial": "P",
    "refused": "R",
    "wrong": "X",
    "crash": "C",
    "timeout": "T",
    "oom": "M",
    "absent": "\N{EN DASH}",
    "unknown": "?",
    "plans-fused": "f",
    "plans-separate": "s",
    "registered-only": "r",
}
NEED_LETTERS = {"yes": "y", "no": "n", "some": "s", "unknown": "u"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A run on a host class, and its verdict for each approach; None where its profile does not ask for the approach.

    Without `entries` the whole row is unknown, because of `why`.
    """

    run: RunEntry
    entries: tuple[Verdict | None, ...] = ()
    why: str = ""

    @property
    def same_as(self) -> str:
        """The profile of the run that it is the same as, if it is."""
        return (self.run.same_as or "").partition("+")[2]

    @property
    def says(self) -> tuple[object, ...]:
        """What two neighbouring releases must share to stand in one range."""
        run = self.run
        words = tuple(entry and (entry.verdict, entry.evidence) for entry in self.entries)
        return (words, self.why, self.same_as, run.onednn, run.older_suite, bool(run.doubtful))


@dataclass(frozen=True, kw_only=True)
class Table:
    """One backend, host class and profile. `ranges`: neighbouring releases that say the same, the newest first."""

    backend: Backend
    host_class: str
    profile: str
    about: Profile | None
    ranges: tuple[tuple[Row, ...], ...]
    made: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """The tables of one backend on one host class; `planned`: the device was not there."""

    backend: Backend
    host_class: str
    hosts: tuple[HostEntry, ...]
    tables: tuple[Table, ...]
    planned: bool


def places(content: Content) -> list[Place]:
    """Backends in their order, then the host class on which most runs were made."""
    known = {profile.name: profile for profile in content.catalog.profiles}
    order = list(known)
    found = []
    for (backend, host_class), runs in grouped(content.support.runs, lambda run: (run.backend, run.host_class)).items():
        by_profile = grouped(runs, lambda run: run.profile)
        names = sorted(by_profile, key=lambda name: (order.index(name) if name in known else len(order), name))
        tables = [
            Table(
                backend=backend,
                host_class=host_class,
                profile=name,
                about=known.get(name),
                ranges=_ranges(content, by_profile[name]),
                made=sum(run.engine is not None for run in by_profile[name]),
            )
            for name in names
        ]
        evidence = {one.evidence for run in runs for one in content.verdicts_of(question_of(run)).values()}
        hosts = tuple(host for host in content.support.hosts if host.host_class == host_class)
        planned = "executed" not in evidence and bool(evidence & {"planned", "registered"})
        found.append(Place(backend=backend, host_class=host_class, hosts=hosts, tables=tuple(tables), planned=planned))
    return sorted(
        found,
        key=lambda one: (BACKENDS.index(one.backend), -sum(table.made for table in one.tables), one.host_class),
    )


def _ranges(content: Content, runs: Sequence[RunEntry]) -> tuple[tuple[Row, ...], ...]:
    rows = []
    for run in reversed(runs):
        verdicts = content.verdicts_of(question_of(run))
        if run.engine and any(one.verdict != "unknown" for one in verdicts.values()):
            rows.append(Row(run=run, entries=tuple(verdicts.get(approach) for approach in FIRST)))
        else:
            rows.append(Row(run=run, why=why_unknown(run)))
    return tuple(tuple(alike) for _, alike in groupby(rows, key=lambda row: row.says))


def needs_of(verdict: Verdict) -> str:
    """Return the answers of the needs, a letter each, for the script."""
    return "".join(NEED_LETTERS[verdict.needs[need]] for need in NEEDS)


def slower(content: Content) -> Callable[[Sequence[Row], str], str]:
    """Return what marks an approach in neighbouring releases where it trains many times as slowly as split-concat: as
    timed on the release, on the nearest processor of the same architecture.
    """
    timed = [run for run in speed_records.preferred(content.timed).values() if run.peer is None]
    hosts = grouped(timed, lambda run: (run.release, run.backend, run.profile))
    found = {
        (run.release, run.backend, run.profile, run.host.host_class, trap.approach): trap.most
        for run in timed
        for trap in comparisons.traps(msgspec.structs.replace(run, points=_trained(run)))
    }

    def times(run: RunEntry, profile: str, approach: str) -> float:
        there = [one.host.host_class for one in hosts.get((run.release, run.backend, profile), ())]
        return max(
            (
                found.get((run.release, run.backend, profile, host, approach), 0)
                for host in nearest_timed(run.host_class, there)[:1]
            ),
            default=0,
        )

    def mark(rows: Sequence[Row], approach: str) -> str:
        seen = {row.run.release: times(row.run, row.same_as or row.run.profile, approach) for row in rows}
        slow = {release: ratio for release, ratio in seen.items() if ratio}
        where = "" if len(slow) == len(seen) else f" (seen in {len(slow)} of {len(seen)} releases)"
        return f"trains up to {max(slow.values()):.0f}x slower{where}" if slow else ""

    return mark


def _trained(run: SpeedRun) -> list[Point]:
    """Return the points of the modes that people train in; XLA's gradients stand on the page of speed."""
    return [point for point in run.points if point.direction == "train" and point.mode in MODES["train"]]


def script(content: Content) -> bytes:
    """`data/table.js`: sets TABLE, the words of the columns that are not on the page: by place and release a letter for
    each approach; a space where the profile does not run it.
    """
    rows: dict[str, dict[str, str]] = {}
    for question, run in content.runs.items():
        verdicts = content.verdicts_of(question)
        if run.engine and any(one.verdict != "unknown" for one in verdicts.values()):
            words = "".join(LETTERS[verdicts[name].verdict] if name in verdicts else " " for name in REST)
            rows.setdefault(anchor(run.backend, run.profile, run.host_class), {})[run.release] = words
    data = {"approaches": REST, "words": {letter: word for word, letter in LETTERS.items()}, "rows": rows}
    return b"const TABLE = " + msgspec.json.encode(data) + b";\n"
