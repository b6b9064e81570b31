"""Loads matrix/data/known_errors.toml: how a known error is recognised, what it means, and what to do about it.

Errors are recognised when records are judged, not when they are made, so that a new known error changes no record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from matrix.base import paths
from matrix.base.ids import Backend
from matrix.base.structs import Strict
from matrix.catalog.releases import Text, load_entries
from matrix.record.records import Observation

# A pattern may hold only what means the same in Python and in JavaScript, with any flags: literal text, sets of ASCII
# characters, alternatives, and ? * + behind a single character or set. \d, \w, \s, \b and the dot are refused, since
# they match different characters there. Repeated groups are refused, so that no pattern can take exponential time.
_CHARACTER = r"[A-Za-z0-9 _,:;'\"<>=%&!@#~-]|\\[.()\[\]{}|*+?^$/]|\[\^?[A-Za-z0-9 _.,:;'\"<>=-]+\]"
PATTERN = rf"^(?:(?:{_CHARACTER})[?*+]?|\(\?:|\)(?![?*+])|\|)+$"
# A link must lead to a page where people report and discuss errors, so that a reader can judge it.
LINK = (
    r"^https://(?:github\.com/[\w.-]+/[\w.-]+/(?:issues|pull)/[0-9]+|github\.com/[\w.-]+/[\w.-]+/blob/[\w./#-]+|"
    r"stackoverflow\.com/questions/[0-9]+|discuss\.[\w.-]+/t/[\w/-]+)$"
)


class KnownError(Strict, frozen=True, kw_only=True):
    """An error text in which `pattern` is found. `examples` are real error texts.

    `backends`: the backends whose kernels can raise it; empty where any backend can.
    `meaning`: the cause. `otherwise`: other causes of the same text, each with the check that tells it apart.
    `mend`: what to change in a program that no release could run.
    `reported`: workarounds that only the `links` describe. Workarounds that records show are not written here but
    computed from the records (matrix/answers/workarounds.py).
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
    """In the order of the file, special errors before general ones. Raise BadData naming every fault."""
    return load_entries(data / "known_errors.toml", "error", KnownError, key="id")


def recognise(known: Sequence[KnownError], text: str) -> KnownError | None:
    """The first known error whose pattern is found in `text`."""
    text = searched(text)
    return next((error for error in known if found_in(text, error.pattern)), None)


def searched(text: str) -> str:
    """`text` on one line, as patterns expect it, so that the line breaks of a terminal do not matter."""
    return " ".join(text.split())


def found_in(text: str, pattern: str) -> bool:
    """ASCII letters match in either case, as with `new RegExp(pattern, "i")` in JavaScript."""
    return re.search(pattern, text, re.IGNORECASE | re.ASCII) is not None


def failure_text(observation: Observation) -> str:
    """A failed observation as one text: the error, or how the program ended."""
    if observation.error:
        return observation.error.text
    reasons = filter(None, (observation.signal, observation.reason))
    return f"{observation.outcome}: {', '.join(reasons) or 'it does not say why'}"
