"""Speed in words, for Markdown, the terminal and the pages: the wording of every number is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from matrix.catalog.approaches import SPLIT
from matrix.catalog.suite_hash import speed_sha256
from matrix.record import speed_records
from matrix.record.speed_records import APART, Doubt, DoubtKind, PointKey, Ratio, SpeedRun, Variant
from matrix.speed.comparisons import (
    MANY_TIMES,
    Frozen,
    HalfPoint,
    NetworkStep,
    Place,
    Trap,
    best,
    control,
    half_points,
    networks,
    repeats,
)  # fmt: skip
from matrix.speed.rankings import Ranking
from matrix.suite.speed import layers

DIRECTIONS = {"forward": "forward", "train": "forward and backward"}
# So many layers are named, more are counted.
FEW_LAYERS = 4
# Why a number is doubtful, and what to do before the run is made again.
DOUBTS: dict[DoubtKind, tuple[str, str]] = {
    "load": ("other programs used {:.0%} of the core", "stop what else runs"),
    "drift": ("samples became {:.0%} slower towards the end, as when a core is throttled", "let the machine cool down"),
    "samples": ("only {:g} samples", "take a greater --depth"),
    "processes": ("worked in {:g} processes only", "see whether it fails again"),
    "spread": ("the middle half of the samples spreads over {:.0%} of the median", "let nothing else run"),
}


def link(run: SpeedRun) -> str:
    """Return the run's file, below reports/."""
    return speed_records.path(Path(), *speed_records.place(run)).as_posix()


def method_in_words(runs: Sequence[SpeedRun]) -> str:
    """Say how often the method was wrong where the answer is known: on a program timed twice, and on one made slower.

    Say too how many of the runs another version of the speed suite measured.
    """
    found = control(runs)
    words = "No control was timed."
    if found.pairs:
        words = (
            f"Control: of {found.pairs} pairs of the same program {found.false_alarms} were called different"
            f" and {found.cannot_tell} were left open"
            f"; of {found.planted} that were made 15% slower on purpose {found.detected} were called slower."
        )
    again = repeats(runs)
    if again.pairs:
        words += (
            f" Of {again.pairs} ratios that a second run measured again {again.false_alarms} were called different"
            f" and {again.cannot_tell} were left open."
        )
    old = sum(run.speed_sha256 != speed_sha256(peer=run.peer is not None) for run in runs)
    return f"{words} By another version of the speed suite: {old} of {len(runs)} runs." if old else words


def trap_in_words(trap: Trap) -> str:
    """`keras-groups, forward and backward in eager, graph: 32 to 205 times as long`"""
    least, most = f"{trap.least:.0f}", f"{trap.most:.0f}"
    times = least if least == most else f"{least} to {most}"
    return f"{trap.approach}, {DIRECTIONS[trap.direction]} in {', '.join(trap.modes)}: {times} times as long"


def ratio_in_words(ratio: Ratio | None) -> str:
    """`0.21 [0.19, 0.23] faster`"""
    if ratio is None:
        return ""
    return f"{_share(ratio)} {ratio.word}"


def ranking_in_words(found: Ranking) -> str:
    """`nn-conv2d at 6 of 7 layers; depthwise at mobilenet-14. It differs at convnext-56 (depthwise on x86-amx).`"""
    leading = []
    for name, points in found.leading:
        many = len(points) == found.points or len(points) > FEW_LAYERS
        layers_in_words = f"{len(points)} of {found.points} layers" if many else ", ".join(one.layer for one in points)
        leading.append(f"{name} at {layers_in_words}")
    text = "; ".join(leading) or "no approach at any layer on all of them"
    differing = []
    for one in found.differing:
        beside = ", ".join(f"{' or '.join(names)} on {place}" for place, names in one.by_place.items())
        differing.append(f"{one.point.layer} ({beside})")
    return f"{text}. It differs at {'; '.join(differing)}." if differing else f"{text}."


def half_in_words(found: HalfPoint) -> str:
    """`nn-conv2d, 0.6 ms; in f32 nn-conv2d takes 1.31 [1.25, 1.38] times as long`"""
    if not found.fastest:
        return "nothing works"
    text = f"{' or '.join(found.fastest.names)}, {time_in_words(found.fastest.variant.median)}"
    if found.in_f32:
        text += f"; in f32 {found.in_f32.against} takes {_share(found.in_f32)} times as long"
    return text


def with_memory(step: NetworkStep, approach: str) -> str:
    """`0.50 [0.45, 0.58], 10 MB`; of the approach that the others are compared with `13 ms, 20 MB`."""
    variant = step.point.variant(approach)
    if variant is None or variant.failure:
        return variant.failure.type if variant and variant.failure else ""
    ratio = step.ratio(approach)
    return ", ".join(filter(None, (_share(ratio) if ratio else time_in_words(variant.median), _memory(variant))))


def network_in_words(step: NetworkStep) -> str:
    """`Of the time with split-concat (337 ms, 120 MB) it takes with nn-conv2d 0.62 [0.60, 0.64] (110 MB), ...`"""
    beside = []
    for one in step.ratios:
        memory = _memory(step.point.variant(one.variant))
        beside.append(f"with {one.variant} {_share(one)}{f' ({memory})' if memory else ''}")
    base = f"{step.base.variant} ({', '.join(filter(None, (time_in_words(step.base.median), _memory(step.base))))})"
    if not beside:
        return f"It was timed with {base} alone."
    return f"Of the time with {base} it takes {', '.join(beside)}."


