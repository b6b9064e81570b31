"""What neighbouring releases do differently: like compared with like, each change with the cells that decide it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from matrix.base.ids import Backend, EngineName
from matrix.base.structs import Strict
from matrix.judge.needs import answer_of, need_cells
from matrix.judge.verdicts import NEEDS, WORST, Cells, Judgement, Need, core_case
from matrix.record.records import CellId, Evidence, Observation

What = Literal["need", "verdict", "outcome", "error", "fusion"]


class Change(Strict, frozen=True, kw_only=True):
    """What is otherwise in `release` than in `before`, its nearest observed neighbour, under these profiles.

    `was` and `now` are answers (`need`), words (`verdict`), texts (`error`) or, for what no need's change tells,
    outcomes (`outcome`) and where the epilogue ran (`fusion`). `runs`: of `before` and of `release`; `deciding`: a cell
    in each of them that observed it, as `run/approach/mode/check/case`; `count`: how many cells changed so.
    `suites_differ`: of the two runs.
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
    runs: tuple[str, str]
    deciding: tuple[str, ...]
    need: Need | None = None
    profiles: tuple[str, ...] = ()
    suites_differ: bool = False


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
        chosen = min(cells, key=lambda cell: cell[3] != core_case(approach))
        both = (self.before, self.after)
        runs = [one.witness.answers for one in both]
        return Change(
            release=self.after.witness.asked.release,
            before=self.before.witness.asked.release,
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
            runs=(runs[0].run, runs[1].run),
            deciding=tuple("/".join((one.witness.answers.run, *chosen)) for one in both if chosen in one.cells),
            suites_differ=runs[0].suite_sha256 != runs[1].suite_sha256,
        )


def changes(judgements: Iterable[Judgement]) -> Iterator[Change]:
    """Of an approach's judgements, oldest release first and alike in all but the engine. Each engine is compared with
    itself: what differs between two is no change of TensorFlow.
    """
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
    """A word that outranks the rest rests on its own cell, any other on those of the needs."""
    for before, after in pairwise(one for one in line if one.word != "unknown"):
        if before.word != after.word:
            pair = Pair(before=before, after=after)
            worst = [one for one in (before, after) if one.word in WORST]
            cells = [_cell(text) for one in worst for text in one.deciding] or _judged(before.approach)
            yield pair.change("verdict", before.word, after.word, pair.differing(dict.fromkeys(cells)))


def _judged(approach: str) -> list[CellId]:
    return [cell for need in NEEDS for cell in need_cells(approach, need)]


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


def _said(observation: Observation | None) -> str:
    if observation is None:
        return "unobserved"
    return observation.fusion.epilogue if observation.fusion else observation.outcome


def _text(observation: Observation | None) -> str:
    return f"{observation.error.type}: {observation.error.message}" if observation and observation.error else ""


def _cell(deciding: str) -> CellId:
    _, approach, mode, check, case = deciding.split("/", 4)
    return (approach, mode, check, case)
