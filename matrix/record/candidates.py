"""Decides between several files of the same run, made on one machine or on many, and publishes the best of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from matrix.base.errors import BadRecord
from matrix.base.files import write_whole
from matrix.base.grouping import grouped
from matrix.base.text import listed_below
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
    """Return `folder` if it holds runs, else those of its folders that do: GitHub puts each artifact into its own."""
    if (folder / "runs").is_dir():
        return [folder]
    return sorted(child for child in folder.iterdir() if (child / "runs").is_dir())


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
) -> list[Candidate[T]]:
    """Return the candidates that should be published in `reports`: at most one for each place.

    `worth` rates a candidate among all candidates for its place, and the greatest is chosen; the file that is published
    there already is a candidate too. Raise BadRecord where two of equal worth differ in content.
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
        ties += [
            f"{place.run}: {first.file} and {other.file}" for other in equals if format_.encode(other.content) != data
        ]
        if not published or format_.encode(published[0].content) != data:
            best.append(first)
    if ties:
        raise BadRecord(
            listed_below("which of these is the newer is open:", ties), "keep one of the two, remove the other"
        )
    return best


def write(candidates: Iterable[Candidate[T]], reports: Path, format_: FileFormat[T]) -> None:
    with ThreadPoolExecutor(WRITERS) as writers:
        written = [
            writers.submit(write_whole, format_.path(reports, *candidate.place), format_.encode(candidate.content))
            for candidate in candidates
        ]
        for future in written:
            future.result()
