"""Puts the records of many machines together: of each run the newest valid attempt, and `not_run` where there is none.

Records come from elsewhere: each is read as hostile input, and nothing is written before all of them are known to be
comparable. The same folders always give the same result.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from matrix.base import ids
from matrix.base.errors import BadRecord
from matrix.base.ids import How
from matrix.base.text import listed_below
from matrix.plan.due import LASTING
from matrix.plan.shards import Plan, Shard
from matrix.record import attempts, records
from matrix.record.attempts import Attempt
from matrix.record.records import RUNS, Header, Record


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What merging comes to. `written`: new, or worth more than what stood there. `absent`: written as `not_run`, since
    no shard brought them. `unplaced`: shards that brought nothing, nor did any of their backend, so that no host class
    is known to show their runs under. `faults`: why a file was left out.
    """

    folders: int
    found: int
    written: tuple[Attempt[Record], ...]
    absent: tuple[Attempt[Record], ...]
    unplaced: tuple[Shard, ...]
    faults: tuple[BadRecord, ...]


def merge(folders: Iterable[Path], reports: Path, plan: Plan | None) -> Merged:
    """Write to `reports` what the shards in these folders made; what stands there counts as an attempt too.

    Raise BadRecord, and write nothing, where records are not comparable or where it is open which of two is newer.
    """
    shards = [shard for folder in folders for shard in attempts.shards_in(folder)]
    found, faults = attempts.read([file for shard in shards for file in RUNS.files(shard)], RUNS)
    _check_comparable(found, plan)
    absent, unplaced = _absent(plan, [attempt.made.header for attempt in found]) if plan else ([], [])
    written = attempts.better([*found, *absent], reports, RUNS, _worth)
    attempts.write(written, reports, RUNS)
    lacking = {attempt.place for attempt in absent}
    return Merged(
        folders=len(shards),
        found=len(found),
        written=tuple(one for one in written if one.place not in lacking),
        absent=tuple(one for one in written if one.place in lacking),
        unplaced=tuple(unplaced),
        faults=faults,
    )


def _worth(record: Record, _rivals: Sequence[Record]) -> tuple[int, str, bytes]:
    """What says more goes first; of two that say as much, the newer. Of those that say nothing any will do."""
    header = record.header
    if header.status in LASTING or header.same_as:
        return 2, header.started, b""
    if header.status == "partial":
        return 1, header.started, b""
    return 0, header.started, records.encode(record)


def _check_comparable(found: Sequence[Attempt[Record]], plan: Plan | None) -> None:
    """One suite for each way of observing, one lock a target, and nothing that was not planned.

    Without a GPU its libraries are left out of the environment, and out of the lock's hash.
    """
    told: list[str] = []
    for how in get_args(How):
        wanted = plan.suite_sha256[how] if plan else None
        suites = _by_hash([one for one in found if one.made.header.how == how], "suite_sha256")
        if len(suites) > 1 or (wanted and suites.keys() - {wanted}):
            told += [f"suite {_several(group, suite)}" for suite, group in suites.items() if suite != wanted]
    targets: dict[tuple[str, bool], list[Attempt[Record]]] = defaultdict(list)
    for one in found:
        targets[_target(one), one.made.header.planned_for is None].append(one)
    for (target, _), group in targets.items():
        locks = _by_hash(group, "lock_sha256")
        if len(locks) > 1:
            told += [f"{target}: lock {_several(locked, lock)}" for lock, locked in locks.items()]
    if plan:
        # Of a planned target a run may come that was not asked for: the one that `default` is another name of.
        planned = {run.partition("+")[0] for shard in plan.every() for run in shard.runs}
        told += [f"not planned: {one.file}" for one in found if _target(one) not in planned]
    if told:
        raise BadRecord(
            listed_below("these records are not comparable, and none was written:", told),
            "make them again from one checkout, or merge those that belong together",
        )


def _target(attempt: Attempt[Record]) -> str:
    return attempt.made.header.run.partition("+")[0]


def _by_hash(found: Iterable[Attempt[Record]], field: str) -> dict[str, list[Attempt[Record]]]:
    groups: dict[str, list[Attempt[Record]]] = defaultdict(list)
    for attempt in found:
        if value := getattr(attempt.made.header, field):
            groups[value].append(attempt)
    return groups


def _several(group: Sequence[Attempt[Record]], sha256: str) -> str:
    return f"{sha256[:12]}: {len(group)} records, such as {group[0].file}"


def _absent(plan: Plan, brought: Sequence[Header]) -> tuple[list[Attempt[Record]], list[Shard]]:
    """`not_run` for each planned run that nobody brought, and the shards for which no host class is known."""
    by_run = {header.run: header for header in brought}
    absent, unplaced = [], []
    for shard in plan.every():
        own = [by_run[run] for run in shard.runs if run in by_run]
        beside = [header for header in brought if header.backend == shard.backend]
        if own:
            like, reason = own[-1], f"shard {shard.name} ended before it"
        elif beside:
            # It would most likely have run where most of the others did.
            counts = Counter((header.host.host_class, header.engine) for header in beside)
            most = max(counts, key=lambda place: (counts[place], place))
            like = next(header for header in beside if (header.host.host_class, header.engine) == most)
            reason = f"shard {shard.name} brought nothing; the host class is that of most other shards"
        else:
            unplaced.append(shard)
            continue
        absent += [_not_run(run, like, reason) for run in shard.runs if run not in by_run]
    return absent, unplaced


def _not_run(run: str, like: Header, reason: str) -> Attempt[Record]:
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
    return Attempt(file=Path(), made=record, data=records.encode(record), place=RUNS.place(record))
