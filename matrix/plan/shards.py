"""Divides the runs into shards, one for each machine, balanced by how long the runs took before.

A target is in one shard only, as long as there are enough targets, so that one image serves many runs. The same
selection, catalog and records give the same shards on every machine: a shard therefore holds all its runs, due or not,
since the host class decides which runs are due.
"""

from __future__ import annotations

import heapq
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args

import msgspec
from msgspec import Meta

from matrix.base.errors import BadRecord, BadUsage
from matrix.base.grouping import grouped
from matrix.base.ids import USUAL, Architecture, Backend, How, Kind, Run, parse_run
from matrix.base.structs import Strict
from matrix.catalog.suite_hash import suite_sha256
from matrix.plan.due import SECONDS_A_RUN, SECONDS_AN_ENVIRONMENT
from matrix.plan.planned_run import PlannedRun
from matrix.record import records

# GitHub's limits: the jobs that one matrix of a workflow starts, and the time of a job on a runner of GitHub's.
MOST_JOBS = 256
MOST_SECONDS = 6 * 3600
ANEW = "make it anew: nox -s plan -- --json"
MOST_BYTES = 16 * 2**20

Seconds = Callable[[Run], float]


class Shard(Strict, frozen=True, kw_only=True):
    """Shard `number` of `of`, with runs of one backend on one architecture. `seconds`: work for one core, environments
    included.
    """

    number: Annotated[int, Meta(ge=1, le=MOST_JOBS)]
    of: Annotated[int, Meta(ge=1, le=MOST_JOBS)]
    backend: Backend
    machine: Architecture = USUAL
    seconds: Annotated[int, Meta(ge=0, le=10**9)]
    runs: Annotated[list[records.RunId], Meta(min_length=1)]

    @property
    def name(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def kind(self) -> Kind:
        return parse_run(self.runs[0]).target.kind


class Plan(Strict, frozen=True, kw_only=True, tag_field="format", tag="plan/1"):
    """The shards, as a job matrix for each kind. `suite_sha256`: the suite's hash for each way of observing."""

    suite_sha256: dict[How, records.Sha256]
    shards: dict[Kind, list[Shard]]

    def every(self) -> list[Shard]:
        return [shard for shards in self.shards.values() for shard in shards]

    def too_long(self) -> list[Shard]:
        """Return the shards that GitHub would stop on a runner of its own, if one run went after the other."""
        return [shard for shard in self.every() if shard.seconds > MOST_SECONDS]


@dataclass(frozen=True, kw_only=True)
class Part:
    """The shard that this machine makes, and the folder for its records."""

    number: int
    of: int
    folder: Path


@dataclass(frozen=True, kw_only=True)
class _Job:
    """Runs of one kind that one machine makes, and the seconds that they and their environments take."""

    seconds: float
    runs: tuple[PlannedRun, ...]

    @property
    def kind(self) -> Kind:
        return self.runs[0].run.target.kind


def parse(text: str, folder: Path | None) -> Part:
    """`I/N`; the folder is by default `shards/I-of-N`. Raise BadUsage where there is no such shard."""
    match = re.fullmatch(r"([1-9][0-9]{0,2})/([1-9][0-9]{0,2})", text, re.ASCII)
    if not match or int(match[1]) > int(match[2]):
        raise BadUsage(f"{text!r} is no shard", "name the second of five: --shard 2/5")
    return Part(number=int(match[1]), of=int(match[2]), folder=folder or Path("shards", f"{match[1]}-of-{match[2]}"))


def seconds_of(reports: Path) -> Seconds:
    """Return a function that says how long a run takes.

    It answers with the median of the run's records, whatever machine made them; without any, with the median of its
    kind; without any, with a constant. A run that is the same as another one costs nothing of its own.
    """
    of_run: dict[str, list[float]] = defaultdict(list)
    of_kind: dict[Kind, list[float]] = defaultdict(list)
    for header in records.headers(reports):
        if header.seconds is not None or header.same_as:
            of_run[header.run].append(header.seconds or 0.0)
        if header.seconds is not None:
            of_kind[parse_run(header.run).target.kind].append(header.seconds)
    known = {run: statistics.median(taken) for run, taken in of_run.items()}
    usual = {kind: statistics.median(taken) for kind, taken in of_kind.items()}
    return lambda run: known.get(run.id, usual.get(run.target.kind, SECONDS_A_RUN))


def plan(planned: Sequence[PlannedRun], shards: int, seconds: Seconds) -> Plan:
    """Divide the runs into at most this many shards, never more than there are runs. Raise BadUsage where GitHub could
    not start so many jobs, or where there are fewer shards than kinds of machines.
    """
    jobs = _jobs(planned, shards, seconds)
    of_kind: dict[Kind, list[Shard]] = defaultdict(list)
    for number, job in enumerate(jobs, 1):
        shard = Shard(
            number=number,
            of=len(jobs),
            backend=job.runs[0].run.target.backend,
            machine=job.runs[0].run.target.architecture,
            seconds=round(job.seconds),
            runs=[entry.run.id for entry in job.runs],
        )
        of_kind[job.kind].append(shard)
    return Plan(suite_sha256={how: suite_sha256(how=how) for how in get_args(How)}, shards=dict(of_kind))


def take(planned: Sequence[PlannedRun], part: Part, seconds: Seconds) -> tuple[PlannedRun, ...]:
    """Return the runs of one shard, in their order. Raise BadUsage where the plan has fewer shards."""
    jobs = _jobs(planned, part.of, seconds)
    if part.number > len(jobs):
        raise BadUsage(f"there is no shard {part.number}", f"these runs make {len(jobs)} shards at most")
    return jobs[part.number - 1].runs


def encode(plan_: Plan) -> bytes:
    return msgspec.json.encode(plan_, order="sorted")


def read(file: Path) -> Plan:
    """Raise BadRecord where the file is no plan, or of a newer format."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise BadRecord(f"{file}: is larger than {MOST_BYTES // 2**20} MiB")
        plan_ = msgspec.json.decode(data, type=Plan)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise BadRecord(f"{file}: {fault}", ANEW) from None
    if lacking := set(get_args(How)) - plan_.suite_sha256.keys():
        raise BadRecord(f"{file}: names no suite of the runs that are {', '.join(sorted(lacking))}", ANEW)
    return plan_


def _jobs(planned: Sequence[PlannedRun], shards: int, seconds: Seconds) -> list[_Job]:
    """Return the jobs of each kind, balanced, their runs in the order of `planned`."""
    _check_number(shards, planned, seconds)
    jobs = [_job(runs, seconds) for runs in grouped(planned, lambda entry: entry.run.target).values()]
    targets = grouped(jobs, lambda job: job.kind)
    order = {entry.run: number for number, entry in enumerate(planned)}
    return [
        _Job(seconds=job.seconds, runs=tuple(sorted(job.runs, key=lambda entry: order[entry.run])))
        for kind, number in _apportion(targets, shards).items()
        for job in _balance(targets[kind], number, seconds)
    ]


def _job(runs: Sequence[PlannedRun], seconds: Seconds) -> _Job:
    return _Job(seconds=SECONDS_AN_ENVIRONMENT + sum(seconds(entry.run) for entry in runs), runs=tuple(runs))


def _apportion(targets: dict[Kind, list[_Job]], shards: int) -> dict[Kind, int]:
    """Count the shards that each kind gets: one, then one more wherever a shard has most to do and can be divided."""
    work = {kind: sum(job.seconds for job in jobs) for kind, jobs in targets.items()}
    runs = {kind: sum(len(job.runs) for job in jobs) for kind, jobs in targets.items()}
    given = dict.fromkeys(targets, 1)
    for _ in range(shards - len(given)):
        divisible = [kind for kind in given if given[kind] < runs[kind]]
        if not divisible:
            break
        given[max(divisible, key=lambda kind: work[kind] / given[kind])] += 1
    return given


def _balance(targets: Sequence[_Job], number: int, seconds: Seconds) -> list[_Job]:
    """Put the targets together into this many jobs: the longest first, each to the job that has least to do so far.

    Only where there are fewer targets than jobs, the longest are halved.
    """
    parts = list(targets)
    while len(parts) < number:
        longest = max((part for part in parts if len(part.runs) > 1), key=lambda part: part.seconds)
        half = len(longest.runs) // 2
        parts.remove(longest)
        parts += [_job(longest.runs[:half], seconds), _job(longest.runs[half:], seconds)]
    jobs: list[tuple[float, int, list[PlannedRun]]] = [(0.0, index, []) for index in range(number)]
    for part in sorted(parts, key=lambda part: -part.seconds):
        least, index, runs = jobs[0]
        heapq.heapreplace(jobs, (least + part.seconds, index, [*runs, *part.runs]))
    return [_Job(seconds=taken, runs=tuple(runs)) for taken, _, runs in sorted(jobs, key=lambda job: job[1])]


def _check_number(shards: int, planned: Iterable[PlannedRun], seconds: Seconds) -> None:
    """Raise BadUsage for a number of shards that cannot be."""
    kinds = {entry.run.target.kind for entry in planned}
    if shards < len(kinds):
        raise BadUsage(f"{shards} shards for {', '.join(sorted(kinds))}", "a shard is of one of these: ask for more")
    if shards > MOST_JOBS:
        hours: dict[str, float] = defaultdict(float)
        for entry in planned:
            hours[f"{entry.run.target.kind}+{entry.run.profile}"] += seconds(entry.run) / 3600
        longest_first = sorted(hours.items(), key=lambda item: -item[1])
        raise BadUsage(
            f"{shards} shards: GitHub starts at most {MOST_JOBS} jobs of a matrix",
            "ask for fewer; where a shard is then too long, drop what takes most: "
            + ", ".join(f"{what} ({taken:.1f} h)" for what, taken in longest_first),
        )
