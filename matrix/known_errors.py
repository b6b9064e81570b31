"""The error texts that are known: how one is recognised, what it really means, and what to do about it.

Errors are recognised when records are judged, not when they are made, so that naming one never rewrites evidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from matrix import paths
from matrix.catalog import Text, load_entries

# What means the same in Python and in JavaScript, with any flags: literal text, sets of ASCII characters, alternatives,
# and ? * + behind a single character or set. No \d, \w, \s, \b and no dot: their reach differs. No repeated group:
# nothing here can take exponential time.
_CHARACTER = r"[A-Za-z0-9 _,:;'\"<>=%&!@#~-]|\\[.()\[\]{}|*+?^$/]|\[\^?[A-Za-z0-9 _.,:;'\"<>=-]+\]"
PATTERN = rf"^(?:(?:{_CHARACTER})[?*+]?|\(\?:|\)(?![?*+])|\|)+$"


class KnownError(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An error text: `pattern` is searched for in it, `examples` are real ones.

    `meaning` is the cause, `otherwise` another cause of the same text with the check that tells the two apart.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=40)]
    pattern: Annotated[str, Meta(pattern=PATTERN, max_length=300)]
    name: Annotated[str, Meta(min_length=1, max_length=80)]
    meaning: Text
    otherwise: Text | None = None
    ways_round: Annotated[list[Text], Meta(min_length=1)]
    links: list[Annotated[str, Meta(pattern=r"^https://github\.com/[\w.-]+/[\w.-]+/(?:issues|pull)/[0-9]+$")]]
    examples: Annotated[list[Text], Meta(min_length=1)]


def load(data: Path = paths.DATA) -> tuple[KnownError, ...]:
    """In the order of the file: the special before the general. Raise BadData naming every fault."""
    return load_entries(data / "known_errors.toml", "error", KnownError, key="id")


def recognise(known: Sequence[KnownError], text: str) -> KnownError | None:
    """The first whose pattern is in `text`."""
    return next((error for error in known if _compiled(error.pattern).search(text)), None)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
