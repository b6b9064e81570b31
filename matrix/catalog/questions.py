"""Loads matrix/data/questions.toml: what people ask who have no error, and what answers it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from matrix.base import paths
from matrix.base.structs import Strict
from matrix.catalog.entries import Text, load_entries
from matrix.catalog.known_errors import Condition, Link

Shown = Literal["speed", "fusion", "needs"]


class Question(Strict, frozen=True, kw_only=True):
    """A question is meant where the text has a word of each of `words`, alternatives parted by `|`, and `when` holds.

    `says` is the answer in a sentence, `do` what to do; `error`: a known error that is the answer instead. `shows`: the
    records that are shown with it. `command` is the verb that shows more; `{release}` and the like are filled in.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=40)]
    words: Annotated[
        list[Annotated[str, Meta(pattern=r"^[a-z0-9 =(.?,'_-]+(?:\|[a-z0-9 =(.?,'_-]+)*$")]], Meta(min_length=1)
    ]
    when: list[Condition] = []
    says: Text | None = None
    do: list[Text] = []
    why: list[Text] = []
    reported: list[Text] = []
    error: str = ""
    shows: Shown | None = None
    command: str = ""
    links: list[Link] = []


def load(data: Path = paths.DATA) -> tuple[Question, ...]:
    """In the order of the file: the first that is meant is answered."""
    return load_entries(data / "questions.toml", "question", Question, key="id")
