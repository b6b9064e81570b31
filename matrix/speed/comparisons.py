"""Compare the published times: the fastest approach at each point, traps, and changes from release to release."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from packaging.version import Version

from matrix.base.grouping import grouped
from matrix.catalog.approaches import APPROACHES, SPLIT
from matrix.catalog.releases import Catalog
from matrix.record.speed_records import (
    APART,
    NETWORK_DEPTHS,
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
from matrix.speed.speed_stream import DENSE, FROZEN, IN_F32
from matrix.suite.speed import layers

# The one mode of TensorFlow that tables show; another library is timed in one mode only, its own.
USUAL_MODE = "graph"
# An approach that takes this many times as long as split-concat is a trap, and is named wherever speed is shown.
MANY_TIMES = 10
DEPTHS: tuple[Depth, ...] = get_args(Depth)
# The approaches that a person can write in a program.
PROGRAMS = tuple(name for name in layers.APPROACHES if APPROACHES[name].program)


def _without_mode(point: Any) -> tuple[str, ...]:
    """Return what identifies a point of the suite or of a file when its mode is left out."""
    return tuple(str(getattr(point, name)) for name in PointKey.__struct_fields__ if name != "mode")


# The points of the default depth and their numbers, in the suite's order.
SHOWN = {_without_mode(point): number for number, point in enumerate(layers.points("default"))}


def shown(run: SpeedRun) -> list[Point]:
    """Return the points that tables show, those of the default depth, in the suite's order. The file has all points."""
    found = [point for point in run.points if (run.peer or point.mode == USUAL_MODE) and _without_mode(point) in SHOWN]
    return sorted(found, key=lambda point: SHOWN[_without_mode(point)])


@dataclass(frozen=True, kw_only=True)
class Best:
    """The fastest approach at a point of a run. `alike`: approaches that may be as fast, by measurement. `split`,
    `dense`: its time as a ratio to that of split-concat, and to that of the convolution without groups.
    """

    run: SpeedRun
    point: Point
    variant: Variant
    alike: tuple[str, ...]
    split: Ratio | None
    dense: Ratio | None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.variant.variant, *self.alike)


