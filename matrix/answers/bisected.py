"""What a bisection found, kept in the cache beside the builds that it tried: `show --issue` tells it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from packaging.version import Version

from matrix.base import files, paths
from matrix.base.errors import BadRecord
from matrix.record.file_format import read_at_most
from matrix.record.records import CellId

CACHE = paths.WORK / "bisect"
MAX_FILE = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a release does in the cell; `source`: the run that shows it, or that it was tried here."""

    release: str
    outcome: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """The narrowest pair of releases between which the cell changes. `flips`: more than one change lies between."""

    good: Seen
    bad: Seen
    tried: tuple[Seen, ...] = ()
    skipped: tuple[str, ...] = ()
    flips: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the records say, and what trying builds in between made of it, if it was asked for."""

    cell: str
    profile: str
    by_records: Found
    narrowed: Found | None = None


def keep(answer: Answer, cache: Path = CACHE) -> None:
    files.write_whole(_file(answer.cell, answer.profile, cache), msgspec.json.encode(answer))


def edge_in_words(cell: CellId, profile: str, outcome: str, cache: Path = CACHE) -> str:
    """Say which build is the first that shows the outcome, or the last; "" where no bisection found it."""
    try:
        kept = read_at_most(_file("/".join(cell), profile, cache), MAX_FILE)
        found = msgspec.json.decode(kept, type=Answer).narrowed
    except (FileNotFoundError, BadRecord, msgspec.DecodeError, UnicodeDecodeError):
        return ""
    here = found and next((one for one in (found.bad, found.good) if one.outcome == outcome), None)
    if not found or not here:
        return ""
    other = found.good if here is found.bad else found.bad
    which = "first" if Version(here.release) > Version(other.release) else "last"
    return f"The {which} build that does this is {here.release}; {other.release}: {other.outcome}."


def _file(cell: str, profile: str, cache: Path) -> Path:
    return cache / "found" / f"{cell.replace('/', ',')}+{profile}.json"
