"""Speed in words and rows, for Markdown, the terminal and the page: what they say of a number is decided here."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from packaging.version import Version

from matrix.catalog.releases import Catalog
from matrix.catalog.suite import speed_layers, speed_sha256
from matrix.record import speed_records
from matrix.record.speed_records import (
    Control,
    Depth,
    Doubt,
    DoubtKind,
    Interval,
    Point,
    Ratio,
    SpeedRun,
    Variant,
    Word,
    word,
)
from matrix.speed.estimates import NO_WAY
from matrix.speed.speed_stream import PointKey

# What times are compared with: the convolution without groups, and the way that works everywhere.
DENSE, SPLIT = "dense", "split-concat"
# Of the default depth; peers have one mode each.
USUAL_MODE = "graph"
# Who takes this many times as long as by split-concat did not know it: that has to be said wherever speed is.
MANY_TIMES = 10
DEPTHS = get_args(Depth)
DIRECTIONS = {"forward": "forward", "train": "forward and backward"}
# Why a number is doubtful, and what to do before the run is made again.
DOUBTS: dict[DoubtKind, tuple[str, str]] = {
    "load": ("others had {:.0%} of the core", "stop what else runs"),
    "drift": ("samples became {:.0%} slower as it went on, as when a core is throttled", "let the machine cool down"),
    "samples": ("{:g} samples are few", "take a greater --depth"),
    "processes": ("it worked in {:g} processes only", "see whether it fails again"),
    "spread": ("half of the samples spread over {:.0%} of the median", "let nothing else run"),
}


def shown(run: SpeedRun) -> list[Point]:
    """The points that tables show, in the suite's order: those of the default depth. The file has all."""
    order = {key: number for number, key in enumerate(_default_points())}
    found = [point for point in run.points if (run.peer or point.mode == USUAL_MODE) and _asked(point) in order]
    return sorted(found, key=lambda point: order[_asked(point)])


def _default_points() -> list[tuple[str, ...]]:
    return [_asked(point) for point in speed_layers().points("default")]


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
    return tuple(way for way in speed_layers().APPROACHES if way not in NO_WAY)


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

    @property
    def todo(self) -> list[str]:
        """What to do about what is doubtful, a line a run."""
        return [line for run in self.timed for line in next_in_words(run)]


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
        FastRow(layer=layer, batch=batch, told=tuple(found.get((layer, batch, name)) for name in DIRECTIONS))
        for layer, batch in dict.fromkeys((layer, batch) for layer, batch, _ in found)
    )
    return Fast(host_class=place.host_class, run=run, rows=tuple(rows), traps=tuple(traps(run)), timed=place.timed)


def link(run: SpeedRun) -> str:
    """Below reports/."""
    return speed_records.path(Path(), *speed_records.place(run)).as_posix()


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


def method_in_words(runs: Sequence[SpeedRun]) -> str:
    """What the controls of these runs found, and how many of them were measured in another way than would be today."""
    words = _control_in_words(control(runs))
    old = sum(run.speed_sha256 != speed_sha256(peer=run.peer is not None) for run in runs)
    return f"{words} By another version of the speed suite: {old} of {len(runs)} runs." if old else words


def _control_in_words(told: Control) -> str:
    """The false alarms that the method makes, as measured: the same program timed twice."""
    if not told.pairs:
        return "No control was timed."
    words = f"Control: of {told.pairs} pairs of the same program {told.false_alarms} were called different"
    words += f" and {told.cannot_tell} were left open"
    return f"{words}; of {told.planted} that were made 15% slower on purpose {told.detected} were called slower."


def trap_in_words(trap: Trap) -> str:
    """`keras-groups, forward and backward in eager, graph: 32 to 205 times as long`"""
    least, most = f"{trap.least:.0f}", f"{trap.most:.0f}"
    times = least if least == most else f"{least} to {most}"
    return f"{trap.approach}, {DIRECTIONS[trap.direction]} in {', '.join(trap.modes)}: {times} times as long"


