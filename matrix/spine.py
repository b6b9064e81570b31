"""The whole product, top to bottom: catalog -> plan -> provision -> run -> record -> judge -> report.

It is cut in two, so that a person can look at what would be done before it is done: `prepare` goes as far as the plan,
`carry_out` goes the rest of the way. `refresh` judges and reports what is recorded already.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from rich.console import Console

from matrix.answers.error_answers import error_answers
from matrix.base.errors import BadRecord, BadUsage, MachineError
from matrix.base.files import write_whole
from matrix.base.ids import EngineName
from matrix.catalog import releases
from matrix.judge.confirmation import marked
from matrix.judge.judged import conclude
from matrix.plan import shards
from matrix.plan.due import Estimate, current, estimate, lacks_python, quickest_first, still_true
from matrix.plan.planned_run import PlannedRun
from matrix.plan.run_list import plan_runs, with_the_pythons_here
from matrix.plan.selection import Selection
from matrix.plan.shards import Part, Plan
from matrix.provision import engines
from matrix.record import host, records
from matrix.record.folder import behind, holding, readme
from matrix.record.quarantine import set_aside
from matrix.record.records import RUNS, Record
from matrix.report.report import Summary, report
from matrix.run import merge as merging
from matrix.run.merge import Merged
from matrix.run.progress import showing
from matrix.run.scheduler import execute, slots
from matrix.speed import speed_merge
from matrix.speed.speed_merge import Chosen


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
    `without_python`: those that only want a CPython which this machine lacks; they are no failure of the sweep.
    """

    unwritten: tuple[Record, ...]
    prevented: tuple[Record, ...]
    without_python: tuple[Record, ...] = ()


def prepare(
    selection: Selection, engine: EngineName | None, reports: Path, *, again: bool = False, shard: Part | None = None
) -> Sweep:
    """Raise BadUsage for a selector that names nothing, BadData for a faulty catalog."""
    # Catalog: the releases, profiles and backends that there are.
    catalog = releases.load()

    # Plan: the runs that the selection names, or this shard's part of these.
    engine_name, engine_why = engines.choose(engine)
    planned = plan_runs(catalog, selection, engine_name)
    planned = shards.take(planned, shard, shards.seconds_of(reports)) if shard else with_the_pythons_here(planned)
    if elsewhere := {one.run.target.architecture for one in planned if not one.emulator} - {host.machine()}:
        what = f"these runs are for {', '.join(elsewhere)}, and this machine is {host.machine()}"
        raise BadUsage(what, "make them on such a machine, or emulate its processor: --emulate")

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
    expected = estimate(due, reports, slots())
    return Sweep(
        catalog=catalog,
        selection=selection,
        engine=engine_name,
        engine_why=engine_why,
        due=quickest_first(due, expected),
        current=tuple(up_to_date),
        estimate=expected,
        shard=shard,
    )


def carry_out(sweep: Sweep, reports: Path, console: Console) -> Done:
    """Make the due runs. Each record is written as soon as its run has ended. The report is refreshed then too, but for
    a sixth of the time at most, since it takes the processors that the runs need.

    A shard writes to its own folder and to nothing else. There it leaves the records of all its runs, the current ones
    included, and no report.
    """
    unwritten, prevented, without_python = list[Record](), list[Record](), list[Record]()
    folder, report_from = sweep.shard.folder if sweep.shard else reports, 0.0
    with holding(folder), showing(console, sweep.estimate.of) as progress:
        if sweep.shard:
            for record in sweep.current:
                records.write(folder, record)

        # Provision and run: targets are built while the runs of earlier targets go on.
        with closing(execute(sweep.due, sweep.selection, sweep.catalog, progress, reports)) as made:
            for record in made:
                # Record: a failure that says nothing of TensorFlow takes no record's place.
                header, told = record.header, record
                says_nothing = header.machine or header.status == "not_built"
                stands = records.path(folder, header.host.host_class, header.engine, header.run)
                yields = stands.exists() and (says_nothing or _is_shallower(record, stands))
                if not sweep.selection.is_whole or yields:
                    unwritten.append(record)
                elif why := _write(record, folder, judge=not sweep.shard):
                    told = replace(record, header=msgspec.structs.replace(header, reason=why, machine=True))
                    unwritten.append(told)
                elif not sweep.shard and (began := time.monotonic()) >= report_from:
                    _report(folder)
                    report_from = 6 * time.monotonic() - 5 * began
                if told.header.machine:
                    (without_python if lacks_python(told.header) else prevented).append(told)
                progress.finished(told)
    return Done(unwritten=tuple(unwritten), prevented=tuple(prevented), without_python=tuple(without_python))


