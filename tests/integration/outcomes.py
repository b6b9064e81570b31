"""The table of faults in docs/faults.md: each row says what a test saw. `pytest --golden` writes it anew."""

from __future__ import annotations

import re

from matrix.base import paths
from matrix.record.records import Observation, Record

TABLE = paths.ROOT / "docs" / "faults.md"
ROW = re.compile(r"^\| (?P<fault>[^|]+) \| (?P<engine>[^|]+) \| (?P<outcome>[^|]+) \|$", re.MULTILINE)
HEAD = "| fault | engine | outcome |\n|---|---|---|\n"


def of_cell(observation: Observation) -> str:
    why = [observation.outcome, observation.signal, observation.reason, observation.error and observation.error.type]
    return f"of its own cell: {', '.join(filter(None, why))}; the cells beside it pass"


def of_record(record: Record) -> str:
    header = record.header
    kept = f"; its {header.observations} other observations stay" if header.observations else ""
    return f"of its run: {header.status}, {header.reason}{kept}{'; the machine is to blame' if header.machine else ''}"


def check(fault: str, engine: str, outcome: str, *, write: bool) -> None:
    """Assert that the table has this outcome of this fault in this engine."""
    text = TABLE.read_text()
    before, head, _ = text.partition(HEAD)
    rows = {(row["fault"], row["engine"]): row["outcome"] for row in ROW.finditer(text) if row["fault"] != "fault"}
    if write:
        rows[fault, engine] = outcome
        lines = "".join(f"| {' | '.join((*key, rows[key]))} |\n" for key in sorted(rows))
        TABLE.write_text(before + head + lines)
    assert rows.get((fault, engine)) == outcome
