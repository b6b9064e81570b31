"""What a target says on its reserved descriptor, decoded as it comes: strictly, and never beyond its size.

{"format": "stream/1", "python": ...}            before TensorFlow is imported
{"tensorflow": ..., "packages": ..., ...}        after it, or {"not_imported": "..."}
{"approach": ..., "outcome": ..., ...}           an observation a line
{"closing": 812, "seconds": {...}}               how many there were, and where the time went

A line that says of a cell what cannot be (another cell than was asked for, one that was told already, another run) is a
lie. It costs the cells that it names and makes the stream less than whole; the rest, each line of which is checked by
itself, stays. What is no line of JSON at all, and what comes out of order, ends the stream: where it would go on cannot
be known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from matrix.base.errors import BadRecord
from matrix.base.structs import Strict
from matrix.record.records import (
    MAX_LINE,
    MAX_OBSERVATIONS,
    MAX_RECORD,
    CellId,
    Gpus,
    Kernels,
    Line,
    Name,
    Observation,
    decode_line,
)

# Whatever fits in here fits in a record.
MAX_STREAM = MAX_RECORD - 2**20
# A stream with more is not one with a bad cell in it.
MAX_LIES = 20


class Opening(Strict, frozen=True, kw_only=True):
    format: Literal["stream/1"]
    python: Name


class NotImported(Strict, frozen=True, kw_only=True):
    not_imported: Line


class Imported(Strict, frozen=True, kw_only=True):
    """The environment in TensorFlow's own words. `cells`: how many observations it is going to send."""

    tensorflow: Name
    packages: Annotated[dict[Name, Name], Meta(max_length=200)]
    onednn: bool | None
    build_info: Annotated[dict[Name, str | bool | int | list[str]], Meta(max_length=50)] | None
    kernels: Kernels | None = None
    gpus: Gpus = []
    tf32: bool | None = None
    cells: Annotated[int, Meta(ge=0, le=MAX_OBSERVATIONS)]


class Closing(Strict, frozen=True, kw_only=True):
    closing: Annotated[int, Meta(ge=0, le=MAX_OBSERVATIONS)]
    seconds: Annotated[dict[Name, float], Meta(max_length=20)]


class Stream:
    """The stream of one run. `wanted`: the cells that were asked for; any other, or one twice, is a lie."""

    def __init__(self, wanted: Collection[CellId]) -> None:
        self.opening: Opening | None = None
        self.not_imported: str | None = None
        self.imported: Imported | None = None
        self.observations: dict[CellId, Observation] = {}
        self.closing: Closing | None = None
        self.lies: list[str] = []
        self._doubtful: set[CellId] = set()
        self._wanted = frozenset(wanted)
        self._buffer = b""
        self._size = 0

    @property
    def is_whole(self) -> bool:
        if self.closing is None or self._buffer or self.lies:
            return False
        return self.closing.closing == len(self.observations) == len(self._wanted)

    def feed(self, data: bytes) -> Iterator[Observation]:
        """Yield the observations that `data` completes. Raise BadRecord at the first word out of order; even a stream
        that had been closed is not whole then.
        """
        try:
            yield from self._feed(data)
        except BadRecord:
            self.closing = None
            raise

    def _feed(self, data: bytes) -> Iterator[Observation]:
        self._size += len(data)
        if self._size > MAX_STREAM:
            raise BadRecord(f"the target sent more than {MAX_STREAM // 2**20} MiB")
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if (observation := self._take(line)) is not None:
                yield observation
        if len(self._buffer) > MAX_LINE:
            raise BadRecord(f"the target sent a line of more than {MAX_LINE // 1024} KiB")

    def _take(self, line: bytes) -> Observation | None:
        if self.closing is not None:
            raise BadRecord("the target went on after its closing line")
        if self.opening is None:
            self.opening = decode_line(_opening, line)
        elif self.imported is None:
            self._take_import(line)
        elif line.startswith(b'{"closing"'):
            self.closing = decode_line(_closing, line)
        else:
            return self._take_observation(line)
        return None

    def _take_import(self, line: bytes) -> None:
        if line.startswith(b'{"not_imported"'):
            self.not_imported = decode_line(_not_imported, line).not_imported
        else:
            self.imported = decode_line(_imported, line)

    def _take_observation(self, line: bytes) -> Observation | None:
        try:
            observation = decode_line(_observation, line)
        except BadRecord as fault:
            if not _is_an_object(line):
                raise
            self._note_lie(str(fault))
            return None
        if observation.cell not in self._wanted:
            self._note_lie(f"{'/'.join(observation.cell)}, which nobody asked for")
            return None
        if observation.cell in self.observations or observation.cell in self._doubtful:
            # which of the two is of that cell cannot be known
            self.observations.pop(observation.cell, None)
            self._doubtful.add(observation.cell)
            self._note_lie(f"{'/'.join(observation.cell)}, twice")
            return None
        self.observations[observation.cell] = observation
        return observation

    def _note_lie(self, what: str) -> None:
        self.lies.append(what)
        if len(self.lies) > MAX_LIES:
            raise BadRecord(f"more than {MAX_LIES} are too many")

    def lies_in_words(self) -> str:
        return f"the target lied about {len(self.lies)} of its cells, first: {self.lies[0]}" if self.lies else ""


def _is_an_object(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


_opening = msgspec.json.Decoder(Opening)
_not_imported = msgspec.json.Decoder(NotImported)
_imported = msgspec.json.Decoder(Imported)
_closing = msgspec.json.Decoder(Closing)
_observation = msgspec.json.Decoder(Observation)
