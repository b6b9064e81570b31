"""The tables as JSON and CSV, for programs and spreadsheets."""

from __future__ import annotations

import base64
import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from matrix.base.text import plain
from matrix.catalog.approaches import APPROACHES
from matrix.judge.support import RunEntry, question_of
from matrix.judge.verdicts import NEEDS
from matrix.record import records
from matrix.record.records import Observation, Record
from matrix.report.support_table import why_unknown
from matrix.site.content import Content
from matrix.site.html import run_path

Value = str | int | float | None
VERDICT = ("release", "backend", "profile", "host_class", "approach", "verdict", "evidence", *NEEDS, "engine", "notes")
RUN = (
    "run", "release", "backend", "profile", "host_class", "engine", "status", "date", "observations", "unknown_cells",
    "why_unknown", "same_as", "onednn", "older_suite", "doubtful", "reason",
)  # fmt: skip
ERROR = ("known", "type", "message", "count", "runs")
OBSERVED = (
    "approach", "mode", "check", "case", "outcome", "evidence", "error_type", "error_message", "kernel", "epilogue",
    "ops", "source", "rel_err", "signal", "reason",
)  # fmt: skip
# A spreadsheet takes a text that begins so for a formula.
FORMULA = ("=", "+", "-", "@")


def tables(content: Content) -> Iterator[tuple[str, bytes]]:
    """`data/NAME.json.gz` and `data/NAME.csv.gz`: the support table, the runs, the errors."""
    verdicts: list[tuple[Value, ...]] = [
        (one.release, one.backend, one.profile, one.host_class, one.approach, one.verdict, one.evidence,
         *(one.needs[need] for need in NEEDS), one.engine, " ".join(one.notes))
        for one in content.support.verdicts
    ]  # fmt: skip
    runs: list[tuple[Value, ...]] = []
    for run in content.support.runs:
        unknown = unknown_entries(content, run)
        runs.append((
            run.run, run.release, run.backend, run.profile, run.host_class, run.engine, run.status, run.date,
            run.observations, unknown, why_unknown(run) if unknown else None, run.same_as,
            None if run.onednn is None else int(run.onednn), int(run.older_suite), len(run.doubtful), run.reason,
        ))  # fmt: skip
    errors: list[tuple[Value, ...]] = [
        (one.known, one.type, one.message, one.count, " ".join(one.runs)) for one in content.support.errors
    ]
    for name, heads, rows in (("table", VERDICT, verdicts), ("runs", RUN, runs), ("errors", ERROR, errors)):
        data = msgspec.json.encode([dict(zip(heads, row, strict=True)) for row in rows])
        yield compressed(f"data/{name}.json", data)
        yield compressed(f"data/{name}.csv", as_csv(heads, rows))


def unknown_entries(content: Content, run: RunEntry) -> int:
    """Count the approaches that are unknown in a run; all of them where the run was never made."""
    if run.engine is None:
        return len(APPROACHES)
    return sum(one.verdict == "unknown" for one in content.verdicts_of(question_of(run)).values())


def badge(content: Content) -> tuple[str, bytes]:
    """`data/badge.json`, in the form that shields.io asks an endpoint for."""
    observed = sum(one.verdict != "unknown" for one in content.support.verdicts)
    message = f"{observed:,} entries observed in {len(content.releases)} releases"
    shown = {"schemaVersion": 1, "label": "TensorFlow grouped convolution", "message": message, "color": "blue"}
    return "data/badge.json", msgspec.json.encode(shown)


def observations(made: Iterable[Record]) -> Iterator[tuple[str, bytes]]:
    """Yield each record as it was published, and its observations as CSV."""
    for record in made:
        header = record.header
        place = (header.host.host_class, header.engine, header.run)
        for ending, data in (
            ("jsonl", records.encode(record)),
            ("csv", as_csv(OBSERVED, map(_observation, record.observations))),
        ):
            yield compressed(run_path(*place, ending), data)


def script(name: str, value: object) -> tuple[str, bytes]:
    """`data/NAME.js`: hands the value to the page as `DATA[name]`. A page that is read from disk may load scripts
    alone, so it is a script that holds compressed JSON as text.
    """
    text = base64.b64encode(_packed(msgspec.json.encode(value)))
    return f"data/{name}.js", b"take(" + msgspec.json.encode(name) + b', "' + text + b'");\n'


def compressed(path: str, data: bytes) -> tuple[str, bytes]:
    """`PATH.gz`: a tenth to a twentieth."""
    return f"{path}.gz", _packed(data)


def _packed(data: bytes) -> bytes:
    """Compress without a date, so that the same data is the same file."""
    return gzip.compress(data, compresslevel=9, mtime=0)


def _observation(one: Observation) -> tuple[Value, ...]:
    error = (one.error.type, one.error.message) if one.error else (None, None)
    fusion: tuple[Value, ...] = (None, None, None, None)
    if one.fusion:
        ops = ", ".join(f"{op} x{count}" for op, count in one.fusion.ops.items())
        fusion = (one.fusion.kernel, one.fusion.epilogue, ops, one.fusion.source)
    return (*one.cell, one.outcome, one.evidence, *error, *fusion, one.rel_err, one.signal, one.reason)


def as_csv(heads: Sequence[str], rows: Iterable[Sequence[Value]]) -> bytes:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
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
