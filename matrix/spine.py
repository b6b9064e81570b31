"""The whole product, top to bottom: catalog -> plan -> provision -> run -> record -> judge -> report.

It is cut in two, so that a person can look at what would be done before it is done: `prepare` goes as far as the plan,
`carry_out` goes the rest of the way. `refresh` judges and reports what is recorded already.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from matrix.base.files import write_whole
from matrix.base.ids import EngineName
from matrix.catalog import releases
from matrix.plan import shards
from matrix.plan.due import Estimate, current, estimate, still_true
from matrix.plan.planned_run import PlannedRun
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection
from matrix.plan.shards import Part
from matrix.provision import engines
from matrix.record import records
from matrix.record.folder import behind, holding, readme
from matrix.record.records import Record
from matrix.report.report import Summary, report
from matrix.run.progress import showing
from matrix.run.scheduler import execute, slots


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A selection of runs on this machine: the runs that are due, and the records that spare all other runs."""

    catalog: releases.Catalog
    selection: Selection
    engine: EngineName
    engine_why: str
    due: tuple[PlannedRun, ...]
    current: tuple[Record, ...]
    estimate: Estimate
    shard: Part | None


@dataclass(frozen=True, kw_only=True)
class Done:
    """Records that a person must hear of, since the report does not show them or they say nothing of TensorFlow.

    `unwritten`: records of selected cells only, and failures that took no record's place. `prevented`: runs that this
    machine prevented, whether their records were written or not; the next call tries these runs again.
    """

    unwritten: tuple[Record, ...]
    prevented: tuple[Record, ...]


def prepare(
    selection: Selection, engine: EngineName | None, reports: Path, *, again: bool = False, shard: Part | None = None
) -> Sweep:
    """Raise BadUsage for a selector that names nothing, BadData for a faulty catalog."""
    # Catalog: the releases, profiles and backends that there are.
    catalog = releases.load()

    # Plan: the runs that the selection names, or this shard's part of these.
    engine_name, engine_why = engines.choose(engine)
    planned = plan_runs(catalog, selection, engine_name)
    if shard:
        planned = shards.take(planned, shard, shards.seconds_of(reports))

    # Plan: which of the runs are due. A current record spares the run; an outdated one may spare some of its cells.
    due, up_to_date = [], []
    folders = (shard.folder, reports) if shard else (reports,)
    for run in planned:
        if again or not selection.is_whole:
            due.append(run)
        elif record := next(filter(None, (current(run, folder) for folder in folders)), None):
            up_to_date.append(record)
        else:
            kept = next(filter(None, (still_true(run, folder) for folder in folders)), None)
            due.append(replace(run, kept=kept))
    return Sweep(
        catalog=catalog,
        selection=selection,
        engine=engine_name,
        engine_why=engine_why,
        due=tuple(due),
        current=tuple(up_to_date),
        estimate=estimate(due, reports, slots()),
        shard=shard,
    )


def carry_out(sweep: Sweep, reports: Path, console: Console) -> Done:
    """Make the due runs. Each record is written, and the report refreshed, as soon as its run has ended.

    A shard writes to its own folder and to nothing else. There it leaves the records of all its runs, the current ones
    included, and no report.
    """
    unwritten, prevented = [], []
    folder = sweep.shard.folder if sweep.shard else reports
    with holding(folder), showing(console, len(sweep.due)) as progress:
        if sweep.shard:
            for record in sweep.current:
                records.write(folder, record)

        # Provision and run: targets are built while the runs of earlier targets go on.
        with closing(execute(sweep.due, sweep.selection, sweep.catalog, progress)) as made:
            for record in made:
                # Record: a failure that says nothing of TensorFlow takes no record's place.
                header = record.header
                says_nothing = header.machine or header.status == "not_built"
                stands = records.path(folder, header.host.host_class, header.engine, header.run)
                if not sweep.selection.is_whole or (says_nothing and stands.exists()):
                    unwritten.append(record)
                elif sweep.shard:
                    records.write(folder, record)
                else:
                    write_whole(behind(folder), b"")
                    records.write(folder, record)
                    # Judge and report.
                    report(folder, readme(folder))
                    behind(folder).unlink()
                if header.machine:
                    prevented.append(record)
                progress.finished(record)
    return Done(unwritten=tuple(unwritten), prevented=tuple(prevented))


def refresh(reports: Path) -> Summary:
    """Judge and report what is recorded."""
    with holding(reports):
        summary = report(reports, readme(reports))
        behind(reports).unlink(missing_ok=True)
        return summary
