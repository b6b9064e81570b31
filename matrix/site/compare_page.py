"""The data with which the page's script compares two runs: the outcome of every cell, a letter each."""

from __future__ import annotations

from packaging.version import Version

from matrix.base.ids import BACKENDS
from matrix.judge.support import question_of
from matrix.judge.verdicts import question
from matrix.record.letters import UNOBSERVED, WORDS, letter
from matrix.record.records import Record
from matrix.site.content import Content


def outcomes(content: Content) -> dict[str, object]:
    """Return what the page compares. `cells` are those of all records; each run has a letter for each of them."""

    def place(record: Record) -> tuple[int, Version, str]:
        header = record.header
        return (BACKENDS.index(header.backend), Version(header.release), header.profile)

    made = sorted((record for record in content.records if record.observations), key=place)
    cells = list(dict.fromkeys(one.cell for record in made for one in record.observations))
    numbers = {cell: number for number, cell in enumerate(cells)}
    runs: list[dict[str, object]] = []
    for record in made:
        header = record.header
        letters = [UNOBSERVED] * len(cells)
        for one in record.observations:
            letters[numbers[one.cell]] = letter(one)
        runs.append({
            "run": header.run,
            "release": header.release,
            "backend": header.backend,
            "profile": header.profile,
            "host": header.host.host_class,
            "engine": header.engine,
            "suite": header.suite_sha256,
            "planned": header.planned_for is not None,
            "ways": list(content.verdicts_of(question(header))),
            "outcomes": "".join(letters),
        })  # fmt: skip
    # A run that is the same as another has that one's outcomes: the number of that run stands for them.
    places = {(run["run"], run["host"]): number for number, run in enumerate(runs)}
    for entry in content.support.runs:
        number = places.get((entry.same_as or "", entry.host_class))
        if number is not None and entry.engine:
            names = {"run": entry.run, "profile": entry.profile, "ways": list(content.verdicts_of(question_of(entry)))}
            runs.append(runs[number] | names | {"outcomes": number})
    settings = {profile.name: profile.setting or "nothing set" for profile in content.catalog.profiles}
    return {"settings": settings, "words": WORDS, "cells": ["/".join(cell) for cell in cells], "runs": runs}
