"""The runs: a table of all, and a page for each that has a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from matrix.base.grouping import grouped
from matrix.base.ids import Backend
from matrix.judge.support import RunEntry, Verdict, question_of
from matrix.judge.verdicts import question
from matrix.record.records import Header
from matrix.report.support_table import why_unknown
from matrix.site.content import Content
from matrix.site.downloads import unknown_entries


@dataclass(frozen=True, kw_only=True)
class MadeRun:
    """A run that was made. `unknown` counts its approaches without a verdict, because of `why`."""

    run: RunEntry
    unknown: int
    why: str


@dataclass(frozen=True, kw_only=True)
class NeverRun:
    """Releases that the catalog plans on a host class under a profile, and that were never run there."""

    backend: Backend
    host_class: str
    profile: str
    releases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RunPage:
    """A record; `verdicts`, the same ones together, are empty where the table rests on another engine's record of the
    same run.
    """

    header: Header
    outcomes: dict[str, int]
    verdicts: list[list[Verdict]]
    run: RunEntry


def made_and_never(content: Content) -> tuple[list[MadeRun], list[NeverRun]]:
    """Return the runs that were made, the newest release first, and the runs that never were."""
    made = []
    for run in reversed(content.support.runs):
        if run.engine:
            unknown = unknown_entries(content, run)
            made.append(MadeRun(run=run, unknown=unknown, why=why_unknown(run) if unknown else ""))
    absent = [run for run in content.support.runs if run.engine is None]
    never = [
        NeverRun(backend=key[0], host_class=key[1], profile=key[2], releases=tuple(run.release for run in runs))
        for key, runs in grouped(absent, lambda run: (run.backend, run.host_class, run.profile)).items()
    ]
    return made, never


def pages(content: Content) -> Iterator[RunPage]:
    for record in content.records:
        header = record.header
        run = content.runs.get(question(header))
        if run is None:  # the machine prevented all that was begun on its host class, which has no rows
            continue
        judged = (run.run, run.engine) == (header.run, header.engine)
        verdicts = content.verdicts_of(question_of(run)).values() if judged else ()
        yield RunPage(
            header=header,
            outcomes=dict(Counter(one.outcome for one in record.observations).most_common()),
            verdicts=list(grouped(verdicts, lambda one: (one.verdict, one.evidence)).values()),
            run=run,
        )
