"""What a target writes to its reserved descriptor, decoded as it arrives: strictly, and never beyond its size.

{"format": "stream/1", "python": ...}            before TensorFlow is imported
{"tensorflow": ..., "packages": ..., ...}        after it, or {"not_imported": "..."}
{"approach": ..., "outcome": ..., ...}           a line for each observation
{"closing": 812, "seconds": {...}}               the number of observations, and where the time went

An observation that cannot be (its cell was not asked for or was observed already, it names another run) is a lie. A lie
costs the cells that it names, and the stream is not whole any more; all other observations stay, for each line is
checked by itself. A line that is no JSON object, or that comes out of order, ends the stream, since nobody can know
where the stream would go on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from matrix.base.errors import BadRecord
from matrix.base.ids import Depth
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

# A stream of this size fits in a record.
MAX_STREAM = MAX_RECORD - 2**20
# More lies than this do not come from a bad cell.
MAX_LIES = 20
MAX_LINES = 20_000


class Opening(Strict, frozen=True, kw_only=True):
    format: Literal["stream/1"]
    python: Name


class NotImported(Strict, frozen=True, kw_only=True):
    not_imported: Line


class Imported(Strict, frozen=True, kw_only=True):
    """The environment in TensorFlow's own words. `cells`: the number of observations that are going to be sent."""

    tensorflow: Name
    packages: Annotated[dict[Name, Name], Meta(max_length=200)]
    onednn: bool | None
    onednn_isa: Line | None = None
    depth: Depth | None = None
    build_info: Annotated[dict[Name, str | bool | int | list[str]], Meta(max_length=50)] | None
    kernels: Kernels | None = None
    gpus: Gpus = []
    tf32: bool | None = None
    cells: Annotated[int, Meta(ge=0, le=MAX_OBSERVATIONS)]


class Closing(Strict, frozen=True, kw_only=True):
    """The number of observations, and where the time went."""

    closing: Annotated[int, Meta(ge=0, le=MAX_LINES)]
    seconds: Annotated[dict[Name, float], Meta(max_length=40)] = {}


class LineStream(ABC):
    """Cuts what a target writes to its reserved descriptor into lines; a subclass says in `_take` what a line may be.

    Raises BadRecord for more than `most` bytes in all, or more than MAX_LINE in a line.
    """

    most: int = MAX_STREAM

    def __init__(self) -> None:
        self.closing: Closing | None = None
        self._buffer = b""
        self._size = 0

    @abstractmethod
    def _take(self, line: bytes) -> None:
        """Keep what the line says. Raise BadRecord for a line that may not stand here."""

    def feed(self, data: bytes) -> None:
        """Take the lines that `data` completes.

        Raise BadRecord at the first line out of order: even a stream that has had its closing line is not whole then.
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
        """Say whether the closing line has come, and nothing after it."""
        return self.closing is not None and not self._buffer


class Stream(LineStream):
    """The stream of one run. `wanted`: the cells that were asked for; any other cell, or a cell twice, is a lie.
    `observed` is called with each observation as it arrives.
    """

    def __init__(self, wanted: Collection[CellId], observed: Callable[[Observation], None] = lambda _: None) -> None:
        super().__init__()
        self.opening: Opening | None = None
        self.not_imported: str | None = None
        self.imported: Imported | None = None
        self.observations: dict[CellId, Observation] = {}
        self.lies: list[str] = []
        self._observed_twice: set[CellId] = set()
        self._wanted = frozenset(wanted)
        self._observed = observed

    @property
    def is_whole(self) -> bool:
        if self.closing is None or not self.is_closed or self.lies:
            return False
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
        elif cell in self.observations or cell in self._observed_twice:
            self.observations.pop(cell, None)  # which of the two is right cannot be known
            self._observed_twice.add(cell)
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
