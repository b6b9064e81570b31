"""Builds `probe.pyz`: suite, main program, readers of models and published rows in one file for Python 3.6."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from matrix.answers.model import prediction
from matrix.base import paths
from matrix.base.files import write_whole
from matrix.base.structs import Strict
from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE
from matrix.catalog.suite_hash import suite_sha256
from matrix.judge.verdicts import REPRESENTATIVE, JudgedRun, core_case, judged_runs
from matrix.record import host, records
from matrix.record.letters import WORDS, letter
from matrix.record.records import CellId, Record
from matrix.suite import catalog as suite

PROGRAM = Path(__file__).parent / "program"
MODEL = Path(prediction.__file__).parent
# The oldest date that a ZIP can hold: the same content makes the same file.
DATE = (1980, 1, 1, 0, 0, 0)
# What the program in the probe reads, see `published`.
Rows = dict[str, Any]
# What decides most of the words: the epilogue that is judged for fusion, and none at all.
EPILOGUES = ("none", REPRESENTATIVE)
# What the probe's table shows of each approach, the quick before the slow.
TABLE = (
    ("graph", "forward"), ("graph", "fusion"), ("eager", "forward"), ("graph", "gradient"), ("jit", "forward"),
    ("keras", "forward"), ("keras", "gradient"),
)  # fmt: skip
# The approaches that people write, which the probe observes before the others.
FIRST = [name for name, approach in APPROACHES.items() if approach.common]


class Built(Strict, frozen=True, kw_only=True):
    """What was packed: how many cells the probe observes, and the releases that it knows a row of."""

    file: str
    sha256: str
    size: int
    cells: int
    releases: list[str]
    suite_sha256: str


def build(reports: Path, output: Path) -> Built:
    rows = published(records.readable(reports)[0])
    data = pack(rows)
    write_whole(output, data)
    return Built(
        file=str(output),
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        cells=len(rows["cells"]),
        releases=list(rows["rows"]),
        suite_sha256=rows["suite_sha256"],
    )


def pack(rows: Rows) -> bytes:
    content = {"published.json": msgspec.json.encode(rows, order="sorted")}
    content |= {file.name: file.read_bytes() for file in sorted(PROGRAM.glob("*.py"))}
    content |= {f"model/{file.name}": file.read_bytes() for file in sorted(MODEL.glob("*.py"))}
    for file in sorted(paths.SUITE.rglob("*.py")):
        if not file.name.startswith(("test_", "bench_")):
            content[f"suite/{file.relative_to(paths.SUITE).as_posix()}"] = file.read_bytes()
    stream = io.BytesIO(b"#!/usr/bin/env python3\n")
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name, DATE), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def cells() -> list[CellId]:
    """Return the cells of the core in the order in which the probe observes them until its time is over: first what its
    table shows, the quick before the slow, and the approaches that people write before the others.
    """
    wanted = {core_case(approach, epilogue) for approach in APPROACHES for epilogue in EPILOGUES}
    core = [cell for cell in suite.cells() if cell.case in wanted and cell.mode in suite.CORE_MODES]

    def turn(cell: CellId) -> tuple[int, int]:
        approach, mode, check, case = cell
        shown = (mode, check) in TABLE and case == core_case(approach, REPRESENTATIVE)
        column = TABLE.index((mode, check)) if shown else len(TABLE)
        return column, FIRST.index(approach) if approach in FIRST else len(FIRST)

    return sorted(core, key=turn)


def model_cells() -> list[CellId]:
    """Return the cells by which the layers of a model are predicted."""
    written = {approach for both in prediction.WRITTEN.values() for names in both for approach in names}
    return [cell for cell in suite.cells() if cell.approach in written and cell.check != "fusion"]


def _letters(run: JudgedRun, cells: Sequence[CellId]) -> str:
    return "".join(letter(run.cells.get(cell[0], {}).get(cell)) for cell in cells)


def published(made: Sequence[Record]) -> Rows:
    """Return what the probe compares with: CPU runs that were executed, by release and profile, a letter for a cell."""
    rows: dict[str, dict[str, dict[str, str]]] = {}
    model_rows: dict[str, dict[str, str]] = {}
    names, model_names = cells(), model_cells()
    for run in judged_runs(made):
        asked = run.header
        if asked.backend == "cpu" and not asked.same_as and asked.observations:
            row = {"host_class": asked.host.host_class, "outcomes": _letters(run, names)}
            rows.setdefault(asked.release, {})[asked.profile] = row
            model_rows.setdefault(asked.release, {})[asked.profile] = _letters(run, model_names)
    return {
        "cells": ["/".join(cell) for cell in names],
        "arm_cores": host.arm()[1],
        "classes": [list(pair) for pair in host.CLASSES],
        "letters": WORDS,
        "model_cells": ["/".join(cell) for cell in model_names],
        "model_rows": model_rows,
        "plainest": INTERCHANGEABLE,
        "rows": rows,
        "suite_sha256": suite_sha256(),
    }
