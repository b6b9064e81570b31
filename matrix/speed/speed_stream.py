"""What one process of a speed run says on its reserved descriptor, decoded strictly and never beyond its size.

{"format": "speed-stream/1", "python": ...}           before the library is imported
{"tensorflow": ..., "peak": ..., ...}                 after it, or {"not_imported": "..."}, or {"refused": "..."}
{"layer": ..., "variant": ..., "samples": [...]}      a line a point and variant, or its `failure`
{"closing": 140}                                      how many of these there were
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

# Of the core, what others had of it meanwhile.
Share = Annotated[float, Meta(ge=0, le=1000)]


class Opening(Strict, frozen=True, kw_only=True):
    format: Literal["speed-stream/1"]
    python: Name


class Refused(Strict, frozen=True, kw_only=True):
    """Why nothing can be measured there: too old a release."""

    refused: Line


class Surroundings(Strict, frozen=True, kw_only=True):
    """The library in its own words, and what the core could do in this process: `peak` in operations a second by dtype,
    `bandwidth` in bytes a second. `pinned`: the cores it was kept on; none where the system has no such call. `points`
    counts those to come.
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
    """A variant of a point: `first` and `samples` in seconds, or its `failure`.

    `of`: what a control repeats. `load`: the share of the core that others took meanwhile. `primitive`: oneDNN's own
    time in a call, by its own lines.
    """

    variant: Id
    order: Small
    operations: Amount
    bytes: Amount
    first: Seconds | None = None
    samples: Annotated[list[Seconds], Meta(min_length=1, max_length=2000)] | None = None
    failure: Error | None = None
    of: Id | None = None
    load: Share | None = None
    primitive: Seconds | None = None

    @property
    def point(self) -> PointKey:
        return PointKey(**{name: getattr(self, name) for name in PointKey.__struct_fields__})


class Stream(LineStream):
    """The stream of one process of a run."""

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
            self._take_import(line)
        elif line.startswith(b'{"closing"'):
            self.closing = decode_line(closing, line)
        else:
            timed = decode_line(_timed, line)
            key = (timed.point, timed.variant)
            if (timed.samples is None or timed.first is None) == (timed.failure is None):
                raise BadRecord(
                    f"the target says of {timed.layer} {timed.variant} neither a time nor a failure, or both"
                )
            if key in self.timed:
                raise BadRecord(f"the target timed {timed.layer} {timed.variant} twice")
            self.timed[key] = timed

    def _take_import(self, line: bytes) -> None:
        if line.startswith(b'{"not_imported"'):
            self.not_imported = decode_line(not_imported, line).not_imported
        elif line.startswith(b'{"refused"'):
            self.refused = decode_line(_refused, line).refused
        else:
            self.surroundings = decode_line(_surroundings, line)
            if (self.surroundings.tensorflow is None) == (self.surroundings.peer is None):
                raise BadRecord("the target says neither that it is TensorFlow nor that it is a peer, or both")


_opening = msgspec.json.Decoder(Opening)
_refused = msgspec.json.Decoder(Refused)
_surroundings = msgspec.json.Decoder(Surroundings)
_timed = msgspec.json.Decoder(Timed)
