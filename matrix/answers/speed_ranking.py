"""How fast the ways were on a release, as one number each by which they can be put in order."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from matrix.record.speed_records import Direction, Point, PointKey, SpeedRun

DTYPE = "f32"  # the only one that is timed


def scores(
    runs: Iterable[SpeedRun], direction: Direction, ways: Sequence[str], modes: Collection[str]
) -> dict[tuple[str, str], float]:
    """By profile and way: which share of what the core can do it reached, the geometric mean over those layers in these
    modes on which all were timed. The runs are of one release on one host class. Empty where there is no such layer.

    The share is measured within each process, so that two runs compare although the machine has changed its pace.
    """
    reached = {
        (run.profile or "", way): found
        for run in runs
        for way in ways
        if (found := _reached(run.points, direction, way, modes))
    }
    common = set.intersection(*map(set, reached.values())) if reached else set()
    if not common:
        return {}
    return {
        key: math.exp(math.fsum(math.log(found[one]) for one in common) / len(common)) for key, found in reached.items()
    }


def _reached(points: Iterable[Point], direction: Direction, way: str, modes: Collection[str]) -> dict[PointKey, float]:
    return {
        point.key: variant.floor_fraction
        for point in points
        if (point.dtype, point.direction) == (DTYPE, direction) and point.mode in modes
        if (variant := point.variant(way)) and variant.floor_fraction
    }