def _is_shallower(record: Record, stands: Path) -> bool:
    """Say whether the record holds the core alone, where the one that stands there holds everything."""
    if record.header.is_full:
        return False
    try:
        standing = records.read(stands).header
    except BadRecord:
        return False
    return bool(standing.observations) and standing.is_full


def _write(record: Record, folder: Path, *, judge: bool) -> str | None:
    """Write the record. Return why it was not written, for a record that breaks its contract (a machine
    may have facts that no record can hold) costs its own run. Raise MachineError where the disk refuses.
    """
    if judge:
        write_whole(behind(folder), b"")
        record = marked(record, _standing(record, folder))
    try:
        records.write(folder, record)
    except BadRecord as fault:
        return f"what it left makes no record: {fault}"[:300]
    return None


def _report(folder: Path) -> None:
    """Refresh the report. A fault of it does not end the sweep: whoever refreshes the report next is told of it."""
    try:
        report(folder, readme(folder))
        behind(folder).unlink()
    except MachineError:
        raise
    except Exception:  # noqa: BLE001, S110
        pass


@dataclass(frozen=True, kw_only=True)
class Together:
    """What `merge` has found and written. `aside`: copies of the files that were left out."""

    records: Merged
    timed: Chosen
    faults: tuple[BadRecord, ...]
    aside: tuple[Path, ...]


def merge(folders: Sequence[Path], reports: Path, plan: Plan | None, *, dry_run: bool = False) -> Together:
    """Put the records of shards together. All are judged before any is written: what cannot be judged is left out."""
    with holding(reports):
        timed = speed_merge.choose(folders, reports)
        merged = merging.choose(folders, reports, plan)
        new = {Path(*one.place): one for one in merged.better}
        stand = {Path(*RUNS.place(record)): record for record in records.readable(reports)[0]}
        beside = [record for place, record in stand.items() if place not in new]
        judged = conclude([*beside, *(one.content for one in new.values())], [one.content for one in timed.better])
        error_answers(judged.records, judged.known)
        refused = [
            BadRecord(f"{new[fault.file].file}: {fault}", file=new.pop(fault.file).file)
            for fault in judged.faults
            if fault.file in new
        ]
        better = [replace(one, content=marked(one.content, stand.get(place))) for place, one in new.items()]
        merged = replace(merged, better=tuple(better))
        if not dry_run:
            merging.write(merged, reports)
            speed_merge.write(timed, reports)
    faults = (*merged.faults, *refused, *timed.faults)
    aside = [] if dry_run else [set_aside(fault.file, str(fault)) for fault in faults if fault.file]
    return Together(records=merged, timed=timed, faults=faults, aside=tuple(filter(None, aside)))


def _standing(record: Record, folder: Path) -> Record | None:
    """Return the readable record in whose place this one comes."""
    try:
        return records.read(records.path(folder, *RUNS.place(record)))
    except (FileNotFoundError, BadRecord):
        return None


def refresh(reports: Path) -> Summary:
    """Judge and report what is recorded."""
    with holding(reports):
        summary = report(reports, readme(reports))
        behind(reports).unlink(missing_ok=True)
        return summary
