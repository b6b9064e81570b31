"""Puts the records of many machines together: of each run the newest valid attempt, and `not_run` where there is none.

Records come from elsewhere: each is read as hostile input, and nothing is written before all of them are known to be
comparable. The same folders always give the same result.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from matrix.base import ids
from matrix.base.errors import BadRecord
from matrix.base.files import write_whole
from matrix.base.ids import Backend, How
from matrix.base.text import plain
from matrix.plan.due import LASTING
from matrix.plan.shards import Plan, Shard
from matrix.record import records
from matrix.record.records import EngineName, Header, Record

MOST_RECORDS = 20_000
# Each file is flushed to the disk before it gets its name: waiting for that is all that the threads do.
WRITERS = 8

# Host class, engine, run: where a record belongs.
Place = tuple[str, EngineName, str]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A record that somebody made, as the contract has it written. `file`: where it was found."""

    file: Path
    header: Header
    data: bytes

    @property
    def place(self) -> Place:
        return (self.header.host.host_class, self.header.engine, self.header.run)

    @property
    def says(self) -> int:
        """How much of the release: all (2), or only until it was cut short (1), or nothing (0)."""
        if self.header.status in LASTING or self.header.same_as:
            return 2
        return 1 if self.header.status == "partial" else 0

    @property
    def worth(self) -> tuple[int, str]:
        """What says more goes first; of two that say as much, the newer."""
        return (self.says, self.header.started)


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What merging comes to. `written`: new, or worth more than what stood there. `absent`: written as `not_run`, since
    no shard brought them. `unplaced`: shards that brought nothing, nor did any of their backend, so that no host class
    is known to show their runs under. `faults`: why a file was left out.
    """

    folders: int
    found: int
    written: tuple[Attempt, ...]
    absent: tuple[Attempt, ...]
    unplaced: tuple[Shard, ...]
    faults: tuple[BadRecord, ...]


def merge(folders: Iterable[Path], reports: Path, plan: Plan | None) -> Merged:
    """Write to `reports` what the shards in these folders made; what stands there counts as an attempt too.

    Raise BadRecord, and write nothing, where records are not comparable or where it is open which of two is newer.
    """
    shards = [shard for folder in folders for shard in shards_in(folder)]
    found, faults = _read([file for shard in shards for file in records.files(shard)])
    _check_comparable(found, plan)
    absent, unplaced = _absent(plan, found) if plan else ([], [])
    standing = _standing([*found, *absent], reports)
    stands = {attempt.place: attempt.data for attempt in standing}
    written = [best for best in _best([*standing, *found, *absent]) if best.data != stands.get(best.place)]
    _write(written, reports)
    lacking = {one.place for one in absent}
    return Merged(
        folders=len(shards),
        found=len(found),
        written=tuple(one for one in written if one.place not in lacking),
        absent=tuple(one for one in written if one.place in lacking),
        unplaced=tuple(unplaced),
        faults=faults,
    )


def shards_in(folder: Path) -> list[Path]:
    """The folder itself, or those in it: GitHub puts each artifact into one of its own."""
    if (folder / "runs").is_dir():
        return [folder]
    return sorted(child for child in folder.iterdir() if (child / "runs").is_dir())


def _read(files: Sequence[Path]) -> tuple[list[Attempt], tuple[BadRecord, ...]]:
    """Everything that is a valid record, and why the rest is not."""
    if len(files) > MOST_RECORDS:
        raise BadRecord(f"{len(files)} records are more than the {MOST_RECORDS} that are merged at once")
    attempts, faults = [], []
    for file in files:
        try:
            record = records.read(file)
        except BadRecord as fault:
            faults.append(fault)
        else:
            attempts.append(Attempt(file=file, header=record.header, data=records.encode(record)))
    return attempts, tuple(faults)


def _standing(found: Iterable[Attempt], reports: Path) -> list[Attempt]:
    """What is published where a record was found; one that is broken makes room."""
    files = (_path(reports, place) for place in sorted({attempt.place for attempt in found}))
    standing, _ = _read([file for file in files if file.exists()])
    return standing


def _best(attempts: Iterable[Attempt]) -> list[Attempt]:
    """One for each place. Raise BadRecord where two are worth the same and say different things."""
    places: dict[Place, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        places[attempt.place].append(attempt)
    best, ties = [], []
    for _, rivals in sorted(places.items()):
        first, *others = sorted(rivals, key=lambda attempt: attempt.worth, reverse=True)
        best.append(first)
        ties += [
            (first, other) for other in others if other.worth == first.worth and other.data != first.data and first.says
        ]
    if ties:
        told = [f"{one.header.run}, started {one.header.started}: {one.file} and {other.file}" for one, other in ties]
        raise BadRecord(_listed("which of these is the newer is open:", told), "keep one of the two, remove the other")
    return best


def _check_comparable(found: Sequence[Attempt], plan: Plan | None) -> None:
    """One suite, one lock a target, and nothing that was not planned."""
    told = [*_suites(found, plan), *_locks(found), *_unplanned(found, plan)]
    if told:
        raise BadRecord(
            _listed("these records are not comparable, and none was written:", told),
            "make them again from one checkout, or merge those that belong together",
        )


def _suites(found: Iterable[Attempt], plan: Plan | None) -> Iterator[str]:
    """What is executed, on a GPU or not, and what is planned is observed by different modules of the suite."""
    for how in get_args(How):
        wanted = plan.suite_sha256[how] if plan else None
        of_kind = [attempt for attempt in found if attempt.header.how == how]
        by_suite = _grouped(of_kind, lambda header: header.suite_sha256)
        if len(by_suite) > 1 or (wanted and by_suite.keys() - {wanted}):
            yield from (f"suite {_several(group, suite)}" for suite, group in by_suite.items() if suite != wanted)


def _locks(found: Iterable[Attempt]) -> Iterator[str]:
    """Without a GPU its libraries are left out of the environment, and out of the lock's hash."""
    targets: dict[tuple[str, bool], list[Attempt]] = defaultdict(list)
    for attempt in found:
        targets[attempt.header.run.partition("+")[0], attempt.header.planned_for is None].append(attempt)
    for (target, _), group in targets.items():
        by_lock = _grouped(group, lambda header: header.lock_sha256)
        if len(by_lock) > 1:
            yield from (f"{target}: lock {_several(locked, lock)}" for lock, locked in by_lock.items())


