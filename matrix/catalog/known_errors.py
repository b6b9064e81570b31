"""The error texts that are known: how one is recognised, what it really means, and what to do about it.

Errors are recognised when records are judged, not when they are made, so that naming one never rewrites evidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from matrix.base import paths
from matrix.base.ids import Backend
from matrix.base.structs import Strict
from matrix.catalog.releases import Text, load_entries
from matrix.record.records import Observation

# What means the same in Python and in JavaScript, with any flags: literal text, sets of ASCII characters, alternatives,
# and ? * + behind a single character or set. No \d, \w, \s, \b and no dot: their reach differs. No repeated group:
# nothing here can take exponential time.
_CHARACTER = r"[A-Za-z0-9 _,:;'\"<>=%&!@#~-]|\\[.()\[\]{}|*+?^$/]|\[\^?[A-Za-z0-9 _.,:;'\"<>=-]+\]"
PATTERN = rf"^(?:(?:{_CHARACTER})[?*+]?|\(\?:|\)(?![?*+])|\|)+$"
# Where people report: what a link leads to must be a page that a reader can judge.
LINK = (
    r"^https://(?:github\.com/[\w.-]+/[\w.-]+/(?:issues|pull)/[0-9]+|github\.com/[\w.-]+/[\w.-]+/blob/[\w./#-]+|"
    r"stackoverflow\.com/questions/[0-9]+|discuss\.[\w.-]+/t/[\w/-]+)$"
)


class KnownError(Strict, frozen=True, kw_only=True):
    """An error text: `pattern` is searched for in it, `examples` are real ones.

    `backends`: whose kernels alone say it; none where it can come from any.
    `meaning` is the cause; `otherwise` are other causes of the same text, each with the check that tells it apart.
    `mend` is what to change in a program that no release could run. `reported` are ways round that only the `links`
    tell of; those that records show are not written down here but computed from them (matrix/answers/workarounds.py).
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=40)]
    pattern: Annotated[str, Meta(pattern=PATTERN, max_length=300)]
    backends: Annotated[list[Backend], Meta(max_length=3)] = []
    name: Annotated[str, Meta(min_length=1, max_length=80)]
    meaning: Text
    otherwise: list[Text] = []
    mend: list[Text] = []
    reported: list[Text] = []
    links: list[Annotated[str, Meta(pattern=LINK)]]
    examples: Annotated[list[Text], Meta(min_length=1)]


def load(data: Path = paths.DATA) -> tuple[KnownError, ...]:
    """In the order of the file: the special before the general. Raise BadData naming every fault."""
    return load_entries(data / "known_errors.toml", "error", KnownError, key="id")


def recognise(known: Sequence[KnownError], text: str) -> KnownError | None:
    """The first whose pattern is in `text`."""
    text = searched(text)
    return next((error for error in known if found_in(text, error.pattern)), None)


def searched(text: str) -> str:
    """`text` as patterns are searched for in it: on one line, so that a terminal's line breaks do not matter."""
    return " ".join(text.split())


def found_in(text: str, pattern: str) -> bool:
    return _compiled(pattern).search(text) is not None


def spoken(observation: Observation) -> str:
    """A failed observation as one text: the error, or how it ended."""
    if observation.error:
        return f"{observation.error.type}: {observation.error.message}"
    told = (observation.signal, observation.reason)
    return f"{observation.outcome}: {', '.join(filter(None, told)) or 'it does not say why'}"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """ASCII letters match in either case, as people write them: `new RegExp(pattern, "i")` does the same."""
    return re.compile(pattern, re.IGNORECASE | re.ASCII)
