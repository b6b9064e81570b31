"""Decode what one process of a speed run sends on its reserved descriptor: strictly, and never beyond its size.

{"format": "speed-stream/1", "python": ...}           before the library is imported
{"tensorflow": ..., "peak": ..., ...}                 after it, or {"not_imported": "..."}, or {"refused": "..."}
{"layer": ..., "variant": ..., "samples": [...]}      one line for each point and variant; or with its `failure`
{"closing": 140}                                      how many such lines there were
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from matrix.base.errors import BadRecord
from matrix.base.structs import Strict
from matrix.record.records import Error, Id, Line, Name, decode_line
from matrix.record.speed_records import Amount, PointKey, Rate, Seconds, Small, Snake
from matrix.run.stream import MAX_LINES, LineStream, closing, not_imported

MAX_STREAM = 16 * 2**20

# The variants that are no approach; tests/suite/speed/layers.py says what each is.
DENSE, AGAIN, PLANTED, FROZEN, IN_F32 = REFERENCES = ("dense", "again", "planted", "frozen", "in-f32")

# The part of the core's time that other processes took.
Share = Annotated[float, Meta(ge=0, le=1000)]


class Opening(Strict, frozen=True, kw_only=True):
    format: Literal["speed-stream/1"]
    python: Name


class Refused(Strict, frozen=True, kw_only=True):
    """Says why nothing can be measured in this target: its release is too old."""

    refused: Line


class Surroundings(Strict, frozen=True, kw_only=True):
    """The library as it describes itself, and what the core could do in this process: `peak` in operations a second by
    dtype, `bandwidth` in bytes a second. `pinned`: the cores that the process was kept on; empty where the system
    cannot do that. `points`: how many will follow.
    """

    tensorflow: Name | None = None
    peer: Id | None = None
    packages: Annotated[dict[Name, Name], Meta(max_length=200)]
    onednn: bool | None = None
    threads: Annotated[int, Meta(ge=1, le=4096)]
    process: Small
    pinned: Annotated[list[Small], Meta(max_length=4096)]
    import_seconds: Seconds
    peak: Annotated[dict[Snake, Rate], Meta(max_length=10)]
    bandwidth: Rate
    points: Annotated[int, Meta(ge=0, le=MAX_LINES)]


class Timed(PointKey, frozen=True, kw_only=True):
    """A variant at a point: `first` and `samples` in seconds, or its `failure`.

    `lost`: beside each sample the share of its turn in which the process did not run. `of`: the variant that `again`
    and the like repeat. `load`: the share of the core that other processes took.
    `primitive`: oneDNN's part of a call, in seconds, as oneDNN reports it. `memory`: the most bytes that it took.
    """

    variant: Id
    order: Small
    operations: Amount
    bytes: Amount
    first: Seconds | None = None
    samples: Annotated[list[Seconds], Meta(min_length=1, max_length=2000)] | None = None
    lost: Annotated[list[Annotated[float, Meta(ge=0, le=1)]], Meta(max_length=2000)] | None = None
    failure: Error | None = None
    of: Id | None = None
    load: Share | None = None
    primitive: Seconds | None = None
    memory: Amount | None = None

    @property
    def fault(self) -> str | None:
        if (self.samples is None or self.first is None) == (self.failure is None):
            return "neither a time nor a failure, or both"
        if self.lost is not None and len(self.lost) != len(self.samples or ()):
            return "what was lost of other samples"
        return None

    @property
    def point(self) -> PointKey:
        return PointKey(**{name: getattr(self, name) for name in PointKey.__struct_fields__})


class Stream(LineStream):
    most = MAX_STREAM

    def __init__(self) -> None:
        super().__init__()
        self.opening: Opening | None = None
        self.not_imported: str | None = None
        self.refused: str | None = None
        self.surroundings: Surroundings | None = None
        self.timed: dict[tuple[PointKey, str], Timed] = {}

    @property
    def is_whole(self) -> bool:
        return self.is_closed and self.closing is not None and self.closing.closing == len(self.timed)

    def _take(self, line: bytes) -> None:
        if self.not_imported is not None or self.refused is not None:
            raise BadRecord("the target went on after its closing line")
        if self.opening is None:
            self.opening = decode_line(_opening, line)
        elif self.surroundings is None:
            if line.startswith(b'{"not_imported"'):
                self.not_imported = decode_line(not_imported, line).not_imported
            elif line.startswith(b'{"refused"'):
                self.refused = decode_line(_refused, line).refused
            else:
                self.surroundings = decode_line(_surroundings, line)
                if (self.surroundings.tensorflow is None) == (self.surroundings.peer is None):
                    raise BadRecord("the target says neither that it is TensorFlow nor that it is a peer, or both")
        elif line.startswith(b'{"closing"'):
            self.closing = decode_line(closing, line)
        else:
            timed = decode_line(_timed, line)
            key = (timed.point, timed.variant)
            if fault := timed.fault:
                raise BadRecord(f"the target says of {timed.layer} {timed.variant} {fault}")
            if key in self.timed:
                raise BadRecord(f"the target timed {timed.layer} {timed.variant} twice")
            self.timed[key] = timed


_opening = msgspec.json.Decoder(Opening)
_refused = msgspec.json.Decoder(Refused)
_surroundings = msgspec.json.Decoder(Surroundings)
_timed = msgspec.json.Decoder(Timed)
