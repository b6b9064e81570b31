"""What a judgement answers, need by need and cell by cell, in the words that releases are compared by."""

from __future__ import annotations

from typing import Literal

from matrix.judge.verdicts import FAILED, Judgement, Need, Word, core_case, core_cells
from matrix.record.records import CellId, Epilogue, Outcome

# `some`: part of the core, as with one epilogue but not another; `absent`: the release has no API to fail
Answer = Literal["yes", "some", "no", "absent"]

CAME_OUT: dict[Outcome, Answer] = {"pass": "yes", "absent": "absent", **dict.fromkeys(FAILED, "no")}
INSIDE: dict[Epilogue, Answer] = {"fused": "yes", "partly": "some", "separate": "no"}
# for a device that was not there only fusion can be planned
PLANNED: dict[Word, Answer] = {"plans-fused": "yes", "plans-separate": "no", "refused": "no", "absent": "absent"}


def answer_of(judgement: Judgement, need: Need) -> Answer | None:
    """None where it is not known, or the approach has no mode that the need asks for."""
    if judgement.evidence != "executed":
        return PLANNED.get(judgement.word) if need == "fused" else None
    said = judgement.needs[need]
    cells = need_cells(judgement.approach, need)
    if said == "unknown" or not cells:
        return None
    outcomes = {judgement.cells[cell].outcome for cell in cells if cell in judgement.cells}
    return "absent" if outcomes == {"absent"} else said


def answer_of_cell(judgement: Judgement, cell: CellId) -> Answer | None:
    """None where it was not observed, or has no epilogue that could be inside. Fused into what fails is not."""
    seen = judgement.cells.get(cell)
    if seen is None or (seen.check == "fusion" and seen.case.split("/")[1] == "none"):
        return None
    forward = (seen.approach, seen.mode, "forward", seen.case)
    ran = judgement.cells.get(forward, seen) if seen.check == "fusion" else seen
    if ran.outcome == "pass" and seen.check == "fusion":
        return INSIDE.get(seen.fusion.epilogue) if seen.fusion else None
    return CAME_OUT.get(ran.outcome)


def need_cells(approach: str, need: Need) -> tuple[CellId, ...]:
    """The cells that the answer for a need rests on."""
    if need != "fused":
        return core_cells(approach, need)
    case = core_case(approach)
    return ((approach, "graph", "forward", case), (approach, "graph", "fusion", case))
