"""What the published times come to: the fastest approach at each point, traps, and changes from release to release."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from packaging.version import Version

from matrix.catalog.approaches import APPROACHES, SPLIT
from matrix.catalog.releases import Catalog
from matrix.record.speed_records import (
    Control,
    Depth,
    Direction,
    Interval,
    Point,
    PointKey,
    Ratio,
    SpeedRun,
    Variant,
    Word,
    word,
)  # fmt: skip
from matrix.suite.speed import layers

# What times are compared with: the convolution without groups, and the way that works everywhere.
DENSE = "dense"
# Of the default depth; peers have one mode each.
USUAL_MODE = "graph"
# Who takes this many times as long as by split-concat did not know it: that has to be said wherever speed is.
MANY_TIMES = 10
DEPTHS = get_args(Depth)


def shown(run: SpeedRun) -> list[Point]:
    """The points that tables show, in the suite's order: those of the default depth. The file has all."""
    order = {key: number for number, key in enumerate(_default_points())}
    found = [point for point in run.points if (run.peer or point.mode == USUAL_MODE) and _asked(point) in order]
    return sorted(found, key=lambda point: order[_asked(point)])


def _default_points() -> list[tuple[str, ...]]:
    return [_asked(point) for point in layers.points("default")]


def _asked(point: Any) -> tuple[str, ...]:
    """All that a point asks but for the mode: a peer has its own."""
    return tuple(str(getattr(point, name)) for name in PointKey.__struct_fields__ if name != "mode")


@dataclass(frozen=True, kw_only=True)
class Best:
    """The fastest way at a point of a run. `alike`: others that may be as fast, by measurement. `split`, `dense`: its
    time beside theirs.
    """

    run: SpeedRun
    point: Point
    variant: Variant
    alike: tuple[str, ...]
    split: Ratio | None
    dense: Ratio | None


def best(run: SpeedRun, point: Point) -> Best | None:
    """None where nothing works there."""
    variant = point.variant(point.fastest) if point.fastest else None
    if variant is None:
        return None
    ways = _ways()
    beside = (one for one in point.ratios if one.against == variant.variant and one.variant in ways)
    alike = tuple(one.variant for one in beside if one.word in {"same", "cannot tell"})
    split, dense = (point.ratio(variant.variant, against) for against in (SPLIT, DENSE))
    return Best(run=run, point=point, variant=variant, alike=alike, split=split, dense=dense)


def _ways() -> tuple[str, ...]:
    """What people can write."""
    return tuple(way for way in layers.APPROACHES if APPROACHES[way].program)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A point, and what is fastest there by run, the newest release first; peers stand last."""

    point: PointKey
    rows: tuple[Best, ...]


@dataclass(frozen=True, kw_only=True)
class Place:
    """All that was timed on a host class: TensorFlow's runs, then peers."""

    host_class: str
    cpus: tuple[str, ...]
    runs: tuple[SpeedRun, ...]
    peers: tuple[SpeedRun, ...]
    layers: tuple[Layer, ...]
    changes: tuple[Change, ...]

    @property
    def timed(self) -> tuple[SpeedRun, ...]:
        return (*self.runs, *self.peers)

    @property
    def traps(self) -> list[Trap]:
        return [trap for run in self.runs for trap in traps(run)]


def places(timed: Sequence[SpeedRun], catalog: Catalog) -> tuple[Place, ...]:
    by_class: dict[str, list[SpeedRun]] = defaultdict(list)
    for run in timed:
        by_class[run.host.host_class].append(run)
    return tuple(_place(host_class, runs, catalog) for host_class, runs in sorted(by_class.items()))


def _place(host_class: str, timed: Sequence[SpeedRun], catalog: Catalog) -> Place:
    profiles = [profile.name for profile in catalog.profiles]
    peers = sorted((run for run in timed if run.peer), key=lambda run: run.run)
    runs = sorted(
        (run for run in timed if not run.peer),
        key=lambda run: (Version(run.release), -_index(profiles, run.profile or "")),
        reverse=True,
    )
    return Place(
        host_class=host_class,
        cpus=tuple(dict.fromkeys(run.host.gpu or run.host.cpu for run in timed)),
        runs=tuple(runs),
        peers=tuple(peers),
        layers=tuple(_layers([*runs, *peers])),
        changes=tuple(changes(runs)),
    )


