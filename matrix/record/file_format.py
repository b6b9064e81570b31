"""A format of published files: where its files lie, `runs/<host class>/<engine>/<run><ending>`, and how they are read.

A file is hostile input wherever it comes from: its size is capped before it is decoded, and its place must be the one
that its content names.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from matrix.base.errors import BadRecord, MachineError
from matrix.base.files import write_whole
from matrix.base.ids import EngineName

T = TypeVar("T")


class Place(NamedTuple):
    host_class: str
    engine: EngineName
    run: str


@dataclass(frozen=True, kw_only=True)
class FileFormat(Generic[T]):
    """`T` is what a file holds. `decode` raises BadRecord where the bytes break the format's contract."""

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
        """Raise BadRecord where the file is too large, truncated, of another format, or not in the place it names."""
        try:
            content = self.decode(self.start_of(file, self.most_bytes + 1))
        except BadRecord as fault:
            raise BadRecord(f"{file}: {fault}", file=file) from None
        host_class, engine, run = self.place(content)
        if file.parts[-3:] != (host_class, engine, f"{run}{self.ending}"):
            raise BadRecord(f"{file}: says that it belongs at {host_class}/{engine}/{run}{self.ending}", file=file)
        return content

    def start_of(self, file: Path, size: int) -> bytes:
        """Return the first `size` bytes. Raise BadRecord where the file, or a folder from `runs` down to it, is a link:
        a link could lead anywhere.
        """
        if linked := next((folder for folder in file.parents[:3] if folder.is_symlink()), None):
            raise BadRecord(f"{linked.name} is a link, which is not followed")
        return read_at_most(file, size)

    def read_valid(self, files: Iterable[Path]) -> tuple[dict[Path, T], tuple[BadRecord, ...]]:
        """Return the content of each file that can be read, and why the other files cannot."""
        contents, faults = {}, []
        for file in files:
            try:
                contents[file] = self.read(file)
            except BadRecord as fault:
                faults.append(fault)
        return contents, tuple(faults)

    def readable(self, reports: Path) -> tuple[list[T], tuple[BadRecord, ...]]:
        """Return `read_valid` of all files of this format below `reports`, in the order of their paths."""
        contents, faults = self.read_valid(self.files(reports))
        return list(contents.values()), faults

    def write(self, reports: Path, content: T) -> Path:
        """Write whole or not at all. Raise BadRecord, before anything is written, where `content` breaks the contract.

        A file that stands there and cannot be read (perhaps of a newer format) is kept under another name.
        """
        data = self.encode(content)
        self.decode(data)
        target = self.path(reports, *self.place(content))
        if linked := next((folder for folder in target.parents[:3] if folder.is_symlink()), None):
            raise MachineError(f"{linked} is a link, through which nothing is written", "put a folder in its place")
        if target.is_symlink() or target.exists():
            try:
                self.read(target)
            except BadRecord:
                target.replace(target.with_name(f"{target.name}.unreadable"))
        write_whole(target, data)
        return target


def read_at_most(file: Path, size: int) -> bytes:
    """Return the first `size` bytes of a plain file: a link could lead anywhere, and a pipe has no end.

    Raise FileNotFoundError where there is no file, BadRecord where it is not a plain file or cannot be read.
    """
    if not stat.S_ISREG(file.lstat().st_mode):
        raise BadRecord("is not a plain file")
    try:
        with file.open("rb") as stream:
            return stream.read(size)
    except OSError as fault:
        raise BadRecord(f"cannot be read: {fault.strerror}") from fault
