"""A plan in shards, one a job of one machine: balanced by what runs were recorded to take. While there are targets
enough none is in two shards, so that one image serves many runs.

The same selection, catalog and records give the same shards on every machine: what is due is each shard's own question,
for it depends on the host class.
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
from matrix.base.ids import Backend, How, Run, Target
from matrix.base.structs import Strict
from matrix.catalog.suite_hash import suite_sha256
from matrix.plan.due import SECONDS_A_RUN, SECONDS_AN_ENVIRONMENT
from matrix.plan.planned_run import Planned
from matrix.record import records

# GitHub starts no more jobs for the matrix of one workflow run, and ends one on a runner of its own after 6 hours.
MOST_JOBS = 256
MOST_SECONDS = 6 * 3600
MOST_BYTES = 16 * 2**20

Seconds = Callable[[Run], float]


class Shard(Strict, frozen=True, kw_only=True):
    """`number` of `of`; its runs are of one backend. `seconds` of work for one core, environments included."""

    number: Annotated[int, Meta(ge=1, le=MOST_JOBS)]
    of: Annotated[int, Meta(ge=1, le=MOST_JOBS)]
    backend: Backend
    seconds: Annotated[int, Meta(ge=0)]
    runs: Annotated[list[records.RunId], Meta(min_length=1)]

    @property
    def name(self) -> str:
        return f"{self.number}/{self.of}"


class Plan(Strict, frozen=True, kw_only=True, tag_field="format", tag="plan/1"):
    """What is to be made, and where: a job matrix for each backend. `suite_sha256`: by how a run is observed."""

    suite_sha256: dict[How, records.Sha256]
    shards: dict[Backend, list[Shard]]

    def every(self) -> list[Shard]:
        return [shard for shards in self.shards.values() for shard in shards]

    def too_long(self) -> list[Shard]:
        """Those that a runner of GitHub's would be stopped in, if it did one run after the other."""
        return [shard for shard in self.every() if shard.seconds > MOST_SECONDS]


@dataclass(frozen=True, kw_only=True)
class Part:
    """The shard that this machine makes, and the folder that its records are written to."""

    number: int
    of: int
    folder: Path


@dataclass(frozen=True, kw_only=True)
class _Load:
    """Runs that one machine makes, and the seconds that they and their environments take."""

    seconds: float
    runs: tuple[Planned, ...]


def parse(text: str, folder: Path | None) -> Part:
    """`I/N`, by default with a folder of this name below `shards/`. Raise BadUsage where there is no such shard."""
    match = re.fullmatch(r"([1-9][0-9]{0,2})/([1-9][0-9]{0,2})", text, re.ASCII)
    if not match or int(match[1]) > int(match[2]):
        raise BadUsage(f"{text!r} is no shard", "name the second of five: --shard 2/5")
    return Part(number=int(match[1]), of=int(match[2]), folder=folder or Path("shards", f"{match[1]}-of-{match[2]}"))


def seconds_of(reports: Path) -> Seconds:
    """What a run takes by its records, whatever machine made them (the median); without any, what those of its backend
    take; else a constant. A run that is another under another name costs nothing of its own.
    """
    of_run: dict[str, list[float]] = defaultdict(list)
    of_backend: dict[Backend, list[float]] = defaultdict(list)
    for header in records.headers(reports):
        if header.seconds is not None or header.same_as:
            of_run[header.run].append(header.seconds or 0.0)
        if header.seconds is not None:
            of_backend[header.backend].append(header.seconds)
    known = {run: statistics.median(taken) for run, taken in of_run.items()}
    usual = {backend: statistics.median(taken) for backend, taken in of_backend.items()}
    return lambda run: known.get(run.id, usual.get(run.target.backend, SECONDS_A_RUN))


def plan(planned: Sequence[Planned], shards: int, seconds: Seconds) -> Plan:
    """At most so many shards: never more than there are runs. Raise BadUsage for a number that cannot be."""
    _check_number(shards, planned, seconds)
    jobs = _jobs(planned, shards, seconds)
    made: dict[Backend, list[Shard]] = defaultdict(list)
    for number, (backend, job) in enumerate(jobs, 1):
        runs = [entry.run.id for entry in job.runs]
        shard = Shard(number=number, of=len(jobs), backend=backend, seconds=round(job.seconds), runs=runs)
        made[backend].append(shard)
    return Plan(suite_sha256={how: suite_sha256(how=how) for how in get_args(How)}, shards=dict(made))


