"""Plans that were executed: what a GPU build planned without a device, beside what the same build did on one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matrix.record import records
from matrix.record.records import CellId, Fusion, Record


@dataclass(frozen=True, kw_only=True)
class Executed:
    """A pair of records of one run. `cells`: how many were both planned and executed; `others`: those that the device
    did otherwise, with both fusions.
    """

    planned: Record
    executed: Record
    cells: int
    others: tuple[tuple[CellId, Fusion, Fusion], ...]

    @property
    def paths(self) -> tuple[str, str]:
        return _path(self.planned), _path(self.executed)


def executed(made: Sequence[Record]) -> Iterator[Executed]:
    """Every plan of a run beside every execution of it, whatever the host class."""
    planned = [record for record in made if record.header.how == "planned" and record.observations]
    for record in made:
        if record.header.how == "on_gpu" and record.observations:
            yield from (_beside(plan, record) for plan in planned if plan.header.run == record.header.run)


def _beside(plan: Record, execution: Record) -> Executed:
    theirs = _fusions(execution.observations)
    both = [(cell, fusion, theirs[cell]) for cell, fusion in _fusions(plan.observations).items() if cell in theirs]
    others = tuple(one for one in both if one[1].epilogue != one[2].epilogue)
    return Executed(planned=plan, executed=execution, cells=len(both), others=others)


def _fusions(observations: Iterable[records.Observation]) -> dict[CellId, Fusion]:
    return {one.cell: one.fusion for one in observations if one.fusion}


def _path(record: Record) -> str:
    header = record.header
    return records.path(Path(), header.host.host_class, header.engine, header.run).as_posix()
