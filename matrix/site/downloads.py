"""The tables as JSON and CSV, for programs and spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from matrix.base.text import plain
from matrix.catalog.approaches import APPROACHES
from matrix.judge.support import RunEntry, Verdict, question_of
from matrix.judge.verdicts import NEEDS
from matrix.record import records
from matrix.record.records import Fusion, Observation, Record
from matrix.report.support_table import why_unknown
from matrix.site.content import Content
from matrix.site.html import run_path

Value = str | int | float | None
OBSERVED = (
    "approach", "mode", "check", "case", "outcome", "evidence", "error_type", "error_message", "kernel", "epilogue",
    "ops", "source", "rel_err", "signal", "reason",
)  # fmt: skip
# What a spreadsheet would take for a formula.
FORMULA = ("=", "+", "-", "@")


def tables(content: Content) -> Iterator[tuple[str, bytes]]:
    """`data/NAME.json` and `data/NAME.csv`: the support table, the runs, the errors."""
    for name, heads, rows in (
        ("table", VERDICT, [_verdict(verdict) for verdict in content.support.verdicts]),
        ("runs", RUN, [_run(content, run) for run in content.support.runs]),
        ("errors", ERROR, [_error(entry.known, entry.type, entry.message, entry.count, entry.runs)
                           for entry in content.support.errors]),
    ):  # fmt: skip
        yield f"data/{name}.json", msgspec.json.encode([dict(zip(heads, row, strict=True)) for row in rows])
        yield f"data/{name}.csv", as_csv(heads, rows)


def badge(content: Content) -> tuple[str, bytes]:
    """`data/badge.json`, in the form that shields.io asks an endpoint for."""
    observed = sum(one.verdict != "unknown" for one in content.support.verdicts)
    said = f"{observed:,} cells observed in {len(content.releases)} releases"
    told = {"schemaVersion": 1, "label": "TensorFlow grouped convolution", "message": said, "color": "blue"}
    return "data/badge.json", msgspec.json.encode(told)


def observations(made: Iterable[Record]) -> Iterator[tuple[str, bytes]]:
    """Each record as it was published, and its observations as CSV."""
    for record in made:
        header = record.header
        place = (header.host.host_class, header.engine, header.run)
        yield run_path(*place, "jsonl"), records.encode(record)
        yield run_path(*place, "csv"), as_csv(OBSERVED, map(_observation, record.observations))


def as_csv(heads: Sequence[str], rows: Iterable[Sequence[Value]]) -> bytes:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([_inert(value) for value in row] for row in rows)
    return lines.getvalue().encode()


@lru_cache(maxsize=50_000)
def _inert(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    text = value if value.isprintable() else plain(value, 1_000)
    return f"'{text}" if text.startswith(FORMULA) else text


VERDICT = ("release", "backend", "profile", "host_class", "approach", "verdict", "evidence", *NEEDS, "engine", "notes")
RUN = (
    "run", "release", "backend", "profile", "host_class", "engine", "status", "date", "observations", "unknown_cells",
    "why_unknown", "same_as", "onednn", "older_suite", "doubtful", "reason",
)  # fmt: skip
ERROR = ("known", "type", "message", "count", "runs")


def _verdict(one: Verdict) -> tuple[Value, ...]:
    needs = (one.needs[need] for need in NEEDS)
    place = (one.release, one.backend, one.profile, one.host_class, one.approach)
    return (*place, one.verdict, one.evidence, *needs, one.engine, " ".join(one.notes))


def unknown_cells(content: Content, run: RunEntry) -> int:
    """How many approaches of the table are unknown in a run; all of them where it was never made."""
    if run.engine is None:
        return len(APPROACHES)
    return sum(one.verdict == "unknown" for one in content.ways(question_of(run)).values())


def _run(content: Content, run: RunEntry) -> tuple[Value, ...]:
    unknown = unknown_cells(content, run)
    return (
        run.run, run.release, run.backend, run.profile, run.host_class, run.engine, run.status, run.date,
        run.observations, unknown, why_unknown(run) if unknown else None, run.same_as,
        None if run.onednn is None else int(run.onednn), int(run.older_suite), len(run.doubtful), run.reason,
    )  # fmt: skip


def _error(known: str | None, kind: str, message: str, count: int, runs: Sequence[str]) -> tuple[Value, ...]:
    return (known, kind, message, count, " ".join(runs))


def _observation(one: Observation) -> tuple[Value, ...]:
    error = (one.error.type, one.error.message) if one.error else (None, None)
    return (*one.cell, one.outcome, one.evidence, *error, *_fusion(one.fusion), one.rel_err, one.signal, one.reason)


def _fusion(fusion: Fusion | None) -> tuple[Value, ...]:
    if fusion is None:
        return (None, None, None, None)
    ops = ", ".join(f"{op} x{count}" for op, count in fusion.ops.items())
    return (fusion.kernel, fusion.epilogue, ops, fusion.source)
