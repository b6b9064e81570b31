"""Load and judge a folder of reports. SUPPORT.md and the pages both show what this module returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matrix.base.errors import BadRecord
from matrix.catalog import known_errors, releases
from matrix.catalog.known_errors import KnownError
from matrix.catalog.releases import Catalog
from matrix.judge import statements, support, verdicts
from matrix.judge.statements import Statements
from matrix.judge.support import Support
from matrix.judge.verdicts import Judgement
from matrix.record import records, speed_records
from matrix.record.records import Record
from matrix.record.speed_records import SpeedRun


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A folder's records and speed runs, and what is concluded from them. `faults`: why a file was left out."""

    catalog: Catalog
    known: tuple[KnownError, ...]
    records: tuple[Record, ...]
    timed: tuple[SpeedRun, ...]
    faults: tuple[BadRecord, ...]
    judgements: tuple[Judgement, ...]
    support: Support
    statements: Statements


def load(reports: Path) -> Judged:
    """Raise BadData where a file of matrix/data/ is faulty. A broken record is left out."""
    catalog, known = releases.load(), known_errors.load()
    made, faults = records.readable(reports)
    timed, more_faults = speed_records.readable(reports)
    judgements = verdicts.judge(made)
    return Judged(
        catalog=catalog,
        known=known,
        records=tuple(made),
        timed=tuple(timed),
        faults=(*faults, *more_faults),
        judgements=tuple(judgements),
        support=support.build(catalog, made, judgements, known, timed),
        statements=statements.build(catalog, judgements, made),
    )
