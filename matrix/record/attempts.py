"""Several attempts at the same published file, made on one machine or on many, and which of them stands."""

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
from matrix.record.store import Kind, Place

T = TypeVar("T")
MOST_FILES = 20_000
# Each file is flushed to the disk before it gets its name: waiting for that is all that the threads do.
WRITERS = 8


@dataclass(frozen=True, kw_only=True)
class Attempt(Generic[T]):
    """A file that somebody made. `data`: as the contract has it written; `file`: where it was found."""

    file: Path
    made: T
    data: bytes
    place: Place


def shards_in(folder: Path) -> list[Path]:
    """The folder where it holds runs, else those of its folders that do: GitHub puts each artifact into its own."""
    if (folder / "runs").is_dir():
        return [folder]
    return sorted(child for child in folder.iterdir() if (child / "runs").is_dir())


def read(files: Sequence[Path], kind: Kind[T]) -> tuple[list[Attempt[T]], tuple[BadRecord, ...]]:
    """The files that satisfy the contract, and why the rest does not. Raise BadRecord for more than MOST_FILES."""
    if len(files) > MOST_FILES:
        raise BadRecord(f"{len(files)} files are more than the {MOST_FILES} that are merged at once")
    found, faults = [], []
    for file in files:
        try:
            made = kind.read(file)
        except BadRecord as fault:
            faults.append(fault)
        else:
            found.append(Attempt(file=file, made=made, data=kind.encode(made), place=kind.place(made)))
    return found, tuple(faults)


def better(
    found: Sequence[Attempt[T]], reports: Path, kind: Kind[T], worth: Callable[[T, Sequence[T]], tuple[Any, ...]]
) -> list[Attempt[T]]:
    """For each place the attempt that should stand in `reports` and does not yet; what stands there is an attempt too.

    `worth` compares an attempt with its rivals: the greatest stands. Raise BadRecord where two that are worth the same
    say different things.
    """
    places = sorted({kind.path(reports, *attempt.place) for attempt in found})
    standing, _ = read([file for file in places if file.exists()], kind)
    rivals: dict[Place, list[Attempt[T]]] = defaultdict(list)
    for attempt in [*standing, *found]:
        rivals[attempt.place].append(attempt)
    stands = {attempt.place: attempt.data for attempt in standing}
    best, ties = [], []
    for place, attempts in sorted(rivals.items()):
        all_made = [attempt.made for attempt in attempts]
        worths = {id(attempt): worth(attempt.made, all_made) for attempt in attempts}
        first, *others = sorted(attempts, key=lambda attempt: worths[id(attempt)], reverse=True)
        ties += [
            f"{place[2]}: {first.file} and {other.file}"
            for other in others
            if worths[id(other)] == worths[id(first)] and other.data != first.data
        ]
        if first.data != stands.get(place):
            best.append(first)
    if ties:
        raise BadRecord(
            listed_below("which of these is the newer is open:", ties), "keep one of the two, remove the other"
        )
    return best


def write(attempts: Iterable[Attempt[T]], reports: Path, kind: Kind[T]) -> None:
    with ThreadPoolExecutor(WRITERS) as writers:
        written = [writers.submit(write_whole, kind.path(reports, *one.place), one.data) for one in attempts]
        for done in written:
            done.result()
