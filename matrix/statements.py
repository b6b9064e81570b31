"""Support statements, and what changed from release to release: statements.json (`statements/1`).

`build(catalog, judgements)` answers one `Statements`, which JSON, Markdown and the pages all show; `decode` reads the
published file. Nothing here knows an approach or a release by name.

- A `Statement` says of one need (backend, profile, host class, approach, evidence), as `Span`s, oldest first, in which
  releases it is met. Only what was observed makes a span; `untried` lists the catalog's releases that were not.
- A `Change` says what two neighbours, as recorded, do differently: same backend, profile, host class, engine, evidence
  and approach. It names the deciding cells in both runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal

import msgspec
from packaging.version import Version

from matrix import files
from matrix.catalog import Catalog
from matrix.cells import suite
from matrix.ids import BACKENDS, Backend
from matrix.records import CellId, EngineName, Evidence, Observation
from matrix.verdicts import NEEDS, WORST, Cells, Judgement, Need, Word, core_case, core_cells

# `some`: part of the core, as with one epilogue but not another; `absent`: the release has no API to fail
Answer = Literal["yes", "some", "no", "absent"]
What = Literal["need", "verdict", "outcome", "error", "fusion"]
Series = tuple[Backend, str, str, Evidence, str]

# For a device that was not there only fusion can be planned.
PLANNED: dict[Word, Answer] = {"plans-fused": "yes", "plans-separate": "no", "refused": "no", "absent": "absent"}


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Unknown keys are refused; keys without a value are left out."""


class Span(_Strict, frozen=True, kw_only=True):
    """Releases that give the same answer, none observed between `first` and `last` giving another.

    It began in (`after`, `first`] and ended in (`last`, `until`]: the nearest releases that answer otherwise. Without
    `after` no older release was observed, without `until` no newer one.
    """

    answer: Answer
    first: str
    last: str
    after: str | None = None
    until: str | None = None


class Statement(_Strict, frozen=True, kw_only=True):
    """Since when a need is met. `untried`: releases that could be asked and have no answer; they count neither way.

    `doubtful`: releases in which the control, without groups, fails too, so that groups need not be at fault.
    """

    backend: Backend
    host_class: str
    profile: str
    evidence: Evidence
    approach: str
    need: Need
    spans: list[Span]
    untried: list[str] = []
    doubtful: list[str] = []

    def between(self, after: str, before: str) -> list[str]:
        """The untried releases that lie strictly between two others."""
        low, high = Version(after), Version(before)
        return [release for release in self.untried if low < Version(release) < high]


class Change(_Strict, frozen=True, kw_only=True):
    """What is otherwise in `release` than in `before`, its nearest observed neighbour, under these profiles.

    `was` and `now` are answers (`need`), words (`verdict`), texts (`error`) or, for what no need's change tells,
    outcomes (`outcome`) and where the epilogue ran (`fusion`). `deciding`: one cell in both runs, as
    `run/approach/mode/check/case`; `count`: how many cells changed so. `suites_differ`: of the two runs.
    """

    release: str
    before: str
    backend: Backend
    host_class: str
    engine: EngineName
    evidence: Evidence
    approach: str
    what: What
    was: str
    now: str
    count: int
    deciding: tuple[str, ...]
    need: Need | None = None
    profiles: tuple[str, ...] = ()
    suites_differ: bool = False


