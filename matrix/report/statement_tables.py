"""Support statements and changes in words: what SUPPORT.md, CASES.md and CHANGES.md show of statements.json."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from packaging.version import Version

from matrix.base.grouping import grouped
from matrix.base.ids import Backend
from matrix.judge.changes import Change, What
from matrix.judge.needs import SpanAnswer
from matrix.judge.statements import CaseStatement, Span, Stated, Statement
from matrix.judge.verdicts import NEEDS, Need
from matrix.record import records
from matrix.record.records import Evidence

ANSWERS: dict[SpanAnswer, str] = {"yes": "yes", "some": "in part", "no": "no", "absent": "not there"}
EVIDENCE: dict[Evidence, str] = {
    "executed": "",
    "planned": ", as planned for a device that was not there",
    "registered": ", as the build registers it for a device that was not there",
}
CHANGES: dict[What, str] = {
    "need": "",
    "verdict": "the verdict",
    "outcome": "outcome",
    "error": "the error's text",
    "fusion": "epilogue",
}


class Place(NamedTuple):
    """What all statements of a table have in common."""

    backend: Backend
    host_class: str
    profile: str
    evidence: Evidence


@dataclass(frozen=True, kw_only=True)
class Since:
    """Since when each need is met at a place; `rows`: (approach, what is said of each of `needs`).

    `untried`: releases without any observation there. `doubtful`: releases whose control fails too.
    """

    place: Place
    needs: tuple[Need, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    untried: tuple[str, ...]
    doubtful: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Since when cells that no need is judged on pass, for one approach at a place.

    `columns`: a mode and a check each. `rows`: (the cases of which the same is said, what is said in each column).
    """

    place: Place
    approach: str
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class News:
    """What an approach does differently from an older release, `before`; `records`: both files, below reports/."""

    approach: str
    profiles: tuple[str, ...]
    before: str
    records: tuple[str, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class Release:
    """What changed in a release on a backend and host class, by one kind of evidence.

    `summary`: the needs that appeared or were lost, a sentence for each set of profiles.
    """

    release: str
    backend: Backend
    host_class: str
    evidence: Evidence
    summary: tuple[str, ...]
    news: tuple[News, ...]


def since(statements: Iterable[Statement]) -> list[Since]:
    """In the order of the statements."""
    tables = []
    for place, group in grouped(statements, _place).items():
        untried = _untried_in_all(group)
        needs = tuple(need for need in NEEDS if any(statement.need == need for statement in group))
        by_approach: dict[str, dict[Need, str]] = defaultdict(dict)
        for statement in group:
            by_approach[statement.approach][statement.need] = in_words(statement, untried)
        rows = tuple((name, tuple(words.get(need, "") for need in needs)) for name, words in by_approach.items())
        doubtful = tuple(dict.fromkeys(release for statement in group for release in statement.doubtful))
        tables.append(Since(place=place, needs=needs, rows=rows, untried=untried, doubtful=doubtful))
    return tables


def cases(statements: Iterable[CaseStatement]) -> list[Cases]:
    """In the order of the statements."""
    tables = []
    for (place, approach), group in grouped(statements, lambda one: (_place(one), one.approach)).items():
        untried = _untried_in_all(group)
        by_case: dict[str, dict[str, str]] = defaultdict(dict)
        for statement in group:
            for cell in statement.cells:
                mode, check, case = cell.split("/", 2)
                by_case[case][f"{mode} {check}"] = in_words(statement, untried)
        columns = tuple(dict.fromkeys(column for words in by_case.values() for column in words))
        entries = {case: tuple(words.get(column, "") for column in columns) for case, words in by_case.items()}
        rows = tuple((tuple(names), alike) for alike, names in grouped(entries, entries.__getitem__).items())
        tables.append(Cases(place=place, approach=approach, columns=columns, rows=rows))
    return tables


def _place(statement: Stated) -> Place:
    return Place(statement.backend, statement.host_class, statement.profile, statement.evidence)


def _untried_in_all(group: Sequence[Stated]) -> tuple[str, ...]:
    return tuple(release for release in group[0].untried if all(release in one.untried for one in group))


def in_words(statement: Stated, untried: Sequence[str] = ()) -> str:
    """`yes from 2.9.3 with oneDNN on, in part from (2.5.3, 2.8.4], no`: the newest first, the oldest without a since.

    What the profile sets otherwise than in the release before is named, for then the answer is not the release's alone.
    Releases in `untried` are not named as unknown: the table says so once.
    """
    words = []
    for span in reversed(statement.spans):
        beginning = began(statement, span)
        since = f" from {beginning}" if beginning else ""
        words.append(f"{ANSWERS[span.answer]}{since}{with_switched(span.switched)}")
    unknown = [release for release in statement.untried if release not in untried]
    return ", ".join(words) + (f" (unknown in {', '.join(unknown)})" if unknown else "")


def with_switched(switched: Sequence[str]) -> str:
    return f" with {' and '.join(switched)}" if switched else ""


def began(statement: Stated, span: Span) -> str:
    """Return the release in which a span began, or an interval where some were not run; "" for the oldest span."""
    if not span.after:
        return ""
    return f"({span.after}, {span.first}]" if statement.between(span.after, span.first) else span.first


def changed(changes: Iterable[Change]) -> list[Release]:
    """Sort by release, the newest first; then by the order of the changes."""
    by_release = grouped(changes, lambda one: (one.release, one.backend, one.host_class, one.evidence))
    found = []
    for key in sorted(by_release, key=lambda key: Version(key[0]), reverse=True):
        release, backend, host_class, evidence = key
        alike = grouped(by_release[key], lambda one: (one.approach, one.profiles, one.before, one.engine, one.runs))
        news = []
        for (approach, profiles, before, engine, runs), group in alike.items():
            files = tuple(records.path(Path(), host_class, engine, run).as_posix() for run in runs)
            news.append(News(approach=approach, profiles=profiles, before=before, records=files, changes=tuple(group)))
        summary = tuple(_summary(by_release[key]))
        found.append(Release(release=release, backend=backend, host_class=host_class, evidence=evidence,
                             summary=summary, news=tuple(news)))  # fmt: skip
    return found


def _summary(changes: Iterable[Change]) -> Iterator[str]:
    """`default with oneDNN on: now infer-graph, train by nn-conv2d, keras-groups; no longer fused by separable`."""
    telling = [change for change in changes if change.need and "yes" in {change.was, change.now}]
    for (profiles, switched), group in grouped(telling, lambda one: (one.profiles, one.switched)).items():
        alike: dict[str, list[str]] = defaultdict(list)
        for (approach, now), same in grouped(group, lambda one: (one.approach, one.now == "yes")).items():
            needs = ", ".join(str(change.need) for change in same)
            alike[f"{'now' if now else 'no longer'} {needs}"].append(approach)
        yield f"{', '.join(profiles)}{with_switched(switched)}: " + "; ".join(
            f"{how} by {', '.join(names)}" for how, names in alike.items()
        )
