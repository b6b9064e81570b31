"""Observes cells in forked workers, so that a crash, a hang or a memory hog costs exactly one cell.

The parent has imported TensorFlow and never touches a device. A worker takes cells in turn and announces each. When
it dies, the cell it was in is observed again alone in a fresh fork before it is blamed: a predecessor may have
corrupted memory. The next worker goes on with the rest.
"""

import collections
import itertools
import json
import time
from typing import NamedTuple

from . import clock, watch
from .fork import Fork, is_suite_fault

NEXT = "next"
UNREADABLE = {"outcome": "crash", "reason": "the worker's words could not be read"}

Limits = NamedTuple("Limits", [("seconds", float), ("memory", int)])  # for one cell: wall time, resident bytes


def observe_all(cells, begin, task, limits, workers=1):
    """Yield an observation a cell. In every worker `begin()` runs once, then `task(cell) -> dict`.

    One worker observes the cells in turn. With more of them, as where most of the time goes into compiling for a GPU,
    each approach is observed by one of them, and observations come as they are made.
    """
    parts = _parts(cells, workers)
    if len(parts) < 2:
        for observation in _in_turn(cells, begin, task, limits):
            yield observation
        return
    forks = [Fork(lambda say, part=part: _say_all(_in_turn(part, begin, task, limits), say)) for part in parts]
    while forks:
        for fork in list(forks):
            lines = fork.read(0.1 / len(forks))
            for line in lines or []:
                yield json.loads(line.decode("utf-8"))
            if lines is None:
                fork.end()
                forks.remove(fork)


def _parts(cells, number):
    """By approach, each to the part with the fewest cells so far; the largest first."""
    approaches = [list(group) for _, group in itertools.groupby(sorted(cells), key=lambda cell: cell.approach)]
    parts = [[] for _ in range(min(number, len(approaches)))]
    for group in sorted(approaches, key=len, reverse=True):
        min(parts, key=len).extend(group)
    return parts


def _say_all(observations, say):
    for observation in observations:
        say(observation)


def _in_turn(cells, begin, task, limits):
    pending = collections.deque(cells)
    while pending:
        worker = _Worker(list(pending), begin, task, limits)
        for observation in worker.results():
            yield dict(pending.popleft()._asdict(), **observation)
        if pending:
            yield _again(pending.popleft(), begin, task, limits, worker.fate)


def _again(cell, begin, task, limits, first):
    """The cell that a worker died in, alone: what it says now counts."""
    worker = _Worker([cell], begin, task, limits)
    for observation in worker.results():
        how = first.get("signal", first["outcome"])
        reason = "died here ({}) after other cases; alone it does not".format(how)
        return dict(cell._asdict(), reason=reason, **{key: observation[key] for key in observation if key != "reason"})
    return dict(cell._asdict(), evidence="executed", **worker.fate)


class _Worker(object):
    """A forked process that observes cells; after `results()` is exhausted, `fate` says how it ended if it died."""

    def __init__(self, cells, begin, task, limits):
        self.cells, self.limits = cells, limits
        self.fate = None
        self.oom_kills = watch.oom_kills()
        self.forked = time.perf_counter()
        self.fork = Fork(lambda say: _work(cells, begin, task, say))

    def results(self):
        """Yield what the worker says of each cell; end when it has said all, or died."""
        left, spent = len(self.cells), {}
        deadline = time.monotonic() + self.limits.seconds
        while left and self.fate is None:
            lines = self.fork.read()
            if lines is None:
                break
            for line in lines:
                deadline = time.monotonic() + self.limits.seconds
                try:
                    said = _said(line)
                except (ValueError, TypeError):
                    self.fate = UNREADABLE
                    break
                if said is None:
                    self._note_fork()
                    continue
                observation, spent = said
                left -= 1
                yield observation
            if not lines:
                self._watch(deadline)
        clock.SPENT.update(spent)
        if left:
            self.fork.drain(0 if self.fate else 2)
        status = self.fork.end()
        if left:
            self.fate = self.fate or self._cause(status)

    def _watch(self, deadline):
        if watch.memory(self.fork.pid) > self.limits.memory:
            reason = "resident memory passed {:.1f} GiB".format(self.limits.memory / 2.0**30)
            self.fate = {"outcome": "oom", "reason": reason}
        elif time.monotonic() > deadline:
            self.fate = {"outcome": "timeout", "reason": "no result after {:g} s".format(self.limits.seconds)}

    def _note_fork(self):
        if self.forked is not None:
            clock.SPENT["fork"] += time.perf_counter() - self.forked
            self.forked = None

    def _cause(self, status):
        if self.fork.endless:
            return {"outcome": "crash", "reason": "the worker's words had no end"}
        if is_suite_fault(status):
            return {"outcome": "skipped", "reason": "a fault of the suite itself: see the log of the run"}
        fate = watch.fate(status, self.fork.output)
        if fate.get("signal") == "SIGKILL" and watch.oom_kills() > self.oom_kills:
            return {"outcome": "oom", "reason": "the kernel ended it for want of memory"}
        return fate


def _said(line):
    """(observation, seconds by what they were spent on), or None for an announcement. ValueError or TypeError where it
    is neither.
    """
    said = json.loads(line.decode("utf-8"))
    if said == NEXT:
        return None
    observation, spent = said
    return dict(observation), {what: float(seconds) for what, seconds in spent.items()}


def _work(cells, begin, task, say):
    begin()
    clock.SPENT.clear()
    for cell in cells:
        say(NEXT)
        say([task(cell), clock.SPENT])
