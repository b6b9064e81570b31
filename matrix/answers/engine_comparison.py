"""The same runs by both engines, side by side: what a container changes, which should be nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from matrix.record.records import CellId, EngineName, Observation, Record


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A cell whose outcome differs between the engines; None where an engine did not observe it."""

    run: str
    host_class: str
    cell: CellId
    docker: Observation | None
    venv: Observation | None

    def __str__(self) -> str:
        told = [_in_words(one) for one in (self.docker, self.venv)]
        return f"{self.run} on {self.host_class}: {'/'.join(self.cell)}: docker {told[0]}, venv {told[1]}"


def pairs(records: Iterable[Record]) -> list[tuple[Record, Record]]:
    """(docker, venv) records of the same run, host class and suite that were observed: only like with like."""
    made: dict[tuple[object, ...], dict[EngineName, Record]] = {}
    for record in records:
        header = record.header
        if not record.observations:
            continue
        key = (header.host.host_class, header.run, header.suite_sha256, header.lock_sha256)
        made.setdefault(key, {})[header.engine] = record
    return [(both["docker"], both["venv"]) for both in made.values() if len(both) == 2]


def differences(docker: Record, venv: Record) -> Iterator[Difference]:
    ours, theirs = ({one.cell: one for one in record.observations} for record in (docker, venv))
    for cell in [*ours, *(cell for cell in theirs if cell not in ours)]:
        one, other = ours.get(cell), theirs.get(cell)
        if one is None or other is None or one.outcome != other.outcome:
            header = docker.header
            yield Difference(run=header.run, host_class=header.host.host_class, cell=cell, docker=one, venv=other)


def _in_words(observation: Observation | None) -> str:
    if observation is None:
        return "not observed"
    why = observation.error.message if observation.error else observation.reason
    return f"{observation.outcome} ({why})" if why else observation.outcome