def ratio_in_words(ratio: Ratio | None) -> str:
    """`0.21 [0.19, 0.23] faster`"""
    if ratio is None:
        return ""
    return f"{_number(ratio.ratio)} [{_number(ratio.interval[0])}, {_number(ratio.interval[1])}] {ratio.word}"


def time_in_words(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def share_in_words(fraction: float | None) -> str:
    return "" if fraction is None else f"{fraction:.0%}" if fraction >= 0.095 else f"{fraction * 100:#.2g}%"


def doubts_in_words(doubts: Iterable[Doubt]) -> str:
    return "; ".join(DOUBTS[doubt.kind][0].format(doubt.value) for doubt in doubts)


def next_in_words(run: SpeedRun) -> Iterator[str]:
    """What to do about the doubts of a run, once each, and the command that makes it again."""
    kinds = {doubt.kind for point in run.points for one in point.variants for doubt in one.doubts}
    if run.depth != "quick":
        kinds.discard("samples")  # of a call of 100 ms no depth takes more: its interval tells what they are worth
    cures = [cure for kind, (_, cure) in DOUBTS.items() if kind in kinds]
    if cures:
        yield f"{'; '.join(cures)}; then: {again(run)}"


def again(run: SpeedRun) -> str:
    what = f"--peer {run.peer}" if run.peer else f"--release {run.release} --profile {run.profile}"
    return f"nox -s speed -- {what} --depth {run.depth} --engine {run.engine} --again"


def layer_in_words(layer: str) -> str:
    """`56x56, 128 to 128 channels in 32 groups, 3x3`"""
    about = speed_layers().LAYERS.get(layer)
    if about is None:
        return ""
    channels = f"{about.cin}" if about.cin == about.cout else f"{about.cin} to {about.cout}"
    return f"{about.size}x{about.size}, {channels} channels in {about.groups} groups, {about.kernel}x{about.kernel}"


def run_in_words(run: SpeedRun) -> str:
    """`2.15.1, onednn-on`, or `torch 2.13.0`."""
    return f"{run.peer} {run.release}" if run.peer else f"{run.release}, {run.profile}"


def point_in_words(point: PointKey) -> str:
    return f"{point.layer} x{point.batch}, {DIRECTIONS[point.direction]}"


def summary(run: SpeedRun) -> Iterator[str]:
    """For the terminal, once a run is made."""
    yield f"{run.run}: {len(run.points)} points in {run.processes} processes, {run.seconds:g} s"
    for point in run.points:
        if told := best(run, point):
            yield f"  {point_in_words(point)} ({point.mode}): {_fastest(told)}"
        else:
            yield f"  {point_in_words(point)} ({point.mode}): nothing works"
    yield f"  {_control_in_words(run.control)}"
    doubtful = [(point, one) for point in run.points for one in point.variants if one.doubts]
    if doubtful:
        yield f"  {len(doubtful)} numbers are doubtful, the first: {doubtful[0][0].layer} {doubtful[0][1].variant}:"
        yield f"    {doubts_in_words(doubtful[0][1].doubts)}"
        yield from (f"    {line}" for line in next_in_words(run))


def _fastest(told: Best) -> str:
    names = " or ".join((told.variant.variant, *told.alike))
    parts = [f"{names}, {time_in_words(told.variant.median)}"]
    if told.split:
        parts.append(f"beside {SPLIT} {ratio_in_words(told.split)}")
    if told.variant.floor_fraction:
        parts.append(f"{share_in_words(told.variant.floor_fraction)} of the floor")
    return ", ".join(parts)


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.3g}"


# What templates say of numbers.
WORDS: dict[str, Any] = {"MANY_TIMES": MANY_TIMES} | {
    one.__name__: one for one in (
        doubts_in_words, layer_in_words, link, method_in_words, point_in_words, ratio_in_words, run_in_words,
        share_in_words, time_in_words, trap_in_words,
    )
}  # fmt: skip
