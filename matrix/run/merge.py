"""Puts the records of many machines together: the newest valid attempt at each run, `not_run` where there is none.

Records from elsewhere are hostile input. What contradicts itself or the plan, and what differs from most shards, is
left out and named; the rest is merged. The same folders always give the same result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matrix.base import ids
from matrix.base.errors import BadRecord, NotBuilt
from matrix.base.grouping import grouped
from matrix.base.text import listed_below
from matrix.catalog import locks, releases
from matrix.catalog.suite_hash import suite_sha256
from matrix.plan.due import LASTING
from matrix.plan.shards import Plan, Shard
from matrix.record import candidates, records
from matrix.record.candidates import Candidate
from matrix.record.records import RUNS, Header, Record
from matrix.run.admission import contradiction, is_of_today

Hash = Literal["suite_sha256", "lock_sha256"]


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What merging has found, and what is to be written.

    `better`: records that are new, or worth more than those that stand there. `absent`: runs to be written as
    `not_run`, since no shard brought them. `unplaced`: shards that brought nothing, as all shards of their kind did, so
    that no host class is known to show their runs under. `faults`: why files were left out.
    """

    folders: int
    found: int
    better: tuple[Candidate[Record], ...]
    absent: tuple[Candidate[Record], ...]
    unplaced: tuple[Shard, ...]
    faults: tuple[BadRecord, ...]


def choose(folders: Iterable[Path], reports: Path, plan: Plan | None) -> Merged:
    """Choose the records of the shards in these folders that are worth more than those in `reports`. Write nothing.

    Raise BadRecord where the shards are at odds, and no majority tells which of them are right.
    """
    shards = [shard for folder in folders for shard in candidates.shards_in(folder)]
    found, faults = candidates.read([file for shard in shards for file in RUNS.files(shard)], RUNS)
    comparable, refused = _comparable(found, plan)
    absent, unplaced = _absent(plan, [candidate.content.header for candidate in comparable]) if plan else ([], [])
    better, ties = candidates.choose([*comparable, *absent], reports, RUNS, _worth)
    lacking = {candidate.place for candidate in absent}
    return Merged(
        folders=len(shards),
        found=len(found),
        better=tuple(attempt for attempt in better if attempt.place not in lacking),
        absent=tuple(attempt for attempt in better if attempt.place in lacking),
        unplaced=tuple(unplaced),
        faults=(*faults, *refused, *ties),
    )


def write(merged: Merged, reports: Path) -> None:
    candidates.write([*merged.better, *merged.absent], reports, RUNS)


def _worth(record: Record, rivals: Sequence[Record]) -> tuple[int, bool, bool, int, str, bytes]:
    """Prefer the record that says more, then the newer one. Among records that say nothing any will do.

    What is complete is known for the present suite alone (`contradiction` has looked): another suite's record takes no
    place of a record of the present suite, nor of one that observed more, and a record of the core takes no place of a
    full one. A target that was imported can be imported: a record that says otherwise of the same lock says less.
    """
    header = record.header
    if header.status == "not_imported":
        imported = {rival.header.lock_sha256 for rival in rivals if rival.header.status == "complete"}
        return 1 if header.lock_sha256 in imported else 2, False, False, 0, header.started, b""
    if header.status in LASTING:
        known = is_of_today(header)
        return 2, header.is_full, known, 0 if known else header.observations, header.started, b""
    if header.same_as:
        return 2, False, False, 0, header.started, b""
    if header.status == "partial":
        return 1, False, False, 0, header.started, b""
    return 0, False, False, 0, header.started, records.encode(record)


def _comparable(
    found: Sequence[Candidate[Record]], plan: Plan | None
) -> tuple[list[Candidate[Record]], list[BadRecord]]:
    """Return the records that are believed, of one suite, a target's of one lock; and why each other is left out."""
    catalog, believed, faults = releases.load(), list[Candidate[Record]](), list[BadRecord]()
    # A planned target may bring a run that was not asked for: the run that `default` is another name of.
    planned = {run.partition("+")[0] for shard in plan.every() for run in shard.runs} if plan else set()
    for candidate in found:
        is_planned = not plan or candidate.content.header.run.partition("+")[0] in planned
        if why := contradiction(candidate.content, catalog) if is_planned else "it was not planned":
            faults.append(BadRecord(f"{candidate.file}: {why}", file=candidate.file))
        else:
            believed.append(candidate)
    # Executed, on-GPU and planned runs have a suite hash each.
    for how, those in grouped(believed, lambda one: one.content.header.how).items():
        right = plan.suite_sha256.get(how) if plan else _if_brought(suite_sha256(how=how), those, "suite_sha256")
        faults += _at_odds("suite", those, "suite_sha256", right)
    believed = _without(believed, faults)
    # A target has two locks where only some of the machines have its GPU: without the GPU its libraries are left out.
    targets = grouped(
        believed, lambda one: (one.content.header.run.partition("+")[0], one.content.header.how == "planned")
    )
    for (target, _), those in targets.items():
        right = _if_brought(_own_lock(target), those, "lock_sha256")
        faults += _at_odds(f"{target}: lock", those, "lock_sha256", right)
    return _without(believed, faults), faults


def _without(found: Sequence[Candidate[Record]], faults: Sequence[BadRecord]) -> list[Candidate[Record]]:
    left_out = {fault.file for fault in faults}
    return [candidate for candidate in found if candidate.file not in left_out]


def _own_lock(target: str) -> str | None:
    try:
        return locks.sha256(ids.parse_target(target))
    except NotBuilt:
        return None


def _if_brought(own: str | None, those: Sequence[Candidate[Record]], field: Hash) -> str | None:
    """Return this checkout's own hash, which is the right one if anybody has it."""
    return own if own in {getattr(one.content.header, field) for one in those} else None


def _at_odds(what: str, those: Sequence[Candidate[Record]], field: Hash, wanted: str | None) -> list[BadRecord]:
    """Say which of these have another hash than `wanted`; without that, than those that most shards brought. Raise
    BadRecord where there is no majority: one machine could outvote others with many records, so that shards count.
    """
    by_hash = grouped(those, lambda one: getattr(one.content.header, field) or "")
    by_hash.pop("", None)
    shards = Counter({sha256: len({one.file.parents[3] for one in group}) for sha256, group in by_hash.items()})
    if wanted is None and len(shards) > 1:
        (first, most), (_, second), *_ = shards.most_common()
        if most == second:
            brought = [
                f"{what} {sha256[:12]}: {len(group)} records, such as {group[0].file}"
                for sha256, group in by_hash.items()
            ]
            raise BadRecord(
                listed_below("these records are not comparable, and none was written:", brought),
                "make them again from one checkout, or merge those that belong together",
            )
        wanted = first
    return [
        BadRecord(f"{one.file}: {what} {sha256[:12]} is another than {wanted[:12]}", file=one.file)
        for sha256, group in by_hash.items()
        for one in group
        if wanted and sha256 != wanted
    ]


def _absent(plan: Plan, brought: Sequence[Header]) -> tuple[list[Candidate[Record]], list[Shard]]:
    """Return `not_run` for each planned run that nobody brought, and the shards for which no host class is known."""
    by_run = {header.run: header for header in brought}
    absent, unplaced = [], []
    for shard in plan.every():
        own = [by_run[run] for run in shard.runs if run in by_run]
        beside = [header for header in brought if ids.parse_run(header.run).target.kind == shard.kind]
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
