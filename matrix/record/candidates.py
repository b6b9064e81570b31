"""Decides between several files of the same run, made on one machine or on many, and publishes the best of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from matrix.base.errors import BadRecord, BadUsage
from matrix.base.files import write_whole
from matrix.base.grouping import grouped
from matrix.record.file_format import FileFormat, Place

T = TypeVar("T")
MOST_FILES = 20_000
# Each file is flushed to the disk before it gets its name. The threads do nothing but wait for that.
WRITERS = 8


@dataclass(frozen=True, kw_only=True)
class Candidate(Generic[T]):
    """A file found at `file` whose content may be published at `place`."""

    file: Path
    content: T
    place: Place


def shards_in(folder: Path) -> list[Path]:
    """Return `folder` if it holds runs, else those of its folders that do: GitHub puts each artifact into its own.

    Raise BadUsage where there is none. A link is no folder of a shard.
    """
    try:
        found = [one for one in (folder, *sorted(folder.iterdir())) if (one / "runs").is_dir() and not one.is_symlink()]
    except OSError as fault:
        raise BadUsage(f"{folder} cannot be read: {fault.strerror}", "name the folder of a shard") from fault
    if not found:
        raise BadUsage(
            f"{folder} holds no runs, nor does a folder in it", "name the folder that a shard wrote: shards/1-of-2"
        )
    return found[:1] if found[0] == folder else found


def read(files: Sequence[Path], format_: FileFormat[T]) -> tuple[list[Candidate[T]], tuple[BadRecord, ...]]:
    """Return the valid files, and why the others are not. Raise BadRecord where there are more than MOST_FILES."""
    if len(files) > MOST_FILES:
        raise BadRecord(f"{len(files)} files are more than the {MOST_FILES} that are merged at once")
    contents, faults = format_.read_valid(files)
    found = [Candidate(file=file, content=content, place=format_.place(content)) for file, content in contents.items()]
    return found, faults


def choose(
    found: Iterable[Candidate[T]],
    reports: Path,
    format_: FileFormat[T],
    worth: Callable[[T, Sequence[T]], tuple[Any, ...]],
) -> tuple[list[Candidate[T]], list[BadRecord]]:
    """Return the candidates that should be published in `reports`, at most one for each place, and why others are not.

    `worth` rates a candidate among all candidates for its place, and the greatest is chosen; the file that is published
    there already is a candidate too. Where two of equal worth differ in content, what is published stays, and nothing
    is published where nothing was.
    """
    best, ties = [], []
    for place, found_there in sorted(grouped(found, lambda candidate: candidate.place).items()):
        file = format_.path(reports, *place)
        published, _ = read([file] if file.exists() else [], format_)
        candidates = [*published, *found_there]
        contents = [candidate.content for candidate in candidates]
        worths = [worth(content, contents) for content in contents]
        greatest = max(worths)
        first, *equals = [candidate for candidate, rate in zip(candidates, worths, strict=True) if rate == greatest]
        data = format_.encode(first.content)
        differing = [other for other in equals if format_.encode(other.content) != data]
        for other in differing:
            what = f"{other.file}: which is the newer is open, this or {first.file}"
            ties.append(BadRecord(what, "keep one of the two, remove the other", file=other.file))
        if not differing and (not published or format_.encode(published[0].content) != data):
            best.append(first)
    return best, ties


def write(candidates: Iterable[Candidate[T]], reports: Path, format_: FileFormat[T]) -> None:
    with ThreadPoolExecutor(WRITERS) as writers:
        written = [
            writers.submit(write_whole, format_.path(reports, *candidate.place), format_.encode(candidate.content))
            for candidate in candidates
        ]
        for future in written:
            future.result()
