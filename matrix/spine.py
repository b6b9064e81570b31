"""The way through: catalog -> plan -> provision -> run -> record -> judge -> report."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from rich.console import Console

from matrix.base import paths
from matrix.base.errors import Busy
from matrix.base.files import cannot_write, remove_parts, write_whole
from matrix.catalog import releases
from matrix.plan import shards
from matrix.plan.selection import Estimate, Selection, current, estimate, plan, still_true
from matrix.plan.shards import Part
from matrix.provision import engines
from matrix.record import records
from matrix.record.records import EngineName, Record
from matrix.report.report import Summary, report
from matrix.run.progress import showing
from matrix.run.runner import Planned
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


def behind(reports: Path) -> Path:
    """Is there from before a record is written until it is judged: a process that was killed between leaves it."""
    return reports / ".behind"


def readme(reports: Path) -> Path | None:
    """The README shows the published reports and no others."""
    return paths.README if reports.resolve() == paths.REPORTS else None


@contextmanager
def holding(reports: Path) -> Iterator[None]:
    """One orchestrator at a time writes to a folder. Raise Busy where another does."""
    lock = FileLock(reports / ".lock")
    try:
        reports.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        remove_parts(reports)
    except Timeout:
        cure = "wait for it, or name another --reports"
        raise Busy(f"{_holder(reports / '.lock')} holds {reports}", cure) from None
    except OSError as fault:
        raise cannot_write(reports, fault) from fault
    try:
        yield
    finally:
        lock.release()


def _holder(lock: Path) -> str:
    """Who has locked the file, by the kernel's own list; a process elsewhere (NFS, another container) is not in it."""
    held = re.findall(r"FLOCK .* (\d+) \S+:(\d+) ", Path("/proc/locks").read_text(encoding="ascii"))
    with contextlib.suppress(OSError, psutil.Error):  # it has ended meanwhile
        for pid in (int(pid) for pid, inode in held if int(inode) == lock.stat().st_ino):
            since = datetime.datetime.fromtimestamp(psutil.Process(pid).create_time(), datetime.UTC)
            command = " ".join(psutil.Process(pid).cmdline())
            return f"process {pid} ({command}), at work since {since:%Y-%m-%d %H:%M} UTC,"
    return "another run of the matrix"


def _may_stand(record: Record, reports: Path) -> bool:
    """What this machine prevented says nothing of the run, and takes no record's place."""
    header = record.header
    if not header.machine and header.status != "not_built":
        return True
    return not records.path(reports, header.host.host_class, header.engine, header.run).exists()
