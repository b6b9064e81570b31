"""The file of a speed run (`speed/1`): its types, and how it is read and written.

It holds summaries only; the samples stay in the working folder. Like every record it is hostile input: its size is
capped before it is decoded, and all of it is checked against the types below.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from packaging.version import InvalidVersion, Version

from matrix.base import files, ids
from matrix.base.errors import BadRecord
from matrix.base.ids import EngineName
from matrix.base.structs import Strict
from matrix.record import dates
from matrix.record.file_format import FileFormat, Place
from matrix.record.records import Count, Error, Host, Id, Mode, Name, ProfileName, Sha256, Started, WallTime

MAX_FILE = 8 * 2**20
ENDING = ".speed.json"

# The time of one call: from a nanosecond to an hour.
Seconds = Annotated[float, Meta(gt=1e-9, lt=3600)]
Rate = Annotated[float, Meta(gt=0, lt=1e18)]
Amount = Annotated[int, Meta(gt=0, lt=10**18)]
Small = Annotated[int, Meta(ge=0, le=100_000)]
Direction = Literal["forward", "train"]
Snake = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_]{0,19}$(?!\n)")]
Depth = Literal["quick", "default", "full", "half", "network", "networks"]
# Whole networks are timed at these, layers at the others.
NETWORK_DEPTHS: tuple[Depth, ...] = ("network", "networks")
# The depths that time something else than layers in f32: what a file's name has behind the run.
APART: dict[Depth, str] = {"half": ".half", **dict.fromkeys(NETWORK_DEPTHS, ".networks")}
# The conclusion from a ratio, by the rule in `word`.
Word = Literal["faster", "slower", "same", "cannot tell"]
DoubtKind = Literal["load", "drift", "samples", "processes", "spread"]
PEER_ID = r"peer-[a-z0-9]{1,30}-py3[0-9]{1,2}-cpu"
RunId = Annotated[str, Meta(pattern=ids.exactly(rf"{ids.without_names(ids.RUN_ID)}|{PEER_ID}"))]
Positive = Annotated[float, Meta(gt=0, lt=1e9)]
Interval = tuple[Positive, Positive]

# The least ratio that counts as a difference: a smaller one changes nobody's decision, and can be a machine's noise.
MATTERS = 1.05


def word(interval: Interval) -> Word:
    """Faster or slower: all of the interval lies beyond MATTERS; the same: all of it lies within."""
    low, high = interval
    if high < 1 / MATTERS:
        return "faster"
    if low > MATTERS:
        return "slower"
    return "same" if low >= 1 / MATTERS and high <= MATTERS else "cannot tell"


class PointKey(Strict, frozen=True, kw_only=True):
    """What the variants of a point have in common, so that they can be compared."""

    layer: Id
    batch: Annotated[int, Meta(ge=1, le=100_000)]
    mode: Mode
    direction: Direction
    epilogue: Snake
    dtype: Snake
    layout: Snake


class Doubt(Strict, frozen=True, kw_only=True):
    """A reason to distrust a number. `value`: a share or a count; matrix/report/speed_tables.py says which."""

    kind: DoubtKind
    value: Annotated[float, Meta(ge=0, lt=1e6)]


class Variant(Strict, frozen=True, kw_only=True):
    """The seconds of a call of this variant, or its failure.

    `median` and `iqr`: the steady state, as the median of the processes' medians and the interquartile range of all
    samples. `left_out`: samples more, which others disturbed. `first`: the first call. `primitive`: oneDNN's own time.
    `of`: the variant that a control repeats. `memory`: the most bytes that a network's first call took, beyond its
    weights.
    """

    variant: Id
    failure: Error | None = None
    of: Id | None = None
    median: Seconds | None = None
    iqr: Annotated[float, Meta(ge=0, lt=3600)] | None = None
    first: Seconds | None = None
    processes: Small = 0
    samples: Small = 0
    left_out: Small = 0
    floor_fraction: Positive | None = None
    primitive: Seconds | None = None
    memory: Amount | None = None
    doubts: Annotated[list[Doubt], Meta(max_length=10)] = []


class Ratio(Strict, frozen=True, kw_only=True):
    """The time of `variant` divided by the time of `against`, paired within each process: below 1 is faster.

    `before`: the interval that the previous run of the same inputs found.
    """

    variant: Id
    against: Id
    ratio: Positive
    interval: Interval
    word: Word
    before: Interval | None = None

    def __post_init__(self) -> None:
        # Whatever a file says, the word follows from the interval.
        msgspec.structs.force_setattr(self, "word", word(self.interval))


class Floor(Strict, frozen=True, kw_only=True):
    """The least time that the core could take: its operations divided by the peak, or its bytes divided by the
    bandwidth, whichever is larger. Peak and bandwidth are measured in the same process.
    """

    seconds: Annotated[float, Meta(gt=0, lt=3600)]
    bound: Literal["compute", "memory"]


class Point(PointKey, frozen=True, kw_only=True):
    """A point with everything that was timed at it. `fastest`: the approach with the least median."""

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
        return next((variant for variant in self.variants if variant.variant == name), None)

    def ratio(self, variant: str, against: str) -> Ratio | None:
        return next((ratio for ratio in self.ratios if (ratio.variant, ratio.against) == (variant, against)), None)


class Control(Strict, frozen=True, kw_only=True):
    """How well the timing tells programs apart.

    `pairs`: the same program timed twice; `false_alarms` of them were called different, and of `cannot_tell` neither
    was said. `planted`: pairs in which one program was made slower on purpose, of which `detected` were called slower.
    """

    pairs: Small
    false_alarms: Small
    cannot_tell: Small
    planted: Small
    detected: Small


class SpeedRun(Strict, frozen=True, kw_only=True, tag_field="format", tag="speed/1"):
    """One target under one profile, or one peer, timed on one machine in several fresh processes.

    `seconds`: wall time of all processes. `import_seconds`, `peak` and `bandwidth`: medians over the processes.
    """

    run: RunId
    release: Name
    python: Name
    backend: ids.Backend
    profile: ProfileName | None = None
    peer: Id | None = None
    engine: EngineName
    started: Started
    seconds: WallTime
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

    @property
    def is_usual(self) -> bool:
        """Whether it timed layers in f32 on one thread, as all that is compared with each other."""
        return self.threads == 1 and self.depth not in APART


def place(run: SpeedRun) -> Place:
    return Place(run.host.host_class, run.engine, run.run + suffix(run.depth, run.threads))


def suffix(depth: Depth, threads: int) -> str:
    """Return what a file's name has behind the run: networks, half precision, and more threads than one have files of
    their own.
    """
    return APART.get(depth, "") + (".all-threads" if threads > 1 else "")


def decode(data: bytes) -> SpeedRun:
    """Raise BadRecord, saying what is wrong."""
    if len(data) > MAX_FILE:
        raise BadRecord(f"is larger than {MAX_FILE // 2**20} MiB")
    try:
        run = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise BadRecord(str(fault)) from None
    dates.check(run.started)
    try:
        Version(run.release)
    except InvalidVersion:
        raise BadRecord(f"its release {run.release} is no version") from None
    is_peer = run.run.startswith("peer-")
    if (run.peer is not None, run.profile is None) != (is_peer, is_peer):
        raise BadRecord(f"{run.run} is of neither a profile nor a peer, or of both")
    if is_peer and not run.run.startswith(f"peer-{run.peer}-"):
        raise BadRecord(f"{run.run} is not of the peer {run.peer}")
    if not is_peer:
        parsed = ids.parse_run(run.run)
        target = parsed.target
        if (run.release, run.backend, run.profile) != (target.release, target.backend, parsed.profile):
            raise BadRecord(f"the run {run.run} is not of {run.release} {run.backend} {run.profile}")
    _check_points(run.points)
    return run


def _check_points(points: Sequence[Point]) -> None:
    if len({point.key for point in points}) != len(points):
        raise BadRecord("a point is there twice")
    for point in points:
        where = f"{point.layer} {point.direction}"
        timed = {variant.variant for variant in point.variants if variant.median is not None}
        if len({variant.variant for variant in point.variants}) != len(point.variants):
            raise BadRecord(f"{where}: a variant is there twice")
        if any((variant.failure is None) == (variant.median is None) for variant in point.variants):
            raise BadRecord(f"{where}: a variant has neither a time nor a failure, or both")
        if not {name for ratio in point.ratios for name in (ratio.variant, ratio.against)} <= timed:
            raise BadRecord(f"{where}: a ratio is of what was not timed")
        if any(not ratio.interval[0] <= ratio.interval[1] for ratio in point.ratios):
            raise BadRecord(f"{where}: an interval ends before it begins")
        if point.fastest and point.fastest not in timed:
            raise BadRecord(f"{where}: the fastest was not timed")


def of_release(reports: Path, host_class: str, release: str, backend: str) -> list[SpeedRun]:
    """Return the release's runs on a host class, one for each profile; files that cannot be read are passed over."""
    found = sorted((reports / "runs" / host_class).glob(f"*/tf{release}-py*-{backend}+*{ENDING}"))
    runs, _ = SPEED.read_valid(found)
    return list(preferred(runs.values()).values())


def preferred(runs: Iterable[SpeedRun]) -> dict[tuple[str, str], SpeedRun]:
    """Return the usual runs by host class and run id. Where both engines timed a run, docker's is taken."""
    usual = (run for run in runs if run.is_usual)
    return {(run.host.host_class, run.run): run for run in sorted(usual, key=lambda run: run.engine, reverse=True)}


_decoder = msgspec.json.Decoder(SpeedRun)

SPEED = FileFormat[SpeedRun](ending=ENDING, most_bytes=MAX_FILE, encode=files.encode, decode=decode, place=place)
path, files_below, read, readable = SPEED.path, SPEED.files, SPEED.read, SPEED.readable
write, encode = SPEED.write, SPEED.encode
