"""Loads matrix/data/known_errors.toml: how a known error is recognised, what it means, and what to do about it.

Errors are recognised when records are judged, not when they are made, so that a new known error changes no record.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from matrix.base import paths
from matrix.base.ids import Backend
from matrix.base.structs import Strict
from matrix.catalog.entries import Text, load_entries
from matrix.catalog.patterns import PATTERN, Searched
from matrix.record.records import Observation

# A link must lead to a page where people report and discuss errors, so that a reader can judge it.
LINK = (
    r"^https://(?:github\.com/[\w.-]+/[\w.-]+/(?:issues|pull)/[0-9]+|github\.com/[\w.-]+/[\w.-]+/blob/[\w./#-]+|"
    r"stackoverflow\.com/questions/[0-9]+|discuss\.[\w.-]+/t/[\w/-]+)$"
)


Pattern = Annotated[str, Meta(pattern=PATTERN, max_length=300)]
Link = Annotated[str, Meta(pattern=LINK)]
# What must be known of a text, a release or a backend: see matrix/answers/text_facts.py.
Condition = Annotated[str, Meta(pattern=r"^!?[a-z0-9-]+(?:(?:=|<|>=)[A-Za-z0-9.]+)?$")]


class Reading(Strict, frozen=True, kw_only=True):
    """What an error means where everything in `when` holds; what is not given is as the error has it.

    `{input}` and the like stand for what was read in the text. `measured`: whether the workarounds that records show
    are of use; `without` are those of no use, `kind:name`.
    """

    when: Annotated[list[Condition], Meta(min_length=1)]
    name: Annotated[str, Meta(max_length=120)] = ""
    meaning: Text | None = None
    otherwise: list[Text] | None = None
    mend: list[Text] | None = None
    reported: list[Text] | None = None
    links: list[Link] = []
    measured: bool = True
    without: list[str] = []


class KnownError(Strict, frozen=True, kw_only=True):
    """An error text in which one of the `patterns` is found. `examples` are real error texts.

    `backends`: the backends whose kernels can raise it; empty where any backend can.
    `meaning`: the cause. `otherwise`: other causes of the same text, each with the check that tells it apart.
    `mend`: what to change in a program that no release could run.
    `reported`: workarounds that only the `links` describe. Workarounds that records show are not written here but
    computed from the records (matrix/answers/workarounds.py).
    `readings`: what it means more exactly, the first whose conditions hold. `numbers`: the text's numbers are channels
    or groups, and the readings of readings.toml hold for it too.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=40)]
    patterns: Annotated[list[Pattern], Meta(min_length=1)]
    backends: Annotated[list[Backend], Meta(max_length=3)] = []
    name: Annotated[str, Meta(min_length=1, max_length=120)]
    meaning: Text
    otherwise: list[Text] = []
    mend: list[Text] = []
    reported: list[Text] = []
    links: list[Link]
    examples: Annotated[list[Text], Meta(min_length=1)]
    readings: list[Reading] = []
    numbers: bool = False


def load(data: Path = paths.DATA) -> tuple[KnownError, ...]:
    """In the order of the file, special errors before general ones, with the readings that they share.

    Raise BadData naming every fault.
    """
    errors = load_entries(data / "known_errors.toml", "error", KnownError, key="id")
    if not any(error.numbers for error in errors):
        return errors
    shared = load_entries(data / "readings.toml", "reading", Reading, key="")
    return tuple(
        msgspec.structs.replace(error, readings=[*error.readings, *shared]) if error.numbers else error
        for error in errors
    )


def recognise(known: Sequence[KnownError], text: str) -> KnownError | None:
    """Return the first known error that is found in `text`."""
    where = Searched(text)
    return next((error for error in known if where.first(error.patterns)), None)


def failure_text(observation: Observation) -> str:
    """Return a failed observation as one text: the error, or how the program ended."""
    if observation.error:
        return observation.error.text
    reasons = filter(None, (observation.signal, observation.reason))
    return f"{observation.outcome}: {', '.join(reasons) or 'it does not say why'}"
