"""Loads matrix/data/clues.toml: what a text tells besides its error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from matrix.base import paths
from matrix.base.structs import Strict
from matrix.catalog.entries import load_entries
from matrix.catalog.known_errors import Pattern


class Clue(Strict, frozen=True, kw_only=True):
    """`fact` is `value`, or what the group `value` holds, where one of the `patterns` is found."""

    fact: Annotated[str, Meta(pattern=r"^[a-z]+$")]
    value: str = ""
    patterns: Annotated[list[Pattern], Meta(min_length=1)]


def load(data: Path = paths.DATA) -> tuple[Clue, ...]:
    """In the order of the file: of each fact, the first clue that is found counts."""
    return load_entries(data / "clues.toml", "clue", Clue, key="")
