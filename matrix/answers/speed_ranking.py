"""How fast the approaches were on a release: one number for each, by which they can be put in order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from statistics import geometric_mean

from matrix.record.speed_records import Direction, PointKey, SpeedRun

DTYPE = "f32"  # the only one that is timed


def scores(
    runs: Iterable[SpeedRun], direction: Direction, approaches: Sequence[str], modes: Collection[str]
) -> dict[tuple[str, str], float]:
    """Return by profile and approach the share of what the core can do that was reached: the geometric mean over the
    layers in these modes on which all were timed. Empty without such a layer. `runs` are of one release and host class.

    The share is measured within each process, so that two runs compare although the machine has changed its pace.
    """
    reached: dict[tuple[str, str], dict[PointKey, float]] = {}
    for run in runs:
        points = [one for one in run.points if (one.dtype, one.direction) == (DTYPE, direction) and one.mode in modes]
        for approach in approaches:
            timed = [(point.key, point.variant(approach)) for point in points]
            shares = {key: variant.floor_fraction for key, variant in timed if variant and variant.floor_fraction}
            if shares:
                reached[run.profile or "", approach] = shares
    common = set.intersection(*map(set, reached.values())) if reached else set()
    if not common:
        return {}
    return {key: geometric_mean(shares[point] for point in common) for key, shares in reached.items()}
