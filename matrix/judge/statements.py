"""Support statements, and what changed from release to release: statements.json (`statements/1`).

`build(catalog, judgements)` answers one `Statements`, which JSON, Markdown and the pages all show; `decode` reads the
published file. Nothing here knows an approach or a release by name.

- A `Statement` says of one need (backend, profile, host class, approach, evidence), as `Span`s, oldest first, in which
  releases it is met. Only what was observed makes a span; `untried` lists the catalog's releases that were not.
- A `CaseStatement` says the same of cells that no need is judged on: other dtypes, layouts, geometries, modes.
- A `Change` (matrix/judge/changes.py) says what two neighbours, as recorded, do differently.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
from packaging.version import Version

from matrix.base import files
from matrix.base.ids import BACKENDS, Backend
from matrix.base.structs import Strict
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.releases import Catalog
from matrix.judge.changes import Change, changes
from matrix.judge.needs import Answer, answer_of, answer_of_cell, need_cells
from matrix.judge.verdicts import NEEDS, Judgement, Need
from matrix.record.records import Evidence

Answers = Sequence[tuple[str, Answer]]


class Span(Strict, frozen=True, kw_only=True):
    """Releases that give the same answer, none observed between `first` and `last` giving another.

    It began in (`after`, `first`] and was lost in (`last`, `until`]: the nearest releases that answer otherwise.
    Without `after` no older release was observed, without `until` no newer one.
    """

    answer: Answer
    first: str
    last: str
    after: str | None = None
    until: str | None = None


class Stated(Strict, frozen=True, kw_only=True):
    """Since when something holds. `untried`: releases that could be asked and have no answer: neither yes nor no."""

    backend: Backend
    host_class: str
    profile: str
    evidence: Evidence
    approach: str
    spans: list[Span]
    untried: list[str] = []

    def between(self, after: str, before: str) -> list[str]:
        """The untried releases that lie strictly between two others."""
        low, high = Version(after), Version(before)
        return [release for release in self.untried if low < Version(release) < high]


class Statement(Stated, frozen=True, kw_only=True):
    """Since when a need is met. `doubtful`: releases whose control, without groups, fails too: groups need not be at
    fault.
    """

    need: Need
    doubtful: list[str] = []


class CaseStatement(Stated, frozen=True, kw_only=True):
    """Since when cells pass, or for a fusion since when the epilogue is inside: those of which it is the same, named
    `mode/check/case`. `some` is a part of the epilogue.
    """

    cells: list[str]


class Statements(Strict, frozen=True, kw_only=True, tag_field="format", tag="statements/1"):
    """Statements in the order of the table, changes oldest release first."""

    statements: list[Statement]
    cases: list[CaseStatement]
    changes: list[Change]


def build(catalog: Catalog, judgements: Iterable[Judgement]) -> Statements:
    """From what was observed; judgements of runs without an observation make nothing known."""
    observed = sorted(judgements, key=lambda one: Version(_release(one)))
    lines = _lines(observed, catalog)
    found = [(line.profile, change) for line in lines for change in changes(line.judgements)]
    return Statements(
        statements=[one for line in lines for one in _of_needs(line)],
        cases=[one for line in lines for one in _of_cells(line)],
        changes=_merged(found),
    )


def spans(answers: Answers) -> list[Span]:
    """Of releases, oldest first, and their answers."""
    groups = [(answer, [release for release, _ in group]) for answer, group in groupby(answers, lambda one: one[1])]
    firsts = [*(releases[0] for _, releases in groups), None]
    lasts = [None, *(releases[-1] for _, releases in groups)]
    return [
        Span(answer=answer, first=releases[0], last=releases[-1], after=lasts[number], until=firsts[number + 1])
        for number, (answer, releases) in enumerate(groups)
    ]


def encode(statements: Statements) -> bytes:
    return files.encode(statements)


def decode(data: bytes) -> Statements:
    """Raise msgspec.ValidationError where the data are not statements/1."""
    return _decoder.decode(data)


@dataclass(frozen=True, kw_only=True)
class Line:
    """Judgements that may be put in a line, oldest release first; `askable`: the releases that could stand in it."""

    backend: Backend
    host_class: str
    profile: str
    evidence: Evidence
    approach: str
    judgements: tuple[Judgement, ...]
    askable: tuple[str, ...]

    def stated(self, answers: Answers) -> dict[str, Any]:
        """The fields of Stated."""
        tried = {release for release, _ in answers}
        own = {name: getattr(self, name) for name in ("backend", "host_class", "profile", "evidence", "approach")}
        untried = [release for release in self.askable if release not in tried]
        return {**own, "spans": spans(answers), "untried": untried}


def _lines(judgements: Iterable[Judgement], catalog: Catalog) -> list[Line]:
    """In the order of the table, each in the judgements' order."""
    found: dict[tuple[Backend, str, str, Evidence, str], list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        asked, evidence = judgement.witness.asked, judgement.evidence
        if evidence:
            found[asked.backend, asked.host.host_class, asked.profile, evidence, judgement.approach].append(judgement)
    profiles = {profile.name: number for number, profile in enumerate(catalog.profiles)}
    approaches = list(APPROACHES)
    lines = [
        Line(backend=backend, host_class=host_class, profile=profile, evidence=evidence, approach=approach,
             judgements=tuple(group), askable=_askable(catalog, backend, profile))
        for (backend, host_class, profile, evidence, approach), group in found.items()
    ]  # fmt: skip

    def place(line: Line) -> tuple[int, str, int, str, int]:
        number = profiles.get(line.profile, len(profiles))
        approach = approaches.index(line.approach)
        return (BACKENDS.index(line.backend), line.host_class, number, line.evidence, approach)

    return sorted(lines, key=place)


def _of_needs(line: Line) -> Iterator[Statement]:
    for need in NEEDS:
        known = [(one, said) for one in line.judgements if (said := answer_of(one, need))]
        if known:
            answers = [(_release(one), said) for one, said in known]
            doubtful = [_release(one) for one, _ in known if one.doubtful]
            yield Statement(**line.stated(answers), need=need, doubtful=doubtful)


def _of_cells(line: Line) -> Iterator[CaseStatement]:
    """One for the cells that every release answers alike."""
    judged = {cell for need in NEEDS for cell in need_cells(line.approach, need)}
    alike: dict[tuple[tuple[str, Answer], ...], list[str]] = defaultdict(list)
    for cell in dict.fromkeys(cell for one in line.judgements for cell in one.cells if cell not in judged):
        answers = tuple((_release(one), said) for one in line.judgements if (said := answer_of_cell(one, cell)))
        if answers:
            alike[answers].append("/".join(cell[1:]))
    for answers, cells in alike.items():
        yield CaseStatement(**line.stated(answers), cells=cells)


def _askable(catalog: Catalog, backend: Backend, profile: str) -> tuple[str, ...]:
    """Releases that have the profile on the backend, oldest first; none where the catalog has the profile no more."""
    holding = [one for one in catalog.profiles if one.name == profile]
    return tuple(
        release.version
        for release in catalog.releases
        if backend in release.wheels and any(one.holds_for(release.version, backend) for one in holding)
    )


def _merged(found: Iterable[tuple[str, Change]]) -> list[Change]:
    """One for all profiles that rest on the same two runs, as `default` does where it comes to another profile."""
    profiles: dict[Change, list[str]] = defaultdict(list)
    for profile, change in found:
        profiles[change].append(profile)
    merged = [msgspec.structs.replace(change, profiles=tuple(names)) for change, names in profiles.items()]
    return sorted(merged, key=lambda change: Version(change.release))


def _release(judgement: Judgement) -> str:
    return judgement.witness.asked.release


_decoder = msgspec.json.Decoder(Statements)
