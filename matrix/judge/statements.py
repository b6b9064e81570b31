"""Support statements, and what changed from release to release: statements.json (`statements/1`).

`build(catalog, judgements, made)` returns the `Statements` that JSON, Markdown and the pages all show; `decode` reads
the published file. Nothing here knows an approach or a release by name.

- A `Statement` says in which releases a need is met, as `Span`s, oldest first. Only observed releases make spans;
  `untried` lists the releases of the catalog that were not observed.
- A `CaseStatement` says the same of cells that no need is judged on: other dtypes, layouts, geometries and modes.
- A `Change` (matrix/judge/changes.py) says what differs between two neighbouring releases that were observed.
- A `ProcessorStatement` (matrix/judge/processors.py) says what the processor changes.
- A `Ladder` (matrix/judge/ladder.py) says what changes on one processor where oneDNN is kept to less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec
from packaging.version import Version

from matrix.base import files
from matrix.base.ids import BACKENDS, Backend, is_emulated
from matrix.base.structs import Strict
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.releases import Catalog
from matrix.judge import ladder, processors
from matrix.judge.changes import Change, changes
from matrix.judge.ladder import Ladder
from matrix.judge.needs import SpanAnswer, cell_answer, need_answer, need_cells
from matrix.judge.processors import ProcessorStatement
from matrix.judge.settings import switched
from matrix.judge.verdicts import NEEDS, Judgement, Need
from matrix.record.records import Evidence, Record

# Releases, oldest first, and their answers.
Answers = Sequence[tuple[str, SpanAnswer]]
# What judgements must share to stand in one line of releases: backend, host class, profile, evidence, approach.
Line = tuple[Backend, str, str, Evidence, str]


class Span(Strict, frozen=True, kw_only=True):
    """The releases from `first` to `last`: all that were observed give the same answer.

    `after` and `until` are the nearest observed releases that answer otherwise: the answer began in (`after`, `first`]
    and was lost in (`last`, `until`]. Without `after` no older release was observed, without `until` no newer one.
    `switched`: what is set otherwise in `first` than in `after` under the profile of that name, such as `oneDNN on`.
    """

    answer: SpanAnswer
    first: str
    last: str
    after: str | None = None
    until: str | None = None
    switched: tuple[str, ...] = ()


class Stated(Strict, frozen=True, kw_only=True):
    """In which releases something holds. `untried`: releases that have the profile, but no answer."""

    backend: Backend
    host_class: str
    profile: str
    evidence: Evidence
    approach: str
    spans: list[Span]
    untried: list[str] = []

    def between(self, after: str, before: str) -> list[str]:
        """Return the untried releases that lie strictly between two releases."""
        low, high = Version(after), Version(before)
        return [release for release in self.untried if low < Version(release) < high]


class Statement(Stated, frozen=True, kw_only=True):
    """In which releases a need is met. `doubtful`: releases where the control fails too, so that the groups need not be
    at fault.
    """

    need: Need
    doubtful: list[str] = []


class CaseStatement(Stated, frozen=True, kw_only=True):
    """In which releases cells pass, or for the check `fusion` have their epilogue fused. All cells with the same spans
    share a statement; they are named `mode/check/case`. The answer `some` means that a part of the epilogue is fused.
    """

    cells: list[str]


class Statements(Strict, frozen=True, kw_only=True, tag_field="format", tag="statements/1"):
    """Statements in the order of the table, changes oldest release first."""

    statements: list[Statement]
    cases: list[CaseStatement]
    changes: list[Change]
    processors: list[ProcessorStatement] = []
    ladders: list[Ladder] = []


def build(catalog: Catalog, judgements: Iterable[Judgement], made: Sequence[Record] = ()) -> Statements:
    """State what was observed. The judgement of a run without observations adds nothing.

    `made`: the records in which processors are compared, and the rungs of a ladder.
    """
    lines: dict[Line, list[Judgement]] = defaultdict(list)
    for judgement in sorted(judgements, key=lambda judgement: Version(judgement.run.header.release)):
        header, evidence = judgement.run.header, judgement.evidence
        if evidence:
            line = (header.backend, header.host.host_class, header.profile, evidence, judgement.approach)
            lines[line].append(judgement)
    profiles = {profile.name: number for number, profile in enumerate(catalog.profiles)}
    approaches = list(APPROACHES)

    def place(line: Line) -> tuple[int, bool, str, int, str, int]:
        """Emulated host classes come last."""
        backend, name, profile, evidence, approach = line
        number = profiles.get(profile, len(profiles))
        return (BACKENDS.index(backend), is_emulated(name), name, number, evidence, approaches.index(approach))

    statements, cases = list[Statement](), list[CaseStatement]()
    # Several profiles can rest on the same two runs, as `default` does where it comes to another profile: they share a
    # change.
    changed: dict[Change, list[str]] = defaultdict(list)
    for line in sorted(lines, key=place):
        backend, _, name, _, _ = line
        profile = next((profile for profile in catalog.profiles if profile.name == name), None)
        askable = [
            release.version
            for release in catalog.releases
            if profile and backend in release.wheels and profile.holds_for(release.version, backend)
        ]
        statements += _of_needs(line, lines[line], askable)
        cases += _of_cells(line, lines[line], askable)
        for change in changes(lines[line]):
            changed[change].append(name)
    merged = [msgspec.structs.replace(change, profiles=tuple(names)) for change, names in changed.items()]
    return Statements(
        statements=statements,
        cases=cases,
        changes=sorted(merged, key=lambda change: Version(change.release)),
        processors=processors.statements(made),
        ladders=ladder.ladders(made),
    )


def spans(answers: Answers) -> list[Span]:
    found = list[Span]()
    for answer, group in groupby(answers, lambda pair: pair[1]):
        releases = [release for release, _ in group]
        before = found[-1] if found else None
        if before:
            found[-1] = msgspec.structs.replace(before, until=releases[0])
        found.append(Span(answer=answer, first=releases[0], last=releases[-1], after=before.last if before else None))
    return found


def encode(statements: Statements) -> bytes:
    return files.encode(statements)


def decode(data: bytes) -> Statements:
    """Raise msgspec.ValidationError where the data are not statements/1."""
    return _decoder.decode(data)


def _of_needs(line: Line, judgements: Sequence[Judgement], askable: Sequence[str]) -> Iterator[Statement]:
    for need in NEEDS:
        answers, doubtful = list[tuple[str, SpanAnswer]](), list[str]()
        for judgement in judgements:
            if answer := need_answer(judgement, need):
                answers.append((judgement.run.header.release, answer))
                if judgement.doubtful:
                    doubtful.append(judgement.run.header.release)
        if answers:
            yield Statement(**_stated(line, judgements, answers, askable), need=need, doubtful=doubtful)


def _of_cells(line: Line, judgements: Sequence[Judgement], askable: Sequence[str]) -> Iterator[CaseStatement]:
    judged = {cell for need in NEEDS for cell in need_cells(line[-1], need)}
    alike: dict[tuple[tuple[str, SpanAnswer], ...], list[str]] = defaultdict(list)
    for cell in dict.fromkeys(cell for one in judgements for cell in one.cells if cell not in judged):
        answers = [(one.run.header.release, answer) for one in judgements if (answer := cell_answer(one, cell))]
        if answers:
            alike[tuple(answers)].append("/".join(cell[1:]))
    for same, cells in alike.items():
        yield CaseStatement(**_stated(line, judgements, same, askable), cells=cells)


def _stated(line: Line, judgements: Sequence[Judgement], answers: Answers, askable: Sequence[str]) -> dict[str, Any]:
    """Return the fields of Stated."""
    used = {one.run.header.release: one.run.judged_by for one in judgements}
    told = [
        msgspec.structs.replace(span, switched=switched(used[span.after], used[span.first])) if span.after else span
        for span in spans(answers)
    ]
    tried = {release for release, _ in answers}
    own = dict(zip(("backend", "host_class", "profile", "evidence", "approach"), line, strict=True))
    return {**own, "spans": told, "untried": [release for release in askable if release not in tried]}


_decoder = msgspec.json.Decoder(Statements)
