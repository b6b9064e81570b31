"""Where published files lie, `runs/<host class>/<engine>/<run><ending>`, and how they are read and written.

A file is hostile input wherever it comes from: its size is capped before it is decoded, and it must lie where it says.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from matrix.base.errors import BadRecord
from matrix.base.files import write_whole

T = TypeVar("T")
EngineName = Literal["docker", "venv"]
# Host class, engine, run.
Place = tuple[str, EngineName, str]


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[T]):
    """One kind of file: its ending, the bytes that it may have, its coding, and where what it holds belongs.

    `decode` raises BadRecord where data do not satisfy the contract.
    """

    ending: str
    most_bytes: int
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]
    place: Callable[[T], Place]

    def path(self, reports: Path, host_class: str, engine: EngineName, run: str) -> Path:
        return reports / "runs" / host_class / engine / f"{run}{self.ending}"

    def files(self, reports: Path) -> list[Path]:
        """In the order of their paths."""
        return sorted((reports / "runs").glob(f"*/*/*{self.ending}"))

    def read(self, file: Path) -> T:
        """Raise BadRecord where the file is too large, truncated, foreign, newer, or lies about its place."""
        try:
            made = self.decode(begin(file, self.most_bytes + 1))
        except BadRecord as fault:
            raise BadRecord(f"{file}: {fault}") from None
        host_class, engine, run = self.place(made)
        if file.parts[-3:] != (host_class, engine, f"{run}{self.ending}"):
            raise BadRecord(f"{file}: says that it belongs at {host_class}/{engine}/{run}{self.ending}")
        return made

    def readable(self, reports: Path) -> tuple[list[T], tuple[BadRecord, ...]]:
        """What can be read, in the order of the paths, and why the rest cannot."""
        made, faults = [], []
        for file in self.files(reports):
            try:
                made.append(self.read(file))
            except BadRecord as fault:
                faults.append(fault)
        return made, tuple(faults)

    def write(self, reports: Path, made: T) -> Path:
        """Write whole or not at all. Raise BadRecord, before anything is written, where the contract is not satisfied.

        A file that stood there and cannot be read (a newer format, perhaps) is kept beside it.
        """
        data = self.encode(made)
        self.decode(data)
        target = self.path(reports, *self.place(made))
        if target.is_symlink() or (target.exists() and not self._is_readable(target)):
            target.replace(target.with_name(f"{target.name}.unreadable"))
        write_whole(target, data)
        return target

    def _is_readable(self, file: Path) -> bool:
        try:
            self.read(file)
        except BadRecord:
            return False
        return True


def begin(file: Path, size: int) -> bytes:
    """The first bytes of a plain file: a link could lead anywhere, and a pipe has no end.

    Raise FileNotFoundError where there is none, BadRecord where it is no plain file or cannot be read.
    """
    if not stat.S_ISREG(file.lstat().st_mode):
        raise BadRecord("is not a plain file")
    try:
        with file.open("rb") as stream:
            return stream.read(size)
    except OSError as fault:
        raise BadRecord(f"cannot be read: {fault.strerror}") from fault
