"""Compares what a GPU build planned without a device with what the same build did on a device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matrix.record import records
from matrix.record.records import CellId, Fusion, Record


@dataclass(frozen=True, kw_only=True)
class ExecutedPlan:
    """Two records of one run. `cells` counts the cells that were both planned and executed.

    `differing`: the cells whose epilogue ran elsewhere than planned, each with the planned and the executed fusion.
    """

    planned: Record
    executed: Record
    cells: int
    differing: tuple[tuple[CellId, Fusion, Fusion], ...]

    @property
    def paths(self) -> list[str]:
        """The files of both records, below reports/."""
        headers = (self.planned.header, self.executed.header)
        return [records.path(Path(), one.host.host_class, one.engine, one.run).as_posix() for one in headers]


def executed_plans(made: Sequence[Record]) -> Iterator[ExecutedPlan]:
    """Pair every plan with every execution of the same run, on whatever host class."""
    plans = [record for record in made if record.header.how == "planned"]
    for execution in made:
        if execution.header.how != "on_gpu" or not execution.observations:
            continue
        done = {one.cell: one.fusion for one in execution.observations if one.fusion}
        for plan in plans:
            if plan.header.run == execution.header.run and plan.observations:
                both = [
                    (one.cell, one.fusion, done[one.cell])
                    for one in plan.observations
                    if one.fusion and one.cell in done
                ]
                differing = tuple(pair for pair in both if pair[1].epilogue != pair[2].epilogue)
                yield ExecutedPlan(planned=plan, executed=execution, cells=len(both), differing=differing)
