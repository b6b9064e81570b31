"""How fast approaches are on a layer that nobody timed: as on the nearest layer that was.

The distance between two layers adds up by how many doublings they differ: in groups, channels of a group, kernel, size
of the image, and batch. From 32 to 16 groups is 1, from a 3x3 to a 7x7 kernel is 1.2.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from matrix.record.speed_records import Direction, PointKey, SpeedRun
from matrix.suite.catalog import Case
from matrix.suite.speed import layers

DTYPE = "f32"  # half precision is timed at a depth of its own


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The seconds of a call. `effort`: the time as a multiple of the least that the core could take for the layer,
    measured in the same process, so that two runs compare although the machine has changed its pace.
    """

    seconds: float
    effort: float


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """The point nearest to a layer, and how fast each approach was there, by profile and approach."""

    point: PointKey
    distance: float
    timings: dict[tuple[str, str], Timing]

    def times(self, one: tuple[str, str], other: tuple[str, str]) -> float | None:
        """Return how many times as long the one takes as the other; None where one of them was not timed."""
        both = [self.timings.get(key) for key in (one, other)]
        return both[0].effort / both[1].effort if both[0] and both[1] else None


def doublings(*pairs: tuple[float, float]) -> float:
    """Return by how many doublings the numbers of all pairs differ together."""
    return sum(abs(math.log2(ours / theirs)) for ours, theirs in pairs)


def distance(layer: Case, timed: layers.Layer, batch: int) -> float:
    return doublings(
        (layer.groups, timed.groups),
        (layer.cin / layer.groups, timed.cin / timed.groups),
        (layer.kernel[0], timed.kernel),
        (layer.h, timed.size),
        (layer.n, batch),
    )


def nearest(
    runs: Iterable[SpeedRun], layer: Case, direction: Direction, modes: Sequence[str], approaches: Collection[str]
) -> Nearest | None:
    """Return the nearest point at which most of the runs timed two of the approaches or more. `runs` are of one release
    and host class; of points that are equally near, the first mode counts.
    """
    found: dict[PointKey, dict[tuple[str, str], Timing]] = {}
    runs_at: dict[PointKey, int] = {}
    for run in runs:
        for point in run.points:
            if (point.dtype, point.direction) != (DTYPE, direction) or point.mode not in modes:
                continue
            timings = {}
            for name in approaches:
                variant = point.variant(name)
                if variant and variant.median and variant.floor_fraction:
                    timed = Timing(seconds=variant.median, effort=1 / variant.floor_fraction)
                    timings[run.profile or "", name] = timed
            if point.layer in layers.LAYERS and len(timings) > 1:
                found.setdefault(point.key, {}).update(timings)
                runs_at[point.key] = runs_at.get(point.key, 0) + 1

    def order(key: PointKey) -> tuple[float, ...]:
        return (-runs_at[key], distance(layer, layers.LAYERS[key.layer], key.batch), modes.index(key.mode))

    if not found:
        return None
    key = min(found, key=order)
    return Nearest(point=key, distance=order(key)[1], timings=found[key])
