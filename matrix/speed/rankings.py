"""Say where one approach is the fastest for all, and where that depends on the layer, the processor or the threads.

No mean over layers decides an order: at each point the fastest approach counts together with those that are as fast by
measurement, or cannot be told apart from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from matrix.base.grouping import grouped
from matrix.record.speed_records import Direction, PointKey, SpeedRun
from matrix.speed.comparisons import Place, best, shown


@dataclass(frozen=True, kw_only=True)
class Leaders:
    """The fastest approaches at a point, by the name of each place where it was timed."""

    point: PointKey
    by_place: dict[str, tuple[str, ...]]

    @property
    def everywhere(self) -> tuple[str, ...]:
        """Return the approaches that are among the fastest at all places."""
        first, *others = self.by_place.values()
        return tuple(name for name in first if all(name in other for other in others))


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Names what is fastest with a release, a profile and a direction: over all layers of the default depth, on all of
    the `places`.

    `leading`: each approach with the points at which it is among the fastest at all places, the most first;
    `differing`: the points at which no approach is.
    """

    release: str
    profile: str
    direction: Direction
    places: tuple[str, ...]
    points: int
    leading: tuple[tuple[str, tuple[PointKey, ...]], ...]
    differing: tuple[Leaders, ...]


def rankings(places: Iterable[Place]) -> list[Ranking]:
    """Return a ranking for each release, profile and direction that was timed; the newest release comes first."""
    timed = [(place, run) for place in places for run in place.runs]
    together = grouped(timed, lambda one: (one[1].release, one[1].profile or ""))
    found = []
    for (release, profile), runs in sorted(together.items(), key=lambda one: (Version(one[0][0]), one[0][1]))[::-1]:
        leaders = _leaders(runs)
        for direction in ("forward", "train"):
            alike = [one for one in leaders if one.point.direction == direction]
            pairs = [(name, one.point) for one in alike for name in one.everywhere]
            leading = grouped(pairs, lambda pair: pair[0])
            by_points = sorted(leading.items(), key=lambda one: (-len(one[1]), one[0]))
            found.append(
                Ranking(
                    release=release,
                    profile=profile,
                    direction=direction,
                    places=tuple(dict.fromkeys(place.name for place, _ in runs)),
                    points=len(alike),
                    leading=tuple((name, tuple(point for _, point in pairs)) for name, pairs in by_points),
                    differing=tuple(one for one in alike if not one.everywhere),
                )
            )
    return [one for one in found if one.points]


def _leaders(runs: Sequence[tuple[Place, SpeedRun]]) -> list[Leaders]:
    """Return the fastest approaches at each point that was timed at all places."""
    found: dict[PointKey, dict[str, tuple[str, ...]]] = {}
    for place, run in runs:
        for point in shown(run):
            if fastest := best(run, point):
                found.setdefault(point.key, {})[place.name] = fastest.names
    count = len({place.name for place, _ in runs})
    return [Leaders(point=key, by_place=by_place) for key, by_place in found.items() if len(by_place) == count]
