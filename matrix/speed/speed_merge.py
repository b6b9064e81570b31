"""Puts the speed files of many machines together: of each run the newest, unless one of the same inputs is deeper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from matrix.base.errors import BadRecord
from matrix.base.files import write_whole
from matrix.record import speed_records
from matrix.record.speed_records import Depth, SpeedRun
from matrix.run.merge import shards_in

DEPTHS: tuple[Depth, ...] = get_args(Depth)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """`found` in all; `better` than what is published, or new; `faults`: why a file was left out."""

    found: int
    better: tuple[SpeedRun, ...]
    faults: tuple[BadRecord, ...]


def choose(folders: Iterable[Path], reports: Path) -> Chosen:
    """Write nothing. Raise BadRecord where two files of a run began in the same second and say different things."""
    read = [speed_records.readable(shard) for folder in folders for shard in shards_in(folder)]
    found = [made for some, _ in read for made in some]
    best = {speed_records.place(made): made for made in speed_records.readable(reports)[0]}
    standing = dict(best)
    for made in sorted(found, key=lambda made: made.started):
        place = speed_records.place(made)
        best[place] = _better(made, best.get(place))
    better = tuple(made for place, made in best.items() if made != standing.get(place))
    return Chosen(found=len(found), better=better, faults=tuple(fault for _, faults in read for fault in faults))


def write(better: Sequence[SpeedRun], reports: Path) -> None:
    for made in better:
        write_whole(speed_records.path(reports, *speed_records.place(made)), speed_records.encode(made))


def _better(made: SpeedRun, other: SpeedRun | None) -> SpeedRun:
    if other is None or made == other:
        return made
    if made.started == other.started:
        told = f"{made.run} on {made.host.host_class} was timed twice at {made.started}, with different results"
        raise BadRecord(told, "keep one of the two files, remove the other")
    if made.started < other.started or _says_less(made, other):
        return other
    return made


def _says_less(made: SpeedRun, other: SpeedRun) -> bool:
    same = (made.recipe_sha256, made.speed_sha256) == (other.recipe_sha256, other.speed_sha256)
    return same and DEPTHS.index(made.depth) < DEPTHS.index(other.depth)
