"""Carries out due runs: environments are built while earlier ones run, and as many runs go side by side as fit.

Few environments are built ahead, so that a disk that holds only some of them is enough for all.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

import psutil

from matrix.base.errors import MachineError, NotBuilt
from matrix.base.ids import Run, Target
from matrix.catalog.releases import Catalog
from matrix.plan.planned_run import Planned
from matrix.plan.selection import Selection
from matrix.provision import interpreters
from matrix.provision.engines import ENGINES
from matrix.provision.engines.protocol import Environment
from matrix.record.records import Record
from matrix.run import runner
from matrix.run.runner import Job

Group = list[Planned]
Pending = dict[Future[Environment | NotBuilt | list[Record]], Group]

# Seconds until an interrupt is acted on.
TO_NOTICE = 0.5
# Targets that are built beyond those that can run.
AHEAD = 2
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
        work, told = _Work(crew, builders, runners, _by_target(due)), False
        try:
            while work.is_left():
                if interrupted.is_set() and not told:
                    progress.interrupted(work.begin_nothing_more())
                    told = True
                for record in work.ended():
                    finish(record)
        finally:
            crew.stop.set()
            work.stop()
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


def _by_target(due: Sequence[Planned]) -> list[Group]:
    return [list(group) for _, group in itertools.groupby(due, key=lambda planned: planned.run.target)]


class _Crew:
    """What the threads share."""

    def __init__(self, catalog: Catalog, due: frozenset[Run], selection: Selection, progress: Progress) -> None:
        self.stop = threading.Event()
        self._catalog, self._due, self._progress = catalog, due, progress
        self._selection = selection
        self._under_way = 0
        self._left = Counter(run.target for run in due)
        self._tried: set[Target] = set()
        self._gate = threading.Lock()

    def build(self, group: Group) -> Environment | NotBuilt | list[Record]:
        """A fault of this machine's may be gone later: the first time, and only then, it is the answer itself."""
        engine, target = ENGINES[group[0].engine], group[0].run.target
        try:
            return engine.provision(target, self._progress.building)
        except NotBuilt as fault:
            if fault.machine and target not in self._tried:
                self._tried.add(target)
                return fault
            return [runner.not_built(planned, fault) for planned in group]

    def run(self, planned: Planned, environment: Environment) -> list[Record]:
        """The record of the run; for a `default` that is another profile here, also the other's, unless it is due.

        Tried twice where the machine prevents it, and then recorded as not run.
        """
        try:
            return self._run_or_again(planned, environment)
        except MachineError as fault:
            return [runner.not_run(planned, fault)]
        finally:
            self._ended(planned, environment)

    def _run_or_again(self, planned: Planned, environment: Environment) -> list[Record]:
        try:
            return self._run(planned, environment)
        except MachineError:
            return self._run(planned, environment)

    def _ended(self, planned: Planned, environment: Environment) -> None:
        """After a target's last run nothing here needs its environment."""
        with self._gate:
            self._left[environment.target] -= 1
            left = self._left[environment.target]
        if not left:
            ENGINES[planned.engine].done(environment)

    def _run(self, planned: Planned, environment: Environment) -> list[Record]:
        arguments = self._selection.patterns(planned)
        job = Job(planned=planned, environment=environment, arguments=arguments, stop=self.stop)
        job = runner.on_its_device(job)
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


class _Work:
    """What waits to be built, in its order, and what is built or run now; used by one thread."""

    def __init__(self, crew: _Crew, builders: Executor, runners: Executor, groups: Sequence[Group]) -> None:
        self._crew, self._builders, self._runners = crew, builders, runners
        self._waiting = deque(groups)
        self._pending: Pending = {}
        self._put_off: set[Target] = set()
        self._closed = False

    def is_left(self) -> bool:
        while group := self._next():
            self._pending[self._builders.submit(self._crew.build, group)] = group
        return bool(self._pending)

    def ended(self) -> Iterator[Record]:
        """The records of what has ended meanwhile. What was built begins to run."""
        done, _ = wait(self._pending, timeout=TO_NOTICE, return_when=FIRST_COMPLETED)
        for future in done:
            group, result = self._pending.pop(future), future.result()
            if isinstance(result, list):
                yield from result
            elif not self._closed:
                self._go_on(group, result)

    def begin_nothing_more(self) -> int:
        """How much is under way all the same."""
        self._closed = True
        self._waiting.clear()
        for future in [future for future in self._pending if future.cancel()]:
            del self._pending[future]
        return len(self._pending)

    def stop(self) -> None:
        """After a fault: end what goes on in other threads."""
        if self._pending:
            self.begin_nothing_more()
            interpreters.stop()

    def _next(self) -> Group | None:
        """One that may be built beside what is under way; one that was put off only when nothing is."""
        if not self._waiting:
            return None
        under_way = len({group[0].run.target for group in self._pending.values()})
        most = 1 if self._waiting[0][0].run.target in self._put_off else slots() + AHEAD
        return self._waiting.popleft() if under_way < most else None

    def _go_on(self, group: Group, result: Environment | NotBuilt) -> None:
        """What is under way may have the disk that a build lacked: once it has ended, that one is the next."""
        if isinstance(result, NotBuilt):
            self._put_off.add(group[0].run.target)
            self._waiting.appendleft(group)
            return
        for planned in group:
            self._pending[self._runners.submit(self._crew.run, planned, result)] = [planned]
