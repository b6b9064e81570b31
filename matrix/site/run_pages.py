"""The runs: a table of all, and a page for each that has a record."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from matrix.base.ids import Backend
from matrix.judge.support import RunEntry, Verdict, question_of
from matrix.judge.verdicts import Question, question
from matrix.record.records import Header, Record
from matrix.report.support_table import why_unknown
from matrix.site.content import Content
from matrix.site.downloads import unknown_cells


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A run that was made. `unknown` of its approaches have no verdict, because of `why`."""

    run: RunEntry
    unknown: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Never:
    """Runs that the catalog plans on a host class and that were never made."""

    backend: Backend
    host_class: str
    profile: str
    releases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RunPage:
    """A record; `verdicts` are empty where the table rests on another engine's record of the same run."""

    header: Header
    outcomes: dict[str, int]
    verdicts: tuple[Verdict, ...]
    run: RunEntry


def listed(content: Content) -> tuple[tuple[Listed, ...], tuple[Never, ...]]:
    """Those that were made, the newest release first, and those that were not."""
    made, never = [], defaultdict(list)
    for run in content.support.runs:
        if run.engine is None:
            never[run.backend, run.host_class, run.profile].append(run.release)
            continue
        unknown = unknown_cells(content, run)
        made.append(Listed(run=run, unknown=unknown, why=why_unknown(run) if unknown else ""))
    lacking = (
        Never(backend=backend, host_class=host_class, profile=profile, releases=tuple(releases))
        for (backend, host_class, profile), releases in never.items()
    )
    return tuple(reversed(made)), tuple(lacking)


def pages(content: Content) -> Iterator[RunPage]:
    for record in content.records:
        yield _page(content, record)


def _page(content: Content, record: Record) -> RunPage:
    asked: Question = question(record.header)
    run = content.runs[asked]
    judged = run.run == record.header.run and run.engine == record.header.engine
    return RunPage(
        header=record.header,
        outcomes=dict(Counter(one.outcome for one in record.observations).most_common()),
        verdicts=tuple(content.ways(question_of(run)).values()) if judged else (),
        run=run,
    )
