"""The way through: catalog -> plan -> provision -> run -> record -> judge -> report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from matrix.base.files import write_whole
from matrix.catalog import releases
from matrix.plan import shards
from matrix.plan.due import Estimate, current, estimate, still_true
from matrix.plan.planned_run import Planned
from matrix.plan.selection import Selection, plan
from matrix.plan.shards import Part
from matrix.provision import engines
from matrix.record import records
from matrix.record.folder import behind, holding, readme
from matrix.record.records import Record
from matrix.record.store import EngineName
from matrix.report.report import Summary, report
from matrix.run.progress import showing
from matrix.run.scheduler import execute, slots


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a selection comes to on this machine: the runs that are due, and the records that are current."""

    catalog: releases.Catalog
    selection: Selection
    engine: EngineName
    engine_why: str
    due: tuple[Planned, ...]
    current: tuple[Record, ...]
    estimate: Estimate
    shard: Part | None


def prepare(
    selection: Selection, engine: EngineName | None, reports: Path, *, again: bool = False, shard: Part | None = None
) -> Sweep:
    """Raise BadUsage for a selector that names nothing, BadData for a faulty catalog."""
    data = releases.load()
    name, why = engines.choose(engine)
    planned = plan(data, selection, name)
    if shard:
        planned = shards.take(planned, shard, shards.seconds_of(reports))
    asked_anew = again or not selection.is_whole
    kept = (shard.folder, reports) if shard else (reports,)
    made = {entry.run: None if asked_anew else _current(entry, kept) for entry in planned}
    due = tuple(entry if asked_anew else _with_kept(entry, kept) for entry in planned if made[entry.run] is None)
    return Sweep(
        catalog=data,
        selection=selection,
        engine=name,
        engine_why=why,
        due=due,
        current=tuple(record for record in made.values() if record is not None),
        estimate=estimate(due, reports, slots()),
        shard=shard,
    )


def _current(planned: Planned, kept: Iterable[Path]) -> Record | None:
    return next((record for reports in kept if (record := current(planned, reports))), None)


def _with_kept(planned: Planned, kept: Iterable[Path]) -> Planned:
    return replace(planned, kept=next((record for reports in kept if (record := still_true(planned, reports))), None))


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of the due runs besides what was written.

    `unwritten`: records of selected cells only, or of this machine's fault where a record stands. `prevented`: all that
    the machine prevented, written or not; the next call tries them again.
    """

    unwritten: tuple[Record, ...]
    prevented: tuple[Record, ...]


def carry_out(sweep: Sweep, reports: Path, console: Console) -> Done:
    """Make the due runs; each record is written, and the report refreshed, as it comes.

    A shard writes to its own folder, and to nothing else: the record of every run of its own, also of those that are
    current.
    """
    unwritten: list[Record] = []
    prevented: list[Record] = []
    folder = sweep.shard.folder if sweep.shard else reports

    def finish(record: Record) -> None:
        if sweep.selection.is_whole and _may_stand(record, folder):
            (records.write if sweep.shard else _publish)(folder, record)
        else:
            unwritten.append(record)
        if record.header.machine:
            prevented.append(record)
        progress.finished(record)

    with holding(folder), showing(console, len(sweep.due)) as progress:
        if sweep.shard:
            for record in sweep.current:
                records.write(folder, record)
        execute(sweep.due, sweep.selection, sweep.catalog, progress=progress, finish=finish)
    return Done(unwritten=tuple(unwritten), prevented=tuple(prevented))


def refresh(reports: Path) -> Summary:
    with holding(reports):
        summary = report(reports, readme(reports))
        behind(reports).unlink(missing_ok=True)
        return summary


def _publish(reports: Path, record: Record) -> None:
    write_whole(behind(reports), b"")
    records.write(reports, record)
    report(reports, readme(reports))
    behind(reports).unlink()


def _may_stand(record: Record, reports: Path) -> bool:
    """What this machine prevented says nothing of the run, and takes no record's place."""
    header = record.header
    if not header.machine and header.status != "not_built":
        return True
    return not records.path(reports, header.host.host_class, header.engine, header.run).exists()
