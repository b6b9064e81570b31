"""Carries out due runs: environments are built while earlier ones run, and as many runs go side by side as fit."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

import psutil

from matrix import interpreters, runner
from matrix.catalog import Catalog
from matrix.engines import ENGINES
from matrix.engines.protocol import Environment
from matrix.errors import MachineError, NotBuilt
from matrix.ids import Run
from matrix.plan import Selection
from matrix.records import Record
from matrix.runner import Job, Planned

Pending = dict[Future[Environment | list[Record]], list[Planned]]

# Seconds until an interrupt is acted on.
TO_NOTICE = 0.5
# What a run was seen to take at most; the limit of one is higher, for what was not yet seen.
USUAL_MEMORY = 2 * 2**30


class Progress(Protocol):
    """Told from several threads."""

    def building(self, target: str) -> None: ...

    def started(self, run: str, cells: int) -> None: ...

    def observed(self, run: str) -> None: ...

    def finished(self, record: Record) -> None: ...

    def interrupted(self, under_way: int) -> None: ...


def execute(
    due: Sequence[Planned],
    selection: Selection,
    catalog: Catalog,
    *,
    progress: Progress,
    finish: Callable[[Record], None],
) -> None:
    """Make the due runs over the selected cells; `finish` takes each record, in this thread, as it comes.

    After a first interrupt the runs that are under way end and are recorded, then KeyboardInterrupt is raised. A second
    one, SIGTERM, or a fault of `finish` (a full disk) stop them at once.
    """
    crew = _Crew(catalog, frozenset(planned.run for planned in due), selection, progress)
    one, many = ThreadPoolExecutor(1), ThreadPoolExecutor(slots())
    with one as builders, many as runners, _first_interrupt() as interrupted:
        pending: Pending = {builders.submit(crew.build, group): group for group in _by_target(due)}
        told = False
        try:
            while pending:
                done, _ = wait(pending, timeout=TO_NOTICE, return_when=FIRST_COMPLETED)
                if interrupted.is_set() and not told:
                    _cancel(pending)
                    progress.interrupted(len(pending))
                    told = True
                for future in done & pending.keys():
                    group, result = pending.pop(future), future.result()
                    if isinstance(result, list):
                        for record in result:
                            finish(record)
                    elif not interrupted.is_set():
                        pending |= {runners.submit(crew.run, planned, result): [planned] for planned in group}
        finally:
            crew.stop.set()
            for future in pending:
                future.cancel()
            if pending:
                interpreters.stop()
    if interrupted.is_set():
        raise KeyboardInterrupt


def slots() -> int:
    """Runs side by side: one a core that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def _first_interrupt() -> Iterator[threading.Event]:
    """Is set by the first SIGINT, so that a record which is being written is finished; a second one raises, also where
    the shell has told a background process to ignore it.
    """
    asked = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        asked.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _cancel(pending: Pending) -> None:
    """Whatever has not begun."""
    for future in [future for future in pending if future.cancel()]:
        del pending[future]


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
        """A fault of this machine's may be gone a moment later: then, and only then, it is tried twice."""
        engine, target = ENGINES[group[0].engine], group[0].run.target
        try:
            return engine.provision(target, self._progress.building)
        except NotBuilt as fault:
            if not fault.machine:
                return [runner.not_built(planned, fault) for planned in group]
        try:
            return engine.provision(target, self._progress.building)
        except NotBuilt as fault:
            return [runner.not_built(planned, fault) for planned in group]

    def run(self, planned: Planned, environment: Environment) -> list[Record]:
        """The record of the run; for a `default` that is another profile here, also the other's, unless it is due.

        Tried twice where the machine prevents it, and then recorded as not run.
        """
        try:
            return self._run(planned, environment)
        except MachineError:
            pass
        try:
            return self._run(planned, environment)
        except MachineError as fault:
            return [runner.not_run(planned, fault)]

    def _run(self, planned: Planned, environment: Environment) -> list[Record]:
        arguments = self._selection.patterns(planned)
        job = Job(planned=planned, environment=environment, arguments=arguments, stop=self.stop)
        job = runner.on_its_processor(job)
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