def frozen_in_words(found: Frozen) -> str:
    """`nn-conv2d with a constant filter takes 0.71 to 0.98 of its time with a variable: faster at 5 of 7 points`"""
    least, most = f"{found.least:.2f}", f"{found.most:.2f}"
    times = least if least == most else f"{least} to {most}"
    gain = f"faster at {found.faster} of {found.points} points"
    return f"{found.of} with a constant filter takes {times} of its time with a variable: {gain}"


def _share(ratio: Ratio) -> str:
    value, low, high = (
        f"{number:.2f}" if number < 10 else f"{number:.3g}" for number in (ratio.ratio, *ratio.interval)
    )
    return f"{value} [{low}, {high}]"


def _memory(variant: Variant | None) -> str:
    return f"{variant.memory / 1e6:.0f} MB" if variant and variant.memory else ""


def time_in_words(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def share_in_words(fraction: float | None) -> str:
    if fraction is None:
        return ""
    return f"{fraction:.0%}" if fraction >= 0.095 else f"{fraction * 100:#.2g}%"


def doubts_in_words(doubts: Iterable[Doubt]) -> str:
    return "; ".join(DOUBTS[doubt.kind][0].format(doubt.value) for doubt in doubts)


def next_in_words(run: SpeedRun) -> str:
    """Say what to do about the doubtful numbers of a run, then the command that repeats it; empty without doubts."""
    kinds = {doubt.kind for point in run.points for variant in point.variants for doubt in variant.doubts}
    if run.depth != "quick":
        kinds.discard("samples")  # no depth takes more samples of a slow call: its interval says what they are worth
    cures = [cure for kind, (_, cure) in DOUBTS.items() if kind in kinds]
    subject = f"--peer {run.peer}" if run.peer else f"--release {run.release} --profile {run.profile}"
    threads = " --threads all" if run.threads > 1 else ""
    command = f"nox -s speed -- {subject} --depth {run.depth}{threads} --engine {run.engine} --again"
    return f"{'; '.join(cures)}; then: {command}" if cures else ""


def todo(place: Place) -> list[str]:
    """`next_in_words`, a line for each run with doubtful numbers."""
    return [line for run in place.timed if (line := next_in_words(run))]


def layer_in_words(layer: str) -> str:
    """`56x56, 128 to 128 channels in 32 groups, 3x3`"""
    if layer in layers.NETWORKS:
        return f"{len(layers.NETWORKS[layer])} convolutions, of which the approach writes {len(layers.replaced(layer))}"
    about = layers.LAYERS.get(layer)
    if about is None:
        return ""
    channels = f"{about.cin}" if about.cin == about.cout else f"{about.cin} to {about.cout}"
    return f"{about.size}x{about.size}, {channels} channels in {about.groups} groups, {about.kernel}x{about.kernel}"


def run_in_words(run: SpeedRun) -> str:
    """`2.15.1, onednn-on`, or `torch 2.13.0`."""
    return f"{run.peer} {run.release}" if run.peer else f"{run.release}, {run.profile}"


def point_in_words(point: PointKey) -> str:
    dtype = "" if point.dtype == "f32" else f", {point.dtype}"
    return f"{point.layer} x{point.batch}, {DIRECTIONS[point.direction]}{dtype}"


def summary(run: SpeedRun) -> Iterator[str]:
    """Yield the lines for the terminal, once a run is made."""
    yield f"{run.run}: {len(run.points)} points in {run.processes} processes, {run.seconds:g} s"
    for step in networks([run]):
        yield f"  {point_in_words(step.point)}: {network_in_words(step)}"
    for half in half_points([run]):
        yield f"  {point_in_words(half.point)}: {half_in_words(half)}"
    for point in run.points if run.depth not in APART else ():
        fastest = "nothing works"
        if found := best(run, point):
            fastest = f"{' or '.join(found.names)}, {time_in_words(found.variant.median)}"
            if found.split:
                fastest += f", beside {SPLIT} {ratio_in_words(found.split)}"
            if found.variant.floor_fraction:
                fastest += f", {share_in_words(found.variant.floor_fraction)} of the floor"
        yield f"  {point_in_words(point)} ({point.mode}): {fastest}"
    yield f"  {method_in_words([run])}"
    doubtful = [(point, variant) for point in run.points for variant in point.variants if variant.doubts]
    if doubtful:
        point, variant = doubtful[0]
        yield f"  {len(doubtful)} numbers are doubtful, the first: {point.layer} {variant.variant}:"
        yield f"    {doubts_in_words(variant.doubts)}"
        if line := next_in_words(run):
            yield f"    {line}"


# What templates take to put numbers into words.
FOR_TEMPLATES: dict[str, Any] = {"MANY_TIMES": MANY_TIMES, "directions": DIRECTIONS} | {
    function.__name__: function for function in (
        doubts_in_words, frozen_in_words, half_in_words, layer_in_words, link, method_in_words,
        next_in_words, point_in_words, ranking_in_words, ratio_in_words, run_in_words, share_in_words, time_in_words,
        todo, trap_in_words, with_memory,
    )
}  # fmt: skip
