"""Load and judge a folder of reports. SUPPORT.md and the pages both show what this module returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matrix.base.errors import BadData, BadRecord
from matrix.catalog import known_errors, releases
from matrix.catalog.known_errors import KnownError
from matrix.catalog.releases import Catalog
from matrix.judge import statements, support, verdicts
from matrix.judge.statements import Statements
from matrix.judge.support import Support
from matrix.judge.verdicts import Judgement
from matrix.record import records, speed_records
from matrix.record.records import RUNS, Record
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
    made, faults = records.readable(reports)
    timed, more_faults = speed_records.readable(reports)
    judged = conclude(made, timed)
    return replace(judged, faults=(*faults, *more_faults, *judged.faults))


def conclude(made: Sequence[Record], timed: Sequence[SpeedRun]) -> Judged:
    """Judge these records. Leave out, and name in `faults`, a record that no rule can judge, whatever is wrong with it:
    one record costs no other its verdict.
    """
    try:
        return _conclude(made, timed)
    except BadData:
        raise
    except Exception:
        sound, faults = [], []
        for record in made:
            try:
                _conclude([record], [])
            except Exception as fault:  # noqa: BLE001 - whatever it is, it costs this record alone
                file = Path(*RUNS.place(record))
                faults.append(BadRecord(f"{file}: cannot be judged: {type(fault).__name__}: {fault}", file=file))
            else:
                sound.append(record)
        if not faults:
            raise
        return replace(_conclude(sound, timed), faults=tuple(faults))


def _conclude(made: Sequence[Record], timed: Sequence[SpeedRun]) -> Judged:
    catalog, known = releases.load(), known_errors.load()
    # A host class on which the machine prevented everything has no rows: it would only add to what is unknown.
    heard = {record.header.host.host_class for record in made if record.observations or not record.header.machine}
    told = [record for record in made if record.header.host.host_class in heard]
    judgements = verdicts.judge(told)
    return Judged(
        catalog=catalog,
        known=known,
        records=tuple(made),
        timed=tuple(timed),
        faults=(),
        judgements=tuple(judgements),
        support=support.build(catalog, told, judgements, known, timed),
        statements=statements.build(catalog, judgements, made),
    )