class Statements(_Strict, frozen=True, kw_only=True, tag_field="format", tag="statements/1"):
    """Statements in the order of the table, changes oldest release first."""

    statements: list[Statement]
    changes: list[Change]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two neighbours of a line: like with like."""

    before: Judgement
    after: Judgement

    def differing(self, cells: Iterable[CellId]) -> list[CellId]:
        """Those with another outcome, or with the epilogue elsewhere."""
        return [cell for cell in cells if _said(self.before.cells.get(cell)) != _said(self.after.cells.get(cell))]

    def change(self, what: What, was: str, now: str, cells: Sequence[CellId], need: Need | None = None) -> Change:
        """Named is the first of the cells, or that of the usual case."""
        approach, asked, evidence = self.before.approach, self.before.witness.asked, self.before.evidence
        assert evidence, "only what was observed makes a line"
        chosen = sorted(cells, key=lambda cell: cell[3] != core_case(approach))[:1]
        runs = [one.witness.answers for one in (self.before, self.after)]
        return Change(
            release=_release(self.after),
            before=_release(self.before),
            backend=asked.backend,
            host_class=asked.host.host_class,
            engine=runs[0].engine,
            evidence=evidence,
            approach=approach,
            what=what,
            need=need,
            was=was,
            now=now,
            count=len(cells),
            deciding=tuple("/".join((run.run, *cell)) for cell in chosen for run in runs),
            suites_differ=runs[0].suite_sha256 != runs[1].suite_sha256,
        )


def build(catalog: Catalog, judgements: Iterable[Judgement]) -> Statements:
    """From what was observed; judgements of runs without an observation make nothing known."""
    observed = sorted((one for one in judgements if one.evidence), key=lambda one: Version(_release(one)))
    series = _series(observed, catalog)
    return Statements(
        statements=[one for key, group in series.items() for one in _statements(key, group, catalog)],
        changes=_merged((key[2], change) for key, group in series.items() for change in _changes(group)),
    )


def spans(answers: Iterable[tuple[str, Answer]]) -> list[Span]:
    """Of releases, oldest first, and their answers."""
    groups = [(answer, [release for release, _ in group]) for answer, group in groupby(answers, lambda one: one[1])]
    firsts = [*(releases[0] for _, releases in groups), None]
    lasts = [None, *(releases[-1] for _, releases in groups)]
    return [
        Span(answer=answer, first=releases[0], last=releases[-1], after=lasts[number], until=firsts[number + 1])
        for number, (answer, releases) in enumerate(groups)
    ]


def answer_of(judgement: Judgement, need: Need) -> Answer | None:
    """None where it is not known, or the approach has no mode that the need asks for."""
    if judgement.evidence != "executed":
        return PLANNED.get(judgement.word) if need == "fused" else None
    judged: Need = "infer-graph" if need == "fused" else need
    said = judgement.needs[need]
    if said == "unknown" or not core_cells(judgement.approach, judged):
        return None
    if judgement.needs[judged] == "no" and not judgement.failing.get(judged):
        return "absent"
    return said


def encode(statements: Statements) -> bytes:
    return files.encode(statements)


def decode(data: bytes) -> Statements:
    """Raise msgspec.ValidationError where the data are not statements/1."""
    return _decoder.decode(data)


def _series(judgements: Iterable[Judgement], catalog: Catalog) -> dict[Series, list[Judgement]]:
    """What may be put in a line, each in the judgements' order; the lines in the order of the table."""
    found: dict[Series, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        asked, evidence = judgement.witness.asked, judgement.evidence
        assert evidence, "only what was observed makes a line"
        key = (asked.backend, asked.host.host_class, asked.profile, evidence, judgement.approach)
        found[key].append(judgement)
    profiles = {profile.name: number for number, profile in enumerate(catalog.profiles)}
    approaches = {name: number for number, name in enumerate(suite.APPROACHES)}

    def place(key: Series) -> tuple[int, str, int, str, int]:
        backend, host_class, profile, evidence, approach = key
        number = profiles.get(profile, len(profiles))
        return (BACKENDS.index(backend), host_class, number, evidence, approaches[approach])

    return {key: found[key] for key in sorted(found, key=place)}


def _statements(key: Series, judgements: Sequence[Judgement], catalog: Catalog) -> Iterator[Statement]:
    backend, host_class, profile, evidence, approach = key
    for need in NEEDS:
        answers = [(_release(one), said) for one in judgements if (said := answer_of(one, need))]
        if answers:
            tried = {release for release, _ in answers}
            yield Statement(
                backend=backend,
                host_class=host_class,
                profile=profile,
                evidence=evidence,
                approach=approach,
                need=need,
                spans=spans(answers),
                untried=[release for release in _askable(catalog, backend, profile) if release not in tried],
                doubtful=[_release(one) for one in judgements if one.doubtful and _release(one) in tried],
            )


def _askable(catalog: Catalog, backend: Backend, profile: str) -> list[str]:
    """Releases that have the profile on the backend, oldest first; none where the catalog has the profile no more."""
    holding = [one for one in catalog.profiles if one.name == profile]
    return [
        release.version
        for release in catalog.releases
        if backend in release.wheels and any(one.holds_for(release.version, backend) for one in holding)
    ]


def _merged(changes: Iterable[tuple[str, Change]]) -> list[Change]:
    """One for all profiles that rest on the same two runs, as `default` does where it comes to another profile."""
    profiles: dict[Change, list[str]] = defaultdict(list)
    for profile, change in changes:
        profiles[change].append(profile)
    merged = [msgspec.structs.replace(change, profiles=tuple(names)) for change, names in profiles.items()]
    return sorted(merged, key=lambda change: Version(change.release))


def _changes(judgements: Iterable[Judgement]) -> Iterator[Change]:
    """Of each engine apart: what differs between two engines is no change of TensorFlow."""
    engines: dict[EngineName, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        engines[judgement.witness.answers.engine].append(judgement)
    for line in engines.values():
        for need in NEEDS:
            yield from _of_need(line, need)
        yield from _of_words(line)
        for before, after in pairwise(line):
            pair = Pair(before=before, after=after)
            yield from _beyond_needs(pair)
            yield from _of_errors(pair)


def _of_need(line: Iterable[Judgement], need: Need) -> Iterator[Change]:
    known = [(one, said) for one in line if (said := answer_of(one, need))]
    for (before, was), (after, now) in pairwise(known):
        if was != now:
            pair = Pair(before=before, after=after)
            yield pair.change("need", was, now, pair.differing(need_cells(before.approach, need)), need)


def _of_words(line: Iterable[Judgement]) -> Iterator[Change]:
    """A word that outranks the rest rests on its own cell, any other on those of all needs."""
    for before, after in pairwise(one for one in line if one.word != "unknown"):
        if before.word != after.word:
            pair = Pair(before=before, after=after)
            worst = [one for one in (before, after) if one.word in WORST]
            named = dict.fromkeys(_cell(text) for one in worst or (before, after) for text in one.deciding)
            yield pair.change("verdict", before.word, after.word, pair.differing(named))


def _beyond_needs(pair: Pair) -> Iterator[Change]:
    """Outcomes within the same answer and beyond the core, and where epilogues run."""
    before, after = pair.before, pair.after
    changed = [need for need in NEEDS if answer_of(before, need) != answer_of(after, need)]
    told = {cell for need in changed for cell in need_cells(before.approach, need)}
    alike: dict[tuple[What, str, str], list[CellId]] = defaultdict(list)
    for cell in pair.differing(cell for cell in before.cells if cell in after.cells and cell not in told):
        if what := _what(cell, before.cells, after.cells):
            alike[what, _said(before.cells[cell]), _said(after.cells[cell])].append(cell)
    for (what, was, now), cells in alike.items():
        yield pair.change(what, was, now, cells)


def _what(cell: CellId, before: Cells, after: Cells) -> What | None:
    """The outcome of a fusion says no more than that of its forward, where there is one: in a plan there is none."""
    approach, mode, check, case = cell
    if check == "fusion" and before[cell].fusion and after[cell].fusion:
        return "fusion"
    return None if check == "fusion" and (approach, mode, "forward", case) in before else "outcome"


def _of_errors(pair: Pair) -> Iterator[Change]:
    """Where both fail, but not in the same words."""
    alike: dict[tuple[str, str], list[CellId]] = defaultdict(list)
    for cell, observation in pair.before.cells.items():
        was, now = _text(observation), _text(pair.after.cells.get(cell))
        if was and now and was != now:
            alike[was, now].append(cell)
    for (was, now), cells in alike.items():
        yield pair.change("error", was, now, cells)


def need_cells(approach: str, need: Need) -> tuple[CellId, ...]:
    """The cells that the answer for a need rests on."""
    if need != "fused":
        return core_cells(approach, need)
    case = core_case(approach)
    return ((approach, "graph", "forward", case), (approach, "graph", "fusion", case))


def _said(observation: Observation | None) -> str:
    if observation is None:
        return "unobserved"
    return observation.fusion.epilogue if observation.fusion else observation.outcome


def _text(observation: Observation | None) -> str:
    return f"{observation.error.type}: {observation.error.message}" if observation and observation.error else ""


def _cell(deciding: str) -> CellId:
    _, approach, mode, check, case = deciding.split("/", 4)
    return (approach, mode, check, case)


def _release(judgement: Judgement) -> str:
    return judgement.witness.asked.release


_decoder = msgspec.json.Decoder(Statements)
