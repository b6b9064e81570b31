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

from collections.abc import Callable, Collection
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
MAX_LINES = 20_000


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
    """How many lines there were, and where the time went."""

    closing: Annotated[int, Meta(ge=0, le=MAX_LINES)]
    seconds: Annotated[dict[Name, float], Meta(max_length=20)] = {}


class LineStream:
    """What a target says on its reserved descriptor, cut into lines; a subclass says in `_take` what a line may be.

    Raises BadRecord for more than `most` bytes in all or MAX_LINE in a line.
    """

    most: int = MAX_STREAM

    def __init__(self) -> None:
        self.closing: Closing | None = None
        self._buffer = b""
        self._size = 0

    def _take(self, line: bytes) -> None:
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """Take the lines that `data` completes. Raise BadRecord at the first line out of order; even a stream that had
        been closed is not whole then.
        """
        self._size += len(data)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        try:
            if self._size > self.most:
                raise BadRecord(f"the target sent more than {self.most // 2**20} MiB")
            for line in lines:
                if self.closing is not None:
                    raise BadRecord("the target went on after its closing line")
                self._take(line)
            if len(self._buffer) > MAX_LINE:
                raise BadRecord(f"the target sent a line of more than {MAX_LINE // 1024} KiB")
        except BadRecord:
            self.closing = None
            raise

    @property
    def is_closed(self) -> bool:
        """Whether the closing line has come, and nothing after it."""
        return self.closing is not None and not self._buffer


class Stream(LineStream):
    """The stream of one run. `wanted`: the cells that were asked for; any other, or one twice, is a lie. `observed` is
    told each observation as it comes.
    """

    def __init__(self, wanted: Collection[CellId], observed: Callable[[Observation], None] = lambda _: None) -> None:
        super().__init__()
        self.opening: Opening | None = None
        self.not_imported: str | None = None
        self.imported: Imported | None = None
        self.observations: dict[CellId, Observation] = {}
        self.lies: list[str] = []
        self._told_twice: set[CellId] = set()
        self._wanted = frozenset(wanted)
        self._observed = observed

    @property
    def is_whole(self) -> bool:
        if not self.is_closed or self.lies:
            return False
        assert self.closing
        return self.closing.closing == len(self.observations) == len(self._wanted)

    def _take(self, line: bytes) -> None:
        if self.opening is None:
            self.opening = decode_line(_opening, line)
        elif self.imported is None:
            if line.startswith(b'{"not_imported"'):
                self.not_imported = decode_line(not_imported, line).not_imported
            else:
                self.imported = decode_line(_imported, line)
        elif line.startswith(b'{"closing"'):
            self.closing = decode_line(closing, line)
        else:
            self._take_observation(line)

    def _take_observation(self, line: bytes) -> None:
        try:
            observation = decode_line(_observation, line)
        except BadRecord as fault:
            if not _is_an_object(line):
                raise
            self._note_lie(str(fault))
            return
        cell = observation.cell
        if cell not in self._wanted:
            self._note_lie(f"{'/'.join(cell)}, which nobody asked for")
        elif cell in self.observations or cell in self._told_twice:
            self.observations.pop(cell, None)  # which of the two is right cannot be known
            self._told_twice.add(cell)
            self._note_lie(f"{'/'.join(cell)}, twice")
        else:
            self.observations[cell] = observation
            self._observed(observation)

    def _note_lie(self, what: str) -> None:
        self.lies.append(what)
        if len(self.lies) > MAX_LIES:
            raise BadRecord(f"more than {MAX_LIES} invalid lines; reading stopped")

    def lies_in_words(self) -> str:
        return f"the target lied about {len(self.lies)} of its cells, first: {self.lies[0]}" if self.lies else ""


def _is_an_object(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


_opening = msgspec.json.Decoder(Opening)
not_imported = msgspec.json.Decoder(NotImported)
_imported = msgspec.json.Decoder(Imported)
closing = msgspec.json.Decoder(Closing)
_observation = msgspec.json.Decoder(Observation)
