"""What planning for many machines takes, and putting their records together: wanted are 10,000 runs within 1 s, and
1,000 records within 10 s. `python tests/benchmark/machines.py`
"""

from __future__ import annotations

import datetime
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from matrix.base import paths
from matrix.base.ids import BACKENDS
from matrix.catalog.releases import Catalog, Profile, Release, Wheel
from matrix.plan import shards
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection
from matrix.record import records
from matrix.record.records import Record
from matrix.run import merge

REPETITIONS = 5
RUNS, RECORDS, MACHINES = 10_000, 1_000, 20


def measured(what: str, within: float, call: Callable[[], object]) -> None:
    """Wall time, and beside it the processor's: on a machine with other work they differ."""
    walls, processors = [], []
    for _ in range(REPETITIONS):
        wall, processor = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    wall, processor = statistics.median(walls), statistics.median(processors)
    spread = f"{min(walls):.2f} to {max(walls):.2f}"
    print(f"{what}: {wall:.2f} s ({spread}), {processor:.2f} s of a processor; wanted within {within:g} s")


def planning() -> None:
    wheel = Wheel(requirement="tensorflow==1", python="3.10")
    profiles = tuple(Profile(name=f"profile-{i}", environment={}, backends=list(BACKENDS), why="w") for i in range(10))
    versions = [f"2.{number}.0" for number in range(RUNS // len(profiles) // len(BACKENDS) + 1)]
    releases = tuple(
        Release(version=version, date=datetime.date(2022, 1, 1), wheels=dict.fromkeys(BACKENDS, wheel))
        for version in versions
    )
    catalog = Catalog(releases=releases, profiles=profiles)
    selection = Selection(releases=("all",), backends=BACKENDS)

    def call() -> None:
        planned = plan_runs(catalog, selection, "docker")
        assert len(planned) >= RUNS
        shards.encode(shards.plan(planned, shards.MOST_JOBS, shards.seconds_of(paths.REPORTS)))

    measured(f"planning {RUNS:,} runs for {shards.MOST_JOBS} machines", 1, call)


def merging(folder: Path) -> None:
    """Published records of whole executed runs, as if there were more releases."""
    real = [record for record in records.read_all(paths.REPORTS) if record.header.status == "complete"]
    executed = [record for record in real if record.header.planned_for is None]
    written = [
        records.write(folder / str(number % MACHINES), renamed(record, number))
        for number, record in zip(range(RECORDS), itertools.cycle(executed), strict=False)
    ]
    size = sum(file.stat().st_size for file in written) / 2**20
    sources = [folder / str(number) for number in range(MACHINES)]
    results = (folder / f"merged-{number}" for number in itertools.count())
    what = f"merging {RECORDS:,} records of {size:.0f} MiB from {MACHINES} machines"
    measured(what, 10, lambda: merge.write(merge.choose(sources, folder := next(results), None), folder))


def renamed(record: Record, number: int) -> Record:
    told = {"release": f"3.{number}.0", "run": f"tf3.{number}.0-py313-cpu+default", "profile": "default"}
    header = msgspec.structs.replace(record.header, **told, suite_sha256="a" * 64)
    return Record(header=header, observations=record.observations)


if __name__ == "__main__":
    planning()
    with tempfile.TemporaryDirectory() as folder:
        merging(Path(folder))
