"""Support statements and what changed, in words: what SUPPORT.md, CASES.md and CHANGES.md show of statements.json."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

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
    "verdict": "the word",
    "outcome": "outcome",
    "error": "the error's text",
    "fusion": "epilogue",
}


@dataclass(frozen=True, kw_only=True)
class Since:
    """The statements of a backend, host class, profile and kind of evidence; `rows`: (approach, its cells by need).

    `untried`: releases of which nothing was observed there; `doubtful`: those whose control fails too.
    """

    backend: str
    host_class: str
    profile: str
    evidence: Evidence
    needs: tuple[Need, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    untried: tuple[str, ...]
    doubtful: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Cases:
    """What no need is judged on, of an approach; `rows`: (cases that say the same, what they say in each of `ways`:
    a mode and a check).
    """

    backend: str
    host_class: str
    profile: str
    evidence: Evidence
    approach: str
    ways: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class News:
    """What an approach does otherwise than in an older release; `records` of both, below reports/."""

    approach: str
    profiles: tuple[str, ...]
    before: str
    records: tuple[str, str]
    changes: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class Release:
    """What changed in a release on a backend and host class, by one kind of evidence; `summary` tells the needs that
    appeared or were lost, a sentence a profile.
    """

    release: str
    backend: str
    host_class: str
    evidence: Evidence
    summary: tuple[str, ...]
    news: tuple[News, ...]


def since(statements: Iterable[Statement]) -> tuple[Since, ...]:
    """In the order of the statements."""
    groups: dict[tuple[str, str, str, Evidence], list[Statement]] = defaultdict(list)
    for one in statements:
        groups[one.backend, one.host_class, one.profile, one.evidence].append(one)
    return tuple(_since(group) for group in groups.values())


def cases(statements: Iterable[CaseStatement]) -> tuple[Cases, ...]:
    """In the order of the statements."""
    groups: dict[tuple[str, str, str, Evidence, str], list[CaseStatement]] = defaultdict(list)
    for one in statements:
        groups[one.backend, one.host_class, one.profile, one.evidence, one.approach].append(one)
    return tuple(_cases(group) for group in groups.values())


def in_words(statement: Stated, untried: Sequence[str] = ()) -> str:
    """`yes from 2.9.3, in part from (2.5.3, 2.8.4], no`: the newest first, the oldest without a since.

    `untried` are the releases of which that goes without saying.
    """
    told = [_in_words(statement, span) for span in reversed(statement.spans)]
    unknown = [release for release in statement.untried if release not in untried]
    return ", ".join(told) + (f" (unknown in {', '.join(unknown)})" if unknown else "")


def began(statement: Stated, span: Span) -> str:
    """The release in which it began, or the interval where releases that nobody ran lie in between; else empty."""
    if not span.after:
        return ""
    return f"({span.after}, {span.first}]" if statement.between(span.after, span.first) else span.first


def changed(changes: Iterable[Change]) -> tuple[Release, ...]:
    """The newest release first; then in the order of the changes."""
    groups: dict[tuple[str, str, str, Evidence], list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.release, change.backend, change.host_class, change.evidence].append(change)
    newest_first = sorted(groups, key=lambda key: Version(key[0]), reverse=True)
    return tuple(
        Release(
            release=key[0],
            backend=key[1],
            host_class=key[2],
            evidence=key[3],
            summary=tuple(_summary(groups[key])),
            news=_news(groups[key]),
        )
        for key in newest_first
    )


def _since(group: Sequence[Statement]) -> Since:
    untried = _common(group)
    needs = tuple(need for need in NEEDS if any(one.need == need for one in group))
    by_approach: dict[str, dict[Need, str]] = defaultdict(dict)
    for one in group:
        by_approach[one.approach][one.need] = in_words(one, untried)
    return Since(
        backend=group[0].backend,
        host_class=group[0].host_class,
        profile=group[0].profile,
        evidence=group[0].evidence,
        needs=needs,
        rows=tuple((name, tuple(said.get(need, "") for need in needs)) for name, said in by_approach.items()),
        untried=untried,
        doubtful=tuple(dict.fromkeys(release for one in group for release in one.doubtful)),
    )


def _cases(group: Sequence[CaseStatement]) -> Cases:
    untried = _common(group)
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for one in group:
        for cell in one.cells:
            mode, check, case = cell.split("/", 2)
            said[case][f"{mode} {check}"] = in_words(one, untried)
    ways = tuple(dict.fromkeys(way for by_way in said.values() for way in by_way))
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for case, by_way in said.items():
        alike[tuple(by_way.get(way, "") for way in ways)].append(case)
    return Cases(
        backend=group[0].backend,
        host_class=group[0].host_class,
        profile=group[0].profile,
        evidence=group[0].evidence,
        approach=group[0].approach,
        ways=ways,
        rows=tuple((tuple(names), cells) for cells, names in alike.items()),
    )


def _common(group: Sequence[Stated]) -> tuple[str, ...]:
    """The releases that are untried in all of them."""
    return tuple(release for release in group[0].untried if all(release in one.untried for one in group))


def _in_words(statement: Stated, span: Span) -> str:
    beginning = began(statement, span)
    return f"{ANSWERS[span.answer]} from {beginning}" if beginning else ANSWERS[span.answer]


def _summary(changes: Iterable[Change]) -> Iterator[str]:
    """`default: now infer-graph, train by nn-conv2d, keras-groups; no longer fused by keras-groups-1d`."""
    told: dict[tuple[str, ...], dict[tuple[str, str], list[Need]]] = defaultdict(lambda: defaultdict(list))
    for change in changes:
        if change.need and "yes" in {change.was, change.now}:
            how = "now" if change.now == "yes" else "no longer"
            told[change.profiles][change.approach, how].append(change.need)
    for profiles, by_approach in told.items():
        alike: dict[str, list[str]] = defaultdict(list)
        for (approach, how), needs in by_approach.items():
            alike[f"{how} {', '.join(needs)}"].append(approach)
        yield f"{', '.join(profiles)}: " + "; ".join(f"{how} by {', '.join(names)}" for how, names in alike.items())


def _news(changes: Iterable[Change]) -> tuple[News, ...]:
    groups: dict[tuple[str, tuple[str, ...], str, tuple[str, str]], list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.approach, change.profiles, change.before, _records(change)].append(change)
    return tuple(
        News(approach=key[0], profiles=key[1], before=key[2], records=key[3], changes=tuple(group))
        for key, group in groups.items()
    )


def _records(change: Change) -> tuple[str, str]:
    before, after = (records.path(Path(), change.host_class, change.engine, run).as_posix() for run in change.runs)
    return before, after
