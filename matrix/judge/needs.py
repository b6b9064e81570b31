"""Answer for each need and each cell of a judgement, in the words that statements compare releases by."""

from __future__ import annotations

from typing import Literal

from matrix.judge.verdicts import FAILED, IS_FUSED, Judgement, Need, VerdictWord, core_case, core_cells
from matrix.record.records import CellId, Outcome

# `some`: part of the core, as with one epilogue but not another; `absent`: the release has no API that could fail.
SpanAnswer = Literal["yes", "some", "no", "absent"]

BY_OUTCOME: dict[Outcome, SpanAnswer] = {"pass": "yes", "absent": "absent", **dict.fromkeys(FAILED, "no")}
# For a device that was not there only fusion can be planned.
PLANNED: dict[VerdictWord, SpanAnswer] = {
    "plans-fused": "yes", "plans-separate": "no", "refused": "no", "absent": "absent",
}  # fmt: skip


def need_answer(judgement: Judgement, need: Need) -> SpanAnswer | None:
    """Return None where the answer is not known, or the approach has no mode that the need asks for."""
    if judgement.evidence != "executed":
        return PLANNED.get(judgement.word) if need == "fused" else None
    answer = judgement.needs[need]
    cells = need_cells(judgement.approach, need)
    if answer == "unknown" or not cells:
        return None
    outcomes = {judgement.cells[cell].outcome for cell in cells if cell in judgement.cells}
    return "absent" if outcomes == {"absent"} else answer


def cell_answer(judgement: Judgement, cell: CellId) -> SpanAnswer | None:
    """Return None where the cell was not observed, or has no epilogue that could be fused. What is fused into a kernel
    that fails is not fused.
    """
    seen = judgement.cells.get(cell)
    if seen is None or seen.check != "fusion":
        return BY_OUTCOME.get(seen.outcome) if seen else None
    if seen.case.split("/")[1] == "none":
        return None
    outcome = judgement.cells.get((seen.approach, seen.mode, "forward", seen.case), seen).outcome
    if outcome != "pass":
        return BY_OUTCOME.get(outcome)
    return IS_FUSED[seen.fusion.epilogue] if seen.fusion and seen.fusion.epilogue != "none" else None


def need_cells(approach: str, need: Need) -> tuple[CellId, ...]:
    """Return the cells that the answer for a need rests on."""
    if need != "fused":
        return core_cells(approach, need)
    case = core_case(approach)
    return ((approach, "graph", "forward", case), (approach, "graph", "fusion", case))