def _index(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _layers(runs: Sequence[SpeedRun]) -> Iterator[Layer]:
    found: dict[tuple[str, ...], list[Best]] = defaultdict(list)
    for run in runs:
        for point in shown(run):
            if told := best(run, point):
                found[_asked(point)].append(told)
    for key in _default_points():
        if key in found:
            yield Layer(point=found[key][0].point, rows=tuple(found[key]))


@dataclass(frozen=True, kw_only=True)
class Trap:
    """A way that works and is many times slower than split-concat at some points: how many, the least and the most."""

    run: SpeedRun
    approach: str
    direction: str
    modes: tuple[str, ...]
    least: float
    most: float


def traps(run: SpeedRun) -> Iterator[Trap]:
    """Of all modes that were timed, also where no table shows them."""
    times: dict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)
    for point, approach in itertools.product(run.points, _ways()):
        beside = point.ratio(approach, SPLIT)
        if beside and beside.interval[0] > MANY_TIMES:
            times[approach, point.direction].append((point.mode, beside.ratio))
    for (approach, direction), found in times.items():
        modes, ratios = zip(*found, strict=True)
        told = tuple(dict.fromkeys(modes))
        yield Trap(run=run, approach=approach, direction=direction, modes=told, least=min(ratios), most=max(ratios))


@dataclass(frozen=True, kw_only=True)
class FastRow:
    """A layer and batch: what is fastest, by direction; False where nothing works, None where nothing was timed."""

    layer: str
    batch: int
    told: tuple[Best | Literal[False] | None, ...]


@dataclass(frozen=True, kw_only=True)
class Fast:
    """The short table of a host class: of the newest final release that was timed most deeply, with nothing set.

    `timed`: all that was there, which tells how far the method is to be believed.
    """

    host_class: str
    run: SpeedRun
    rows: tuple[FastRow, ...]
    traps: tuple[Trap, ...]
    timed: tuple[SpeedRun, ...]


def fast(place: Place, defaults: Iterable[str]) -> Fast | None:
    """`defaults`: the runs that are what a release does with nothing set. None where no release was timed."""
    if not place.runs:
        return None
    runs = [run for run in place.runs if not Version(run.release).is_prerelease] or place.runs
    deepest = max((run.depth for run in runs), key=DEPTHS.index)
    release = next(run.release for run in runs if run.depth == deepest)
    alike = [run for run in runs if (run.release, run.depth) == (release, deepest)]
    run = next((run for run in alike if run.run in set(defaults)), alike[0])
    found: dict[tuple[str, int, str], Best | Literal[False]] = {
        (point.layer, point.batch, point.direction): best(run, point) or False for point in shown(run)
    }
    rows = (
        FastRow(layer=layer, batch=batch, told=tuple(found.get((layer, batch, name)) for name in get_args(Direction)))
        for layer, batch in dict.fromkeys((layer, batch) for layer, batch, _ in found)
    )
    return Fast(host_class=place.host_class, run=run, rows=tuple(rows), traps=tuple(traps(run)), timed=place.timed)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A way's time beside the dense convolution's is another than in the release before it, as measured. `confirmed`: a
    second run of the newer release says so too.
    """

    approach: str
    point: PointKey
    profile: str
    before: SpeedRun
    after: SpeedRun
    factor: float
    interval: Interval
    word: Word
    confirmed: bool


def changes(runs: Iterable[SpeedRun]) -> Iterator[Change]:
    """Between neighbouring releases of a profile and engine, on one processor by one speed suite; the newest first."""
    series: dict[tuple[str | None, ...], list[SpeedRun]] = defaultdict(list)
    for run in runs:
        series[run.host.cpu, run.profile, run.engine, run.speed_sha256].append(run)
    for alike in series.values():
        ordered = sorted(alike, key=lambda run: Version(run.release), reverse=True)
        for after, before in itertools.pairwise(ordered):
            yield from _changes(before, after)


def _changes(before: SpeedRun, after: SpeedRun) -> Iterator[Change]:
    was = {point.key: point for point in before.points}
    for point in shown(after):
        for approach in _ways():
            now = point.ratio(approach, DENSE)
            old = was[point.key].ratio(approach, DENSE) if point.key in was else None
            if now and old and (said := word(_over(now.interval, old.interval))) in {"faster", "slower"}:
                yield Change(
                    approach=approach,
                    point=point.key,
                    profile=after.profile or "",
                    before=before,
                    after=after,
                    factor=now.ratio / old.ratio,
                    interval=_over(now.interval, old.interval),
                    word=said,
                    confirmed=now.before is not None and word(_over(now.before, old.interval)) == said,
                )


def _over(now: Interval, old: Interval) -> Interval:
    """Of a quotient, whatever the two are: wider than need be."""
    return (now[0] / old[1], now[1] / old[0])


def control(runs: Sequence[SpeedRun]) -> Control:
    return Control(**{
        name: sum(getattr(run.control, name) for run in runs) for name in Control.__struct_fields__
    })  # fmt: skip
