"""Find what neighbouring releases do differently: like is compared with like, and each change names its cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from matrix.base.grouping import grouped
from matrix.base.ids import Backend, EngineName
from matrix.base.structs import Strict
from matrix.judge.needs import need_answer, need_cells
from matrix.judge.settings import switched
from matrix.judge.verdicts import NEEDS, WORST, Judgement, Need, core_case
from matrix.record.records import CellId, Evidence

What = Literal["need", "verdict", "outcome", "error", "fusion"]


class Change(Strict, frozen=True, kw_only=True):
    """What changed from `before` to `release`, its nearest observed neighbour, under these profiles.

    `was` and `now` are answers (`need`), words (`verdict`) or error texts (`error`). For cells that changed although no
    need did, they are outcomes (`outcome`) or where the epilogue ran (`fusion`). `count`: how many cells changed in
    this way. `runs`: the run of `before` and the run of `release`. `deciding`: one of the cells, in each run that
    observed it, as `run/approach/mode/check/case`. `suites_differ`: whether different suites made the two runs.
    `switched`: what is set otherwise in the run of `release`, as `default` turns oneDNN on: then the release need not
    have changed anything else.
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
    switched: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The judgements of two neighbouring releases that may be compared."""

    before: Judgement
    after: Judgement

    def differing(self, cells: Iterable[CellId]) -> list[CellId]:
        """Return the cells that have another outcome, or whose epilogue ran elsewhere."""
        return [cell for cell in cells if _seen(self.before, cell) != _seen(self.after, cell)]

    def change(self, what: What, was: str, now: str, cells: Sequence[CellId], need: Need | None = None) -> Change:
        """Make a change of these cells; it names the usual case, or else the first cell."""
        approach, header, evidence = self.before.approach, self.before.run.header, self.before.evidence
        assert evidence, "judgements without an observation are not compared"
        chosen = min(cells, key=lambda cell: cell[3] != core_case(approach))
        both = (self.before, self.after)
        used = [judgement.run.judged_by for judgement in both]
        return Change(
            release=self.after.run.header.release,
            before=header.release,
            backend=header.backend,
            host_class=header.host.host_class,
            engine=used[0].engine,
            evidence=evidence,
            approach=approach,
            what=what,
            need=need,
            was=was,
            now=now,
            count=len(cells),
            runs=(used[0].run, used[1].run),
            deciding=tuple("/".join((one.run.judged_by.run, *chosen)) for one in both if chosen in one.cells),
            suites_differ=used[0].suite_sha256 != used[1].suite_sha256,
            switched=switched(*used),
        )


def changes(judgements: Iterable[Judgement]) -> Iterator[Change]:
    """Compare the judgements of an approach, oldest release first and alike in all but the engine. Each engine is
    compared with itself: a difference between two engines is no change of TensorFlow.
    """
    for line in grouped(judgements, lambda judgement: judgement.run.judged_by.engine).values():
        for need in NEEDS:
            answered = [(judgement, answer) for judgement in line if (answer := need_answer(judgement, need))]
            for (before, was), (after, now) in pairwise(answered):
                if was != now:
                    pair = Pair(before=before, after=after)
                    yield pair.change("need", was, now, pair.differing(need_cells(before.approach, need)), need)
        for before, after in pairwise(judgement for judgement in line if judgement.word != "unknown"):
            if before.word != after.word:
                pair = Pair(before=before, after=after)
                # A word that outranks the rest rests on its own cell, any other word on the cells of the needs.
                worst = [cell for one in (before, after) if one.word in WORST for cell in one.deciding_cells]
                cells = worst or [cell for need in NEEDS for cell in need_cells(before.approach, need)]
                yield pair.change("verdict", before.word, after.word, pair.differing(dict.fromkeys(cells)))
        for before, after in pairwise(line):
            yield from _beyond_answers(Pair(before=before, after=after))


def _beyond_answers(pair: Pair) -> Iterator[Change]:
    """Find cells that changed though no answer for a need did, and errors whose text changed."""
    before, after = pair.before, pair.after
    changed = [need for need in NEEDS if need_answer(before, need) != need_answer(after, need)]
    explained = {cell for need in changed for cell in need_cells(before.approach, need)}
    alike: dict[tuple[What, str, str], list[CellId]] = defaultdict(list)
    for cell in pair.differing(cell for cell in before.cells if cell in after.cells and cell not in explained):
        approach, mode, check, case = cell
        if check == "fusion" and before.cells[cell].fusion and after.cells[cell].fusion:
            alike["fusion", _seen(before, cell), _seen(after, cell)].append(cell)
        elif check != "fusion" or (approach, mode, "forward", case) not in before.cells:
            # A fusion cell that does not say where its epilogue ran adds nothing to its forward cell. Plans have none.
            alike["outcome", _seen(before, cell), _seen(after, cell)].append(cell)
    for cell, observation in before.cells.items():
        later = after.cells.get(cell)
        if observation.error and later and later.error and observation.error != later.error:
            was, now = (error.text for error in (observation.error, later.error))
            alike["error", was, now].append(cell)
    for (what, was, now), cells in alike.items():
        yield pair.change(what, was, now, cells)


def _seen(judgement: Judgement, cell: CellId) -> str:
    observation = judgement.cells.get(cell)
    if observation is None:
        return "unobserved"
    return observation.fusion.epilogue if observation.fusion else observation.outcome