def best(run: SpeedRun, point: Point) -> Best | None:
    """Return None where no approach works."""
    variant = point.variant(point.fastest) if point.fastest else None
    if variant is None:
        return None
    beside = [ratio for ratio in point.ratios if ratio.against == variant.variant and ratio.variant in PROGRAMS]
    return Best(
        run=run,
        point=point,
        variant=variant,
        alike=tuple(ratio.variant for ratio in beside if ratio.word in {"same", "cannot tell"}),
        split=point.ratio(variant.variant, SPLIT),
        dense=point.ratio(variant.variant, DENSE),
    )


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A point, and the fastest approach there in each run: the newest release first, other libraries last."""

    point: PointKey
    rows: tuple[Best, ...]


@dataclass(frozen=True, kw_only=True)
class Place:
    """All layers that were timed on a host class with a number of threads: `runs` of TensorFlow, the newest release
    first, and of `peers`.
    """

    host_class: str
    threads: int
    cpus: tuple[str, ...]
    runs: tuple[SpeedRun, ...]
    peers: tuple[SpeedRun, ...]
    layers: tuple[Layer, ...]
    changes: tuple[Change, ...]

    @property
    def name(self) -> str:
        """`x86-amx`, or `x86-amx, 2 threads`"""
        return self.host_class if self.threads == 1 else f"{self.host_class}, {self.threads} threads"

    @property
    def timed(self) -> tuple[SpeedRun, ...]:
        return (*self.runs, *self.peers)

    @property
    def traps(self) -> list[Trap]:
        return [trap for run in self.runs for trap in traps(run)]

    @property
    def frozen(self) -> list[Frozen]:
        return [found for run in self.runs for found in frozen(run)]


def places(timed: Sequence[SpeedRun], catalog: Catalog) -> tuple[Place, ...]:
    profiles: dict[str | None, int] = {profile.name: number for number, profile in enumerate(catalog.profiles)}
    found = []
    layered = [run for run in timed if run.depth not in APART]
    for (host_class, threads), together in sorted(
        grouped(layered, lambda run: (run.host.host_class, run.threads)).items()
    ):
        peers = sorted((run for run in together if run.peer), key=lambda run: run.run)
        runs = sorted(
            (run for run in together if not run.peer),
            key=lambda run: (Version(run.release), -profiles.get(run.profile, len(profiles))),
            reverse=True,
        )
        rows: dict[tuple[str, ...], list[Best]] = defaultdict(list)
        for run in (*runs, *peers):
            for point in shown(run):
                if fastest := best(run, point):
                    rows[_without_mode(point)].append(fastest)
        found.append(
            Place(
                host_class=host_class,
                threads=threads,
                cpus=tuple(dict.fromkeys(run.host.gpu or run.host.cpu for run in together)),
                runs=tuple(runs),
                peers=tuple(peers),
                layers=tuple(Layer(point=rows[key][0].point, rows=tuple(rows[key])) for key in SHOWN if key in rows),
                changes=tuple(changes(runs)),
            )
        )
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class NetworkStep:
    """A step of a network in a run, with each approach that works beside split-concat, or where that was not tried
    beside the fastest one: `ratios`, the least first.
    """

    run: SpeedRun
    point: Point
    base: Variant
    ratios: tuple[Ratio, ...]

    def ratio(self, approach: str) -> Ratio | None:
        return next((one for one in self.ratios if one.variant == approach), None)


@dataclass(frozen=True, kw_only=True)
class NetworkTable:
    """A step of a network on a host class in all its runs, the newest release first; `approaches`: those beside the
    first one, in the suite's order.
    """

    host_class: str
    point: PointKey
    approaches: tuple[str, ...]
    steps: tuple[NetworkStep, ...]


def network_tables(timed: Iterable[SpeedRun]) -> list[NetworkTable]:
    together = grouped(networks(timed), lambda step: (step.run.host.host_class, step.point.key))
    return [
        NetworkTable(
            host_class=host_class,
            point=point,
            approaches=tuple(name for name in PROGRAMS if any(one.variant == name for s in steps for one in s.ratios)),
            steps=tuple(steps),
        )
        for (host_class, point), steps in together.items()
    ]


def networks(timed: Iterable[SpeedRun]) -> list[NetworkStep]:
    """Return the steps of all networks that were timed, by host class, the newest release first."""
    steps = []
    for run in _newest_first(run for run in timed if run.depth in NETWORK_DEPTHS):
        for point in run.points:
            base = next(filter(None, (point.variant(name) for name in (SPLIT, point.fastest or ""))), None)
            if base is None or base.median is None:
                continue
            beside = [one for one in point.ratios if one.against == base.variant and one.variant in PROGRAMS]
            ratios = tuple(sorted(beside, key=lambda one: one.ratio))
            steps.append(NetworkStep(run=run, point=point, base=base, ratios=ratios))
    return steps


@dataclass(frozen=True, kw_only=True)
class HalfPoint:
    """A layer in half precision: the fastest approach, and how many times as long `in_f32.against` takes in f32."""

    run: SpeedRun
    point: Point
    fastest: Best | None
    in_f32: Ratio | None


def half_points(timed: Iterable[SpeedRun]) -> list[HalfPoint]:
    """Return the points of all runs in half precision, by host class, the newest release first."""
    return [
        HalfPoint(
            run=run,
            point=point,
            fastest=best(run, point),
            in_f32=next((ratio for ratio in point.ratios if ratio.variant == IN_F32), None),
        )
        for run in _newest_first(run for run in timed if run.depth == "half")
        for point in run.points
    ]


def _newest_first(runs: Iterable[SpeedRun]) -> list[SpeedRun]:
    """Sort by host class; within one the newest release comes first, oneDNN on before off, one thread before all."""
    ordered = sorted(runs, key=lambda run: (Version(run.release), run.profile or "", -run.threads), reverse=True)
    return sorted(ordered, key=lambda run: run.host.host_class)


@dataclass(frozen=True, kw_only=True)
class Trap:
    """An approach that works and is many times slower than split-concat: `least` to `most` times, over the points."""

    run: SpeedRun
    approach: str
    direction: str
    modes: tuple[str, ...]
    least: float
    most: float


def traps(run: SpeedRun) -> Iterator[Trap]:
    """Look at all modes that were timed, also at those that no table shows."""
    found: dict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)
    for point, approach in itertools.product(run.points, PROGRAMS):
        beside = point.ratio(approach, SPLIT)
        if beside and beside.interval[0] > MANY_TIMES:
            found[approach, point.direction].append((point.mode, beside.ratio))
    for (approach, direction), slow in found.items():
        modes = tuple(dict.fromkeys(mode for mode, _ in slow))
        ratios = [ratio for _, ratio in slow]
        yield Trap(run=run, approach=approach, direction=direction, modes=modes, least=min(ratios), most=max(ratios))


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """What a constant filter gains over a variable in a run: the time of `of` as a constant's share of that as a
    variable's, `least` to `most` over the `points`, of which it is clearly `faster` at some.
    """

    run: SpeedRun
    of: str
    least: float
    most: float
    points: int
    faster: int


def frozen(run: SpeedRun) -> list[Frozen]:
    """Return what was measured for each approach whose program was timed in both forms."""
    ratios = [ratio for point in run.points for ratio in point.ratios if ratio.variant == FROZEN]
    return [
        Frozen(
            run=run,
            of=of,
            least=min(one.ratio for one in together),
            most=max(one.ratio for one in together),
            points=len(together),
            faster=sum(one.word == "faster" for one in together),
        )
        for of, together in grouped(ratios, lambda one: one.against).items()
    ]


@dataclass(frozen=True, kw_only=True)
class FastRow:
    """A layer and batch with the fastest approach by direction: False where none works, None where none was timed."""

    layer: str
    batch: int
    fastest: tuple[Best | Literal[False] | None, ...]


@dataclass(frozen=True, kw_only=True)
class Fast:
    """The short table of a host class: one run of the newest final release that was timed most deeply.

    `timed`: all runs on the host class; their A/A pairs tell how far the method can be trusted.
    """

    host_class: str
    run: SpeedRun
    rows: tuple[FastRow, ...]
    traps: tuple[Trap, ...]
    timed: tuple[SpeedRun, ...]


def fast(place: Place, defaults: Iterable[str]) -> Fast | None:
    """Return None where no release was timed on one thread. `defaults`: the runs that a release comes to when nothing
    is set; such a run is taken where there is one.
    """
    if not place.runs or place.threads > 1:
        return None
    runs = [run for run in place.runs if not Version(run.release).is_prerelease] or place.runs
    deepest = max((run.depth for run in runs), key=DEPTHS.index)
    release = next(run.release for run in runs if run.depth == deepest)
    candidates = [run for run in runs if (run.release, run.depth) == (release, deepest)]
    run = next((run for run in candidates if run.run in set(defaults)), candidates[0])
    found: dict[tuple[str, int, str], Best | Literal[False]] = {
        (point.layer, point.batch, point.direction): best(run, point) or False for point in shown(run)
    }
    rows = []
    for layer, batch in dict.fromkeys((layer, batch) for layer, batch, _ in found):
        fastest = tuple(found.get((layer, batch, direction)) for direction in get_args(Direction))
        rows.append(FastRow(layer=layer, batch=batch, fastest=fastest))
    return Fast(host_class=place.host_class, run=run, rows=tuple(rows), traps=tuple(traps(run)), timed=place.timed)


@dataclass(frozen=True, kw_only=True)
class Change:
    """An approach became faster or slower from one release to the next, as measured by its time over that of the dense
    convolution: `factor` is the newer ratio over the older. `confirmed`: a second run of the newer release agrees.
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
    """Compare neighbouring releases of the same profile and engine, timed on the same processor by the same speed
    suite. The newest change comes first.
    """
    series = grouped(runs, lambda run: (run.host.cpu, run.profile, run.engine, run.speed_sha256))
    for comparable in series.values():
        newest_first = sorted(comparable, key=lambda run: Version(run.release), reverse=True)
        for after, before in itertools.pairwise(newest_first):
            older_points = {point.key: point for point in before.points}
            for point, approach in itertools.product(shown(after), PROGRAMS):
                older_point = older_points.get(point.key)
                now, old = point.ratio(approach, DENSE), older_point and older_point.ratio(approach, DENSE)
                if not (now and old):
                    continue
                interval = _quotient(now.interval, old.interval)
                if word(interval) in {"faster", "slower"}:
                    again = now.before and word(_quotient(now.before, old.interval))
                    yield Change(
                        approach=approach,
                        point=point.key,
                        profile=after.profile or "",
                        before=before,
                        after=after,
                        factor=now.ratio / old.ratio,
                        interval=interval,
                        word=word(interval),
                        confirmed=again == word(interval),
                    )


def _quotient(now: Interval, old: Interval) -> Interval:
    """Return an interval that holds the quotient of any two ratios within these intervals: wider than need be."""
    return (now[0] / old[1], now[1] / old[0])


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """Ratios to the dense convolution that a second run of the same inputs measured again: its processes share nothing
    with the first's. They are judged as changes from release to release are; each that is called different is an alarm.
    """

    pairs: int
    false_alarms: int
    cannot_tell: int


def repeats(runs: Iterable[SpeedRun]) -> Repeats:
    words = [
        word(_quotient(ratio.interval, ratio.before))
        for run in runs
        for point in run.points
        for ratio in point.ratios
        if ratio.before and ratio.against == DENSE
    ]
    return Repeats(
        pairs=len(words),
        false_alarms=sum(one in {"faster", "slower"} for one in words),
        cannot_tell=words.count("cannot tell"),
    )


def control(runs: Sequence[SpeedRun]) -> Control:
    """Add up what the A/A pairs of the runs found."""
    return Control(**{
        name: sum(getattr(run.control, name) for run in runs) for name in Control.__struct_fields__
    })  # fmt: skip
