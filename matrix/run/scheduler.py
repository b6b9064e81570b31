"""Carries out due runs: targets are built while the runs of earlier targets go on, as many side by side as fit.

Few targets are built ahead, so that a disk that holds only some environments is enough for all of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import FrameType

import psutil

from matrix.base.errors import MachineError, NotBuilt
from matrix.base.ids import Run, Target
from matrix.catalog.releases import Catalog
from matrix.plan.due import current
from matrix.plan.planned_run import PlannedRun
from matrix.plan.selection import Selection
from matrix.provision import interpreters
from matrix.provision.engines import ENGINES
from matrix.provision.engines.protocol import Environment
from matrix.record.records import Record
from matrix.run import runner
from matrix.run.progress import STOPPED_WITHIN, Plain
from matrix.run.runner import Job

Group = list[PlannedRun]
Pending = dict[Future[Environment | NotBuilt | list[Record]], Group]

# Seconds until an interrupt is acted on.
TO_NOTICE = 0.5
# Targets that are built beyond those that can run.
AHEAD = 2
# The most memory that a run was seen to take. A run's limit is higher, for what was not seen yet.
USUAL_MEMORY = 2 * 2**30


def execute(
    due: Sequence[PlannedRun], selection: Selection, catalog: Catalog, progress: Plain, reports: Path
) -> Generator[Record, None, None]:
    """Make the due runs over the selected cells, and yield each record as soon as its run has ended. What is current
    under `reports` is not made.

    After a first interrupt the runs that are under way end and are yielded, then KeyboardInterrupt is raised. A second
    interrupt, SIGTERM, and closing this generator (after a full disk, say) stop the runs at once. Where they do not
    stop (an image build cannot be stopped), the second interrupt ends this process all the same.
    """
    crew = _Crew(catalog, frozenset(planned.run for planned in due), selection, progress, reports)
    builders, runners = ThreadPoolExecutor(1), ThreadPoolExecutor(slots())
    with _first_interrupt(progress) as interrupted, builders, runners:
        work, is_told = _Work(crew, builders, runners, due), False
        try:
            while work.is_left():
                if interrupted.is_set() and not is_told:
                    progress.interrupted(work.begin_nothing_more())
                    is_told = True
                yield from work.ended()
        finally:
            crew.stop.set()
            if work.pending:
                work.begin_nothing_more()
                interpreters.stop()
    if interrupted.is_set():
        raise KeyboardInterrupt


def slots() -> int:
    """Count the runs that go side by side: one a core that this process may use."""
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def _first_interrupt(progress: Plain) -> Iterator[threading.Event]:
    """Set the event at the first SIGINT, so that a record which is being written is finished. A second SIGINT raises
    KeyboardInterrupt, also where the shell has told a background process to ignore it; the process then has some
    seconds to end by itself, whatever it waits for.
    """
    asked = threading.Event()
    last_resort = threading.Timer(STOPPED_WITHIN - 4, _end_now, [progress])
    last_resort.daemon = True

    def note(_number: int, _frame: FrameType | None) -> None:
        if not asked.is_set():
            asked.set()
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)
        last_resort.start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _end_now(progress: Plain) -> None:
    """End this process whatever its threads wait for. Records are written whole, the kernel ends the suites with us,
    and the next call removes containers that are left.
    """
    progress.stopped()
    os._exit(128 + signal.SIGINT)


class _NotBegun(Exception):
    """A run that still waited when the sweep was interrupted."""


class _Crew:
    """Builds targets and makes their runs; its methods are called in the threads of the executors."""

    def __init__(
        self, catalog: Catalog, due: frozenset[Run], selection: Selection, progress: Plain, reports: Path
    ) -> None:
        # `closed`: nothing more is to begin; `stop`: what has begun is to end.
        self.closed, self.stop = threading.Event(), threading.Event()
        self._catalog, self._due, self._progress = catalog, due, progress
        self._selection, self._reports = selection, reports
        self._under_way = 0
        self._runs_left = Counter(run.target for run in due)
        self._tried: set[Target] = set()
        self._gate = threading.Lock()

    def build(self, group: Group) -> Environment | NotBuilt | list[Record]:
        """Build the target of these runs, or return the records that say why it cannot be built.

        A fault of this machine may be gone later: the first time it is returned itself, so that the target is tried
        again.
        """
        engine, target = ENGINES[group[0].engine], group[0].run.target
        try:
            return engine.provision(target, self._progress.building)
        except NotBuilt as fault:
            if fault.machine and target not in self._tried:
                self._tried.add(target)
                return fault
            return [runner.not_built(planned, fault) for planned in group]
        except Exception as fault:  # noqa: BLE001 - whatever it is, it costs the runs of this target alone
            return [runner.broken(planned, fault) for planned in group]
        finally:
            self._progress.built()

    def run(self, planned: PlannedRun, environment: Environment) -> list[Record]:
        """Make the run: a second time where the machine prevents it, and record it as not run after that."""
        try:
            with contextlib.suppress(MachineError):
                return self._make(planned, environment)
            return self._make(planned, environment)
        except MachineError as fault:
            return [runner.not_run(planned, fault)]
        except _NotBegun:
            return []
        except Exception as fault:  # noqa: BLE001 - whatever it is, it costs this run alone
            return [runner.broken(planned, fault)]
        finally:
            with self._gate:
                self._runs_left[environment.target] -= 1
                was_last = not self._runs_left[environment.target]
            if was_last:
                ENGINES[planned.engine].done(environment)

    def _make(self, planned: PlannedRun, environment: Environment) -> list[Record]:
        """Return the record of the run. Where `default` is another profile under another name on this host class, also
        return that profile's record, unless its run is due anyway or current.
        """
        arguments = self._selection.patterns(planned)
        job = Job(planned=planned, environment=environment, arguments=arguments, stop=self.stop)
        job, made = runner.on_its_device(job), []
        with self._memory(planned.run.id):
            with self._progress.busy(f"asking {planned.run.id} what it is by default"):
                other = runner.default_is(job, self._catalog)
            if other:
                made.append(runner.same_as(job, other.run.id))
                job = dataclasses.replace(job, planned=other)
            if other is None or not (other.run in self._due or self._is_current(other)):
                run, wanted = job.planned.run.id, self._selection.cells(job.planned)
                self._progress.started(run, len(wanted))
                made.append(runner.observe(job, wanted, lambda _: self._progress.observed(run)))
        return made

    def _is_current(self, planned: PlannedRun) -> bool:
        return self._selection.is_whole and current(planned, self._reports) is not None

    @contextlib.contextmanager
    def _memory(self, run: str) -> Iterator[None]:
        """Wait until there is memory for one more run. A run does not wait while no other run is under way. Raise
        _NotBegun once nothing more is to begin.
        """
        is_told = False
        while True:
            free = psutil.virtual_memory().available
            with self._gate:
                if self._under_way == 0 or free > USUAL_MEMORY:
                    self._under_way += 1
                    break
            if self.closed.is_set():
                raise _NotBegun
            if not is_told:
                need = f"a run takes up to {USUAL_MEMORY / 2**30:.0f} GiB of memory, {free / 2**30:.1f} are free"
                self._progress.waiting(run, f"{need}; close what else runs here, or let the runs under way end")
                is_told = True
            time.sleep(0.5)
        self._progress.waited(run)
        try:
            yield
        finally:
            with self._gate:
                self._under_way -= 1


class _Work:
    """The targets that wait to be built, in their order, and what is built or run now; for one thread."""

    def __init__(self, crew: _Crew, builders: Executor, runners: Executor, due: Sequence[PlannedRun]) -> None:
        self._crew, self._builders, self._runners = crew, builders, runners
        by_target = itertools.groupby(due, key=lambda planned: planned.run.target)
        self._waiting = deque(list(group) for _, group in by_target)
        self.pending: Pending = {}
        self._put_off: set[Target] = set()

    def is_left(self) -> bool:
        """Begin to build what may be built now, and say whether anything is under way.

        A target that was put off is built only when nothing else is under way.
        """
        while self._waiting:
            group = self._waiting[0]
            under_way = len({group[0].run.target for group in self.pending.values()})
            if under_way >= (1 if group[0].run.target in self._put_off else slots() + AHEAD):
                break
            self.pending[self._builders.submit(self._crew.build, self._waiting.popleft())] = group
        return bool(self.pending)

    def ended(self) -> Iterator[Record]:
        """Yield the records of the runs that have ended meanwhile. Begin the runs of targets that were built."""
        done, _ = wait(self.pending, timeout=TO_NOTICE, return_when=FIRST_COMPLETED)
        for future in done:
            group, result = self.pending.pop(future), future.result()
            if isinstance(result, list):
                yield from result
            elif self._crew.closed.is_set():
                continue
            elif isinstance(result, NotBuilt):
                # What is under way may hold the disk that the build lacked: when it has ended, this target is the next.
                self._put_off.add(group[0].run.target)
                self._waiting.appendleft(group)
            else:
                for planned in group:
                    self.pending[self._runners.submit(self._crew.run, planned, result)] = [planned]

    def begin_nothing_more(self) -> int:
        """Drop what has not begun, and count what is under way."""
        self._crew.closed.set()
        self._waiting.clear()
        for future in [future for future in self.pending if future.cancel()]:
            del self.pending[future]
        return len(self.pending)
