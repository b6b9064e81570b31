"""Speed in words and rows, for Markdown, the terminal and the page: what they say of a number is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from matrix.catalog.approaches import SPLIT
from matrix.catalog.suite_hash import speed_sha256
from matrix.record import speed_records
from matrix.record.speed_records import (
    Control,
    Doubt,
    DoubtKind,
    PointKey,
    Ratio,
    SpeedRun,
)
from matrix.speed.comparisons import MANY_TIMES, Best, Place, Trap, best, control
from matrix.suite.speed import layers

DIRECTIONS = {"forward": "forward", "train": "forward and backward"}
# Why a number is doubtful, and what to do before the run is made again.
DOUBTS: dict[DoubtKind, tuple[str, str]] = {
    "load": ("others had {:.0%} of the core", "stop what else runs"),
    "drift": ("samples became {:.0%} slower as it went on, as when a core is throttled", "let the machine cool down"),
    "samples": ("{:g} samples are few", "take a greater --depth"),
    "processes": ("it worked in {:g} processes only", "see whether it fails again"),
    "spread": ("half of the samples spread over {:.0%} of the median", "let nothing else run"),
}


def todo(place: Place) -> list[str]:
    """What to do about what is doubtful, a line a run."""
    return [line for run in place.timed for line in next_in_words(run)]


def link(run: SpeedRun) -> str:
    """Below reports/."""
    return speed_records.path(Path(), *speed_records.place(run)).as_posix()


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
    about = layers.LAYERS.get(layer)
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
        share_in_words, time_in_words, todo, trap_in_words,
    )
}  # fmt: skip
