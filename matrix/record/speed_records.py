"""The file of a speed run (`speed/1`): what it holds, and how it is read and written.

Summaries only; the samples stay in the working folder. Like every record it is hostile input: its size is capped before
anything is decoded, and all of it is checked against the types below.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from matrix.base import files, ids
from matrix.base.errors import BadRecord
from matrix.base.structs import Strict
from matrix.record.records import Count, Error, Host, Id, Mode, Name, Sha256
from matrix.record.store import EngineName, Kind, Place

MAX_FILE = 8 * 2**20
ENDING = ".speed.json"

# Of one call: from a nanosecond to an hour.
Seconds = Annotated[float, Meta(gt=1e-9, lt=3600)]
Rate = Annotated[float, Meta(gt=0, lt=1e18)]
Amount = Annotated[int, Meta(gt=0, lt=10**18)]
Small = Annotated[int, Meta(ge=0, le=100_000)]
Direction = Literal["forward", "train"]
Snake = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_]{0,19}$(?!\n)")]
Depth = Literal["quick", "default", "full"]
# What is said of a ratio; see `word` for when.
Word = Literal["faster", "slower", "same", "cannot tell"]
DoubtKind = Literal["load", "drift", "samples", "processes", "spread"]
PEER_ID = r"peer-[a-z0-9]{1,30}-py3[0-9]{1,2}-cpu"
RunId = Annotated[str, Meta(pattern=ids.exactly(rf"{ids.without_names(ids.RUN_ID)}|{PEER_ID}"))]
Positive = Annotated[float, Meta(gt=0, lt=1e9)]
Interval = tuple[Positive, Positive]


# A ratio counts as a difference from here on: what is smaller changes nobody's mind, and a machine can make it up.
MATTERS = 1.05


def word(interval: Interval) -> Word:
    """Faster and slower need all of the interval beyond what matters, the same needs all of it within."""
    low, high = interval
    if high < 1 / MATTERS:
        return "faster"
    if low > MATTERS:
        return "slower"
    return "same" if low >= 1 / MATTERS and high <= MATTERS else "cannot tell"


class PointKey(Strict, frozen=True, kw_only=True):
    """What variants are compared on."""

    layer: Id
    batch: Annotated[int, Meta(ge=1, le=100_000)]
    mode: Mode
    direction: Direction
    epilogue: Snake
    dtype: Snake
    layout: Snake


class Doubt(Strict, frozen=True, kw_only=True):
    """Why a number is to be taken with care, and how much: a share, or a count. See speed_tables.py."""

    kind: DoubtKind
    value: Annotated[float, Meta(ge=0, lt=1e6)]


class Variant(Strict, frozen=True, kw_only=True):
    """Seconds of a call: the first, and the steady state over all processes (the median of their medians, and the
    interquartile range of all samples); or the failure. `of`: what a control repeats. `primitive`: oneDNN's own time.
    """

    variant: Id
    failure: Error | None = None
    of: Id | None = None
    median: Seconds | None = None
    iqr: Annotated[float, Meta(ge=0, lt=3600)] | None = None
    first: Seconds | None = None
    processes: Small = 0
    samples: Small = 0
    floor_fraction: Positive | None = None
    primitive: Seconds | None = None
    doubts: Annotated[list[Doubt], Meta(max_length=10)] = []


class Ratio(Strict, frozen=True, kw_only=True):
    """The time of `variant` over that of `against`, paired within each process: below 1 it is faster.

    `before`: the interval that the run before this one found, of the same inputs.
    """

    variant: Id
    against: Id
    ratio: Positive
    interval: Interval
    word: Word
    before: Interval | None = None


class Floor(Strict, frozen=True, kw_only=True):
    """The least that the core could take: the larger one of its operations over the peak and its bytes over the
    bandwidth, both measured in the same process.
    """

    seconds: Annotated[float, Meta(gt=0, lt=3600)]
    bound: Literal["compute", "memory"]


class Point(PointKey, frozen=True, kw_only=True):
    """A layer with all that was timed on it. `fastest`: the approach with the least median."""

    operations: Amount
    bytes: Amount
    floor: Floor | None = None
    fastest: Id | None = None
    variants: Annotated[list[Variant], Meta(max_length=100)]
    ratios: Annotated[list[Ratio], Meta(max_length=500)] = msgspec.field(default_factory=list)

    @property
    def key(self) -> PointKey:
        return PointKey(**{name: getattr(self, name) for name in PointKey.__struct_fields__})

    def variant(self, name: str) -> Variant | None:
        return next((one for one in self.variants if one.variant == name), None)

    def ratio(self, variant: str, against: str) -> Ratio | None:
        return next((one for one in self.ratios if (one.variant, one.against) == (variant, against)), None)


class Control(Strict, frozen=True, kw_only=True):
    """`pairs` of the very same program timed twice: how many were called different, or neither that nor the same.
    `planted`: those where one of the two was made slower on purpose, and how many of these were detected.
    """

    pairs: Small
    false_alarms: Small
    cannot_tell: Small
    planted: Small
    detected: Small


class SpeedRun(Strict, frozen=True, kw_only=True, tag_field="format", tag="speed/1"):
    """A speed run: one target under one profile, or one peer, on one machine, in several fresh processes.

    `seconds`: what its processes took. `import_seconds`, `peak` and `bandwidth`: medians over the processes.
    """

    run: RunId
    release: Name
    python: Name
    backend: ids.Backend
    profile: Id | None = None
    peer: Id | None = None
    engine: EngineName
    started: Annotated[str, Meta(pattern=ids.exactly("[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z"))]
    seconds: Annotated[float, Meta(ge=0)]
    packages: Annotated[dict[Name, Name], Meta(max_length=200)]
    recipe_sha256: Sha256
    lock_sha256: Sha256
    speed_sha256: Sha256
    image_digest: Name | None = None
    host: Host
    threads: Count
    pinned: Annotated[list[Small], Meta(max_length=4096)]
    depth: Depth
    processes: Count
    onednn: bool | None = None
    import_seconds: Seconds
    peak: Annotated[dict[Snake, Rate], Meta(max_length=10)]
    bandwidth: Rate
    control: Control
    points: Annotated[list[Point], Meta(max_length=2000)]


def place(made: SpeedRun) -> Place:
    return (made.host.host_class, made.engine, made.run)


def encode(made: SpeedRun) -> bytes:
    return files.encode(made)


def decode(data: bytes) -> SpeedRun:
    """Raise BadRecord with what is wrong."""
    if len(data) > MAX_FILE:
        raise BadRecord(f"is larger than {MAX_FILE // 2**20} MiB")
    try:
        made = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise BadRecord(str(fault)) from None
    _check(made)
    return made


def of_release(reports: Path, host_class: str, release: str, backend: str) -> list[SpeedRun]:
    """Its runs on a host class that can be read, under each profile one."""
    found = []
    for file in sorted((reports / "runs" / host_class).glob(f"*/tf{release}-py*-{backend}+*{ENDING}")):
        with contextlib.suppress(BadRecord):
            found.append(read(file))
    return list(preferred(found).values())


def preferred(timed: Iterable[SpeedRun]) -> dict[tuple[str, str], SpeedRun]:
    """By host class and run; of two engines' the container's."""
    return {(one.host.host_class, one.run): one for one in sorted(timed, key=lambda one: one.engine, reverse=True)}


def _check(made: SpeedRun) -> None:
    if (made.peer is None) == (made.profile is None):
        raise BadRecord(f"{made.run} is of neither a profile nor a peer, or of both")
    if made.peer is None:
        run = ids.parse_run(made.run)
        if (made.release, made.backend, made.profile) != (run.target.release, run.target.backend, run.profile):
            raise BadRecord(f"the run {made.run} is not of {made.release} {made.backend} {made.profile}")
    elif not made.run.startswith(f"peer-{made.peer}-"):
        raise BadRecord(f"{made.run} is not of the peer {made.peer}")
    try:
        datetime.datetime.fromisoformat(made.started)
    except ValueError as fault:
        raise BadRecord(f"it started at no time: {fault}") from None
    if len({point.key for point in made.points}) != len(made.points):
        raise BadRecord("a point is there twice")
    for wrong in _faults(made):
        raise BadRecord(wrong)


def _faults(made: SpeedRun) -> Iterator[str]:
    for point in made.points:
        timed = {one.variant for one in point.variants if one.median is not None}
        where = f"{point.layer} {point.direction}"
        if len({one.variant for one in point.variants}) != len(point.variants):
            yield f"{where}: a variant is there twice"
        if any((one.failure is None) == (one.median is None) for one in point.variants):
            yield f"{where}: a variant has neither a time nor a failure, or both"
        if not {name for one in point.ratios for name in (one.variant, one.against)} <= timed:
            yield f"{where}: a ratio is of what was not timed"
        if any(not one.interval[0] <= one.interval[1] for one in point.ratios):
            yield f"{where}: an interval ends before it begins"
        if point.fastest and point.fastest not in timed:
            yield f"{where}: the fastest was not timed"


_decoder = msgspec.json.Decoder(SpeedRun)

SPEED = Kind[SpeedRun](ending=ENDING, most_bytes=MAX_FILE, encode=encode, decode=decode, place=place)
path, read, readable, write = SPEED.path, SPEED.read, SPEED.readable, SPEED.write
