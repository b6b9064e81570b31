"""Merge the speed files of many machines: the newest of each run is kept, unless one of the same inputs is deeper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matrix.base.errors import BadRecord
from matrix.record import candidates
from matrix.record.candidates import Candidate
from matrix.record.speed_records import SPEED, SpeedRun
from matrix.speed.comparisons import DEPTHS


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """`found` counts the files; `better` are those that are new or better; `faults` say why a file was left out."""

    found: int
    better: tuple[Candidate[SpeedRun], ...]
    faults: tuple[BadRecord, ...]


def choose(folders: Iterable[Path], reports: Path) -> Chosen:
    """Write nothing."""
    shards = [shard for folder in folders for shard in candidates.shards_in(folder)]
    found, faults = candidates.read([file for shard in shards for file in SPEED.files(shard)], SPEED)
    better, ties = candidates.choose(found, reports, SPEED, _worth)
    return Chosen(found=len(found), better=tuple(better), faults=(*faults, *ties))


def write(chosen: Chosen, reports: Path) -> None:
    candidates.write(chosen.better, reports, SPEED)


def _worth(made: SpeedRun, rivals: Sequence[SpeedRun]) -> tuple[bool, int, str]:
    newest = max(rivals, key=lambda rival: rival.started)
    comparable = (made.recipe_sha256, made.speed_sha256) == (newest.recipe_sha256, newest.speed_sha256)
    return comparable, DEPTHS.index(made.depth), made.started