def _unplanned(found: Iterable[Attempt], plan: Plan | None) -> Iterator[str]:
    """Of a planned target a run may come that was not asked for: the one that `default` is another name of."""
    if plan:
        targets = {run.partition("+")[0] for shard in plan.every() for run in shard.runs}
        yield from (f"not planned: {one.file}" for one in found if one.header.run.partition("+")[0] not in targets)


def _grouped(found: Iterable[Attempt], key: Callable[[Header], str | None]) -> dict[str, list[Attempt]]:
    groups: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in found:
        if value := key(attempt.header):
            groups[value].append(attempt)
    return groups


def _several(group: Sequence[Attempt], sha256: str) -> str:
    return f"{sha256[:12]}: {len(group)} records, such as {group[0].file}"


def _absent(plan: Plan, found: Sequence[Attempt]) -> tuple[list[Attempt], list[Shard]]:
    """`not_run` for each planned run that nobody brought, and the shards for which no host class is known."""
    brought = {attempt.header.run: attempt.header for attempt in found}
    beside: dict[Backend, list[Header]] = defaultdict(list)
    for attempt in found:
        beside[attempt.header.backend].append(attempt.header)
    absent, unplaced = [], []
    for shard in plan.every():
        lacking = [run for run in shard.runs if run not in brought]
        own = [brought[run] for run in shard.runs if run in brought]
        if own:
            absent += [_not_run(run, own[-1], f"shard {shard.name} ended before it") for run in lacking]
        elif others := beside[shard.backend]:
            reason = f"shard {shard.name} brought nothing; the host class is that of most other shards"
            absent += [_not_run(run, _usual(others), reason) for run in lacking]
        else:
            unplaced.append(shard)
    return absent, unplaced


def _usual(headers: Sequence[Header]) -> Header:
    """One of the host class and engine that most have: where a missing shard would most likely have run."""
    counts = Counter((header.host.host_class, header.engine) for header in headers)
    most = max(counts, key=lambda place: (counts[place], place))
    return next(header for header in headers if (header.host.host_class, header.engine) == most)


def _not_run(run: str, like: Header, reason: str) -> Attempt:
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
    return Attempt(file=Path(), header=header, data=records.encode(Record(header=header)))


def _write(attempts: Iterable[Attempt], reports: Path) -> None:
    with ThreadPoolExecutor(WRITERS) as writers:
        for done in [writers.submit(write_whole, _path(reports, one.place), one.data) for one in attempts]:
            done.result()


def _path(reports: Path, place: Place) -> Path:
    return records.path(reports, *place)


def _listed(head: str, lines: Sequence[str], most: int = 20) -> str:
    shown = [plain(line) for line in lines[:most]]
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return "\n  ".join([head, *shown, *more])
