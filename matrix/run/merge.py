"""Puts the records of many machines together: the newest valid attempt at each run, `not_run` where there is none.

Records from elsewhere are hostile input. Nothing is written before all of them are known to be comparable. The same
folders always give the same result.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from matrix.base import ids
from matrix.base.errors import BadRecord
from matrix.base.ids import How
from matrix.base.text import listed_below
from matrix.plan.due import LASTING
from matrix.plan.shards import Plan, Shard
from matrix.record import candidates, records
from matrix.record.candidates import Candidate
from matrix.record.records import RUNS, Header, Record


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What merging has found and written.

    `written`: records that are new, or worth more than those that stood there. `absent`: runs written as `not_run`,
    since no shard brought them. `unplaced`: shards that brought nothing, as all shards of their backend did, so that no
    host class is known to show their runs under. `faults`: why files were left out.
    """

    folders: int
    found: int
    written: tuple[Candidate[Record], ...]
    absent: tuple[Candidate[Record], ...]
    unplaced: tuple[Shard, ...]
    faults: tuple[BadRecord, ...]


def merge(folders: Iterable[Path], reports: Path, plan: Plan | None) -> Merged:
    """Write to `reports` the records that the shards in these folders made, unless the records there are worth more.

    Raise BadRecord, and write nothing, where records are not comparable or where it is open which of two is newer.
    """
    shards = [shard for folder in folders for shard in candidates.shards_in(folder)]
    found, faults = candidates.read([file for shard in shards for file in RUNS.files(shard)], RUNS)
    _check_comparable(found, plan)
    absent, unplaced = _absent(plan, [candidate.content.header for candidate in found]) if plan else ([], [])
    written = candidates.choose([*found, *absent], reports, RUNS, _worth)
    candidates.write(written, reports, RUNS)
    lacking = {candidate.place for candidate in absent}
    return Merged(
        folders=len(shards),
        found=len(found),
        written=tuple(attempt for attempt in written if attempt.place not in lacking),
        absent=tuple(attempt for attempt in written if attempt.place in lacking),
        unplaced=tuple(unplaced),
        faults=faults,
    )


def _worth(record: Record, _rivals: Sequence[Record]) -> tuple[int, str, bytes]:
    """Prefer the record that says more, then the newer one. Among records that say nothing any will do."""
    header = record.header
    if header.status in LASTING or header.same_as:
        return 2, header.started, b""
    if header.status == "partial":
        return 1, header.started, b""
    return 0, header.started, records.encode(record)


def _check_comparable(found: Sequence[Candidate[Record]], plan: Plan | None) -> None:
    """Raise BadRecord unless all records are of one suite, the records of a target of one lock, and all were planned.

    Executed, on-GPU and planned runs have a suite hash each. A target has two locks where only some of the machines
    have its GPU: without the GPU its libraries are left out.
    """
    planned = {run.partition("+")[0] for shard in plan.every() for run in shard.runs} if plan else set()
    suites: dict[How, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    locks: dict[tuple[str, bool], dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    unplanned = []
    for candidate in found:
        header, target = candidate.content.header, candidate.content.header.run.partition("+")[0]
        if header.suite_sha256:
            suites[header.how][header.suite_sha256].append(candidate.file)
        if header.lock_sha256:
            locks[target, header.planned_for is None][header.lock_sha256].append(candidate.file)
        # A planned target may bring a run that was not asked for: the run that `default` is another name of.
        if plan and target not in planned:
            unplanned.append(f"not planned: {candidate.file}")
    differences: list[str] = []
    for how in get_args(How):
        wanted = plan.suite_sha256[how] if plan else None
        if len(suites[how]) > 1 or (wanted and suites[how].keys() - {wanted}):
            differences += _listed("suite", {suite: files for suite, files in suites[how].items() if suite != wanted})
    for (target, _), by_lock in locks.items():
        if len(by_lock) > 1:
            differences += _listed(f"{target}: lock", by_lock)
    if differences or unplanned:
        raise BadRecord(
            listed_below("these records are not comparable, and none was written:", [*differences, *unplanned]),
            "make them again from one checkout, or merge those that belong together",
        )


def _listed(what: str, by_hash: Mapping[str, Sequence[Path]]) -> list[str]:
    return [f"{what} {sha256[:12]}: {len(files)} records, such as {files[0]}" for sha256, files in by_hash.items()]


def _absent(plan: Plan, brought: Sequence[Header]) -> tuple[list[Candidate[Record]], list[Shard]]:
    """Return `not_run` for each planned run that nobody brought, and the shards for which no host class is known."""
    by_run = {header.run: header for header in brought}
    absent, unplaced = [], []
    for shard in plan.every():
        own = [by_run[run] for run in shard.runs if run in by_run]
        beside = [header for header in brought if header.backend == shard.backend]
        if own:
            like, reason = own[-1], f"shard {shard.name} ended before it"
        elif beside:
            # The shard would most likely have run where most other shards did.
            counts = Counter((header.host.host_class, header.engine) for header in beside)
            most = max(counts, key=lambda place: (counts[place], place))
            like = next(header for header in beside if (header.host.host_class, header.engine) == most)
            reason = f"shard {shard.name} brought nothing; the host class is that of most other shards"
        else:
            unplaced.append(shard)
            continue
        for run in shard.runs:
            if run in by_run:
                continue
            parsed = ids.parse_run(run)
            header = Header(
                run=run,
                release=parsed.target.release,
                python=parsed.target.python,
                backend=parsed.target.backend,
                profile=parsed.profile,
                engine=like.engine,
                status="not_run",
                reason=reason,
                started=like.started,
                host=like.host,
                observations=0,
            )
            record = Record(header=header)
            place = RUNS.place(record)
            absent.append(Candidate(file=Path(), content=record, place=place))
    return absent, unplaced