def take(planned: Sequence[Planned], part: Part, seconds: Seconds) -> tuple[Planned, ...]:
    """The runs of one shard, in their order. Raise BadUsage where the plan has fewer shards."""
    _check_number(part.of, planned, seconds)
    jobs = _jobs(planned, part.of, seconds)
    if part.number > len(jobs):
        raise BadUsage(f"there is no shard {part.number}", f"these runs make {len(jobs)} shards at most")
    return jobs[part.number - 1][1].runs


def encode(made: Plan) -> bytes:
    return msgspec.json.encode(made, order="sorted")


def read(file: Path) -> Plan:
    """Raise BadRecord where the file is no plan, or a newer one."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise BadRecord(f"{file}: is larger than {MOST_BYTES // 2**20} MiB")
        return msgspec.json.decode(data, type=Plan)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise BadRecord(f"{file}: {fault}", "make it anew: python -m matrix plan --json") from None


def _jobs(planned: Sequence[Planned], shards: int, seconds: Seconds) -> list[tuple[Backend, _Load]]:
    order = {entry.run: number for number, entry in enumerate(planned)}
    targets = _by_target(planned, seconds)
    jobs = []
    for backend, number in _apportion(targets, shards).items():
        for job in _balance(_divide(targets[backend], number, seconds), number):
            runs = sorted(job.runs, key=lambda entry: order[entry.run])
            jobs.append((backend, _Load(seconds=job.seconds, runs=tuple(runs))))
    return jobs


def _by_target(planned: Iterable[Planned], seconds: Seconds) -> dict[Backend, list[_Load]]:
    groups: dict[Target, list[Planned]] = defaultdict(list)
    for entry in planned:
        groups[entry.run.target].append(entry)
    made: dict[Backend, list[_Load]] = defaultdict(list)
    for target, runs in groups.items():
        made[target.backend].append(_load(runs, seconds))
    return made


def _load(runs: Sequence[Planned], seconds: Seconds) -> _Load:
    return _Load(seconds=SECONDS_AN_ENVIRONMENT + sum(seconds(entry.run) for entry in runs), runs=tuple(runs))


def _apportion(targets: dict[Backend, list[_Load]], shards: int) -> dict[Backend, int]:
    """Shards a backend: one for each, then one by one to where a shard has most to do, while it has runs to share."""
    work = {backend: sum(load.seconds for load in loads) for backend, loads in targets.items()}
    runs = {backend: sum(len(load.runs) for load in loads) for backend, loads in targets.items()}
    given = dict.fromkeys(targets, 1)
    for _ in range(shards - len(given)):
        divisible = [backend for backend in given if given[backend] < runs[backend]]
        if not divisible:
            break
        given[max(divisible, key=lambda backend: work[backend] / given[backend])] += 1
    return given


def _divide(targets: Sequence[_Load], number: int, seconds: Seconds) -> list[_Load]:
    """At least so many loads: whole targets, and only where those are too few, halves of the longest."""
    loads = list(targets)
    while len(loads) < number:
        longest = max((load for load in loads if len(load.runs) > 1), key=lambda load: load.seconds)
        half = len(longest.runs) // 2
        loads.remove(longest)
        loads += [_load(longest.runs[:half], seconds), _load(longest.runs[half:], seconds)]
    return loads


def _balance(loads: Iterable[_Load], number: int) -> list[_Load]:
    """The longest first, each to the job that has least to do so far."""
    jobs: list[tuple[float, int, list[Planned]]] = [(0.0, index, []) for index in range(number)]
    for load in sorted(loads, key=lambda load: -load.seconds):
        least, index, runs = jobs[0]
        heapq.heapreplace(jobs, (least + load.seconds, index, [*runs, *load.runs]))
    return [_Load(seconds=taken, runs=tuple(runs)) for taken, _, runs in sorted(jobs, key=lambda job: job[1])]


def _check_number(shards: int, planned: Iterable[Planned], seconds: Seconds) -> None:
    backends = {entry.run.target.backend for entry in planned}
    if shards < len(backends):
        raise BadUsage(f"{shards} shards for {len(backends)} backends", "a shard is of one backend: ask for more")
    if shards > MOST_JOBS:
        raise BadUsage(
            f"{shards} shards: GitHub starts at most {MOST_JOBS} jobs of a matrix",
            f"ask for fewer; where a shard is then too long, drop what takes most: {_heaviest(planned, seconds)}",
        )


def _heaviest(planned: Iterable[Planned], seconds: Seconds) -> str:
    """Backends and profiles with their hours, the longest first."""
    hours: dict[str, float] = defaultdict(float)
    for entry in planned:
        hours[f"{entry.run.target.backend}+{entry.run.profile}"] += seconds(entry.run) / 3600
    return ", ".join(f"{what} ({taken:.1f} h)" for what, taken in sorted(hours.items(), key=lambda item: -item[1]))
