"""Decides between several files of the same run, made on one machine or on many, and publishes the best of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from matrix.base.errors import BadRecord
from matrix.base.files import write_whole
from matrix.base.text import listed_below
from matrix.record.store import FileFormat, Place

T = TypeVar("T")
MOST_FILES = 20_000
# Each file is flushed to the disk before it gets its name. The threads do nothing but wait for that.
WRITERS = 8


@dataclass(frozen=True, kw_only=True)
class Attempt(Generic[T]):
    """A file found at `file` whose content may be published at `place`."""

    file: Path
    made: T
    place: Place


def shards_in(folder: Path) -> list[Path]:
    """Return `folder` if it holds runs, else those of its folders that do: GitHub puts each artifact into its own."""
    if (folder / "runs").is_dir():
        return [folder]
    return sorted(child for child in folder.iterdir() if (child / "runs").is_dir())


def read(files: Sequence[Path], format_: FileFormat[T]) -> tuple[list[Attempt[T]], tuple[BadRecord, ...]]:
    """Return the valid files, and why the others are not. Raise BadRecord where there are more than MOST_FILES."""
    if len(files) > MOST_FILES:
        raise BadRecord(f"{len(files)} files are more than the {MOST_FILES} that are merged at once")
    contents, faults = format_.read_valid(files)
    return [Attempt(file=file, made=made, place=format_.place(made)) for file, made in contents.items()], faults


def better(
    found: Iterable[Attempt[T]],
    reports: Path,
    format_: FileFormat[T],
    worth: Callable[[T, Sequence[T]], tuple[Any, ...]],
) -> list[Attempt[T]]:
    """Return, for each place, the attempt that should replace what is published in `reports` or be the first there.

    `worth` rates an attempt among all of its place, what is published included: the greatest is chosen. Raise BadRecord
    where two of equal worth differ in content.
    """
    rivals: dict[Place, list[Attempt[T]]] = defaultdict(list)
    for attempt in found:
        rivals[attempt.place].append(attempt)
    best, ties = [], []
    for place, attempts in sorted(rivals.items()):
        published = format_.path(reports, *place)
        standing, _ = read([published] if published.exists() else [], format_)
        all_made = [attempt.made for attempt in (*standing, *attempts)]
        worths = [worth(made, all_made) for made in all_made]
        first, *equals = (
            attempt
            for attempt, its_worth in zip((*standing, *attempts), worths, strict=True)
            if its_worth == max(worths)
        )
        data = format_.encode(first.made)
        ties += [
            f"{place.run}: {first.file} and {other.file}" for other in equals if format_.encode(other.made) != data
        ]
        if not standing or format_.encode(standing[0].made) != data:
            best.append(first)
    if ties:
        raise BadRecord(
            listed_below("which of these is the newer is open:", ties), "keep one of the two, remove the other"
        )
    return best


def write(attempts: Iterable[Attempt[T]], reports: Path, format_: FileFormat[T]) -> None:
    with ThreadPoolExecutor(WRITERS) as writers:
        written = [
            writers.submit(write_whole, format_.path(reports, *attempt.place), format_.encode(attempt.made))
            for attempt in attempts
        ]
        for future in written:
            future.result()
