"""Carries out due runs: environments are built while earlier ones run, and as many runs go side by side as fit."""

from __future__ import annotations

import dataclasses
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Protocol

import psutil

from matrix import runner
from matrix.catalog import Catalog
from matrix.engines import ENGINES
from matrix.engines.protocol import Environment
from matrix.errors import NotBuilt
from matrix.ids import Run
from matrix.plan import Selection
from matrix.records import Record
from matrix.runner import Job, Planned

# What a run was seen to take at most; the limit of one is higher, for what was not yet seen.
USUAL_MEMORY = 2 * 2**30


class Progress(Protocol):
    """Told from several threads."""

    def building(self, target: str) -> None: ...

    def started(self, run: str, cells: int) -> None: ...

    def observed(self, run: str) -> None: ...

    def finished(self, record: Record) -> None: ...


def execute(
    due: Sequence[Planned],
    selection: Selection,
    catalog: Catalog,
    *,
    progress: Progress,
    finish: Callable[[Record], None],
) -> None:
    """Make the due runs over the selected cells; `finish` takes each record, in this thread, as it comes.

    The first interrupt lets the runs that are under way end; the second stops them and raises KeyboardInterrupt.
    """
    crew = _Crew(catalog, frozenset(planned.run for planned in due), selection, progress)
    with ThreadPoolExecutor(1) as builders, ThreadPoolExecutor(slots()) as runners:
        pending: dict[Future[Environment | list[Record]], list[Planned]] = {
            builders.submit(crew.build, group): group for group in _by_target(due)
        }
        try:
            _carry_out(pending, crew, runners, finish)
        except KeyboardInterrupt:
            under_way = {future: group for future, group in pending.items() if not future.cancel()}
            try:
                _carry_out(under_way, None, runners, finish)
            finally:
                crew.stop.set()
            raise


def slots() -> int:
    """Runs side by side: one a core that this process may use."""
    return len(os.sched_getaffinity(0))


def _carry_out(
    pending: dict[Future[Environment | list[Record]], list[Planned]],
    crew: _Crew | None,
    runners: ThreadPoolExecutor,
    finish: Callable[[Record], None],
) -> None:
    """A built environment brings its runs, unless there is no crew any more to make them."""
    while pending:
        done, _ = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            group, result = pending.pop(future), future.result()
            if isinstance(result, list):
                for record in result:
                    finish(record)
            elif crew is not None:
                pending |= {runners.submit(crew.run, planned, result): [planned] for planned in group}


def _by_target(due: Sequence[Planned]) -> list[list[Planned]]:
    return [list(group) for _, group in itertools.groupby(due, key=lambda planned: planned.run.target)]


class _Crew:
    """What the threads share."""

    def __init__(self, catalog: Catalog, due: frozenset[Run], selection: Selection, progress: Progress) -> None:
        self.stop = threading.Event()
        self._catalog, self._due, self._progress = catalog, due, progress
        self._selection = selection
        self._under_way = 0
        self._gate = threading.Lock()

    def build(self, group: list[Planned]) -> Environment | list[Record]:
        first = group[0]
        try:
            return ENGINES[first.engine].provision(first.run.target, self._progress.building)
        except NotBuilt as fault:
            return [runner.not_built(planned, fault) for planned in group]

    def run(self, planned: Planned, environment: Environment) -> list[Record]:
        """The record of the run; for a `default` that is another profile here, also the other's, unless it is due."""
        job = Job(planned=planned, environment=environment, arguments=self._selection.patterns(), stop=self.stop)
        with self._memory():
            other = runner.default_is(job, self._catalog)
            if other is None:
                return [self._observe(job)]
            same = runner.same_as(job, other.run.id)
            return [same] if other.run in self._due else [same, self._observe(dataclasses.replace(job, planned=other))]

    def _observe(self, job: Job) -> Record:
        run = job.planned.run.id
        wanted = self._selection.cells(job.planned)
        self._progress.started(run, len(wanted))
        return runner.observe(job, wanted, lambda _: self._progress.observed(run))

    @contextmanager
    def _memory(self) -> Iterator[None]:
        """Wait until there is memory for one more; one alone always goes."""
        while not self._admit():
            time.sleep(0.5)
        try:
            yield
        finally:
            with self._gate:
                self._under_way -= 1

    def _admit(self) -> bool:
        with self._gate:
            fits = psutil.virtual_memory().available > USUAL_MEMORY
            if self._under_way == 0 or fits:
                self._under_way += 1
                return True
            return False
