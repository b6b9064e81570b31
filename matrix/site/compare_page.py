"""What the script is told to compare two runs: the outcome of every cell, a letter each."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from packaging.version import Version

from matrix.base.ids import BACKENDS
from matrix.judge.verdicts import question
from matrix.record.letters import UNOBSERVED, WORDS, letter
from matrix.record.records import CellId, Header, Observation, Record
from matrix.site.content import Content


def script(content: Content) -> bytes:
    """`data/outcomes.js`: sets OUTCOMES. `cells` are those of all records; each run has a letter for each of them."""
    made = sorted((record for record in content.records if record.observations), key=_place)
    cells = list(dict.fromkeys(one.cell for record in made for one in record.observations))
    places = {cell: number for number, cell in enumerate(cells)}
    told = {
        "words": WORDS,
        "cells": ["/".join(cell) for cell in cells],
        "runs": [
            _about(record.header)
            | {"ways": list(content.ways(question(record.header))), "outcomes": _letters(record.observations, places)}
            for record in made
        ],
    }
    return b"const OUTCOMES = " + msgspec.json.encode(told) + b";\n"


def _place(record: Record) -> tuple[int, Version, str]:
    header = record.header
    return (BACKENDS.index(header.backend), Version(header.release), header.profile)


def _about(header: Header) -> dict[str, object]:
    return {
        "run": header.run,
        "release": header.release,
        "backend": header.backend,
        "profile": header.profile,
        "host": header.host.host_class,
        "engine": header.engine,
        "suite": header.suite_sha256,
        "planned": header.planned_for is not None,
    }


def _letters(observations: Iterable[Observation], places: dict[CellId, int]) -> str:
    letters = [UNOBSERVED] * len(places)
    for one in observations:
        letters[places[one.cell]] = letter(one)
    return "".join(letters)
