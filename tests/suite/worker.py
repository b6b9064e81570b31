"""Observes cells in forked workers, so that a crash, a hang or a memory hog costs exactly one cell.

The parent has imported TensorFlow and never touches a device. A worker takes cells in turn and announces each. When
it dies, the cell it was in is observed again alone in a fresh fork before it is blamed: a predecessor may have
corrupted memory. The next worker goes on with the rest.
"""

import collections
import ctypes
import json
import os
import select
import signal
import sys
import time
import traceback
from typing import NamedTuple

from . import clock, watch

MAX_FRAME = 64 * 1024
OUTPUT_KEPT = 16 * 1024
OUTPUT_RELAYED = 256 * 1024
SUITE_FAULT = 70  # EX_SOFTWARE
NEXT = b"next"

Limits = NamedTuple("Limits", [("seconds", float), ("memory", int)])  # for one cell: wall time, resident bytes


def observe_all(cells, begin, task, limits):
    """Yield an observation a cell, in turn. In every worker `begin()` runs once, then `task(cell) -> dict`."""
    pending = collections.deque(cells)
    while pending:
        worker = _Worker(list(pending), begin, task, limits)
        for observation in worker.results():
            yield dict(_keys(pending.popleft()), **observation)
        if pending:
            yield _again(pending.popleft(), begin, task, limits, worker.fate)


def _again(cell, begin, task, limits, first):
    """The cell that a worker died in, alone: what it says now counts."""
    worker = _Worker([cell], begin, task, limits)
    for observation in worker.results():
        how = first.get("signal", first["outcome"])
        reason = "died here ({}) after other cases; alone it does not".format(how)
        return dict(_keys(cell), reason=reason, **{key: observation[key] for key in observation if key != "reason"})
    return dict(_keys(cell), evidence="executed", **worker.fate)


def _keys(cell):
    return {"approach": cell.approach, "mode": cell.mode, "check": cell.check, "case": cell.case}


class _Worker(object):
    """A forked process that observes cells; after `results()` is exhausted, `fate` says how it ended if it died."""

    def __init__(self, cells, begin, task, limits):
        self.cells, self.limits = cells, limits
        self.fate = None
        self.output = b""
        self.relayed = 0
        self.spent = {}
        self.oom_kills = watch.oom_kills()
        self.forked = time.perf_counter()
        self.frames, frames_in = os.pipe()
        self.chatter, chatter_in = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.frames)
            os.close(self.chatter)
            _work(cells, begin, task, frames_in, chatter_in)
        _lead_a_group(self.pid)
        os.close(frames_in)
        os.close(chatter_in)

    def results(self):
        """Yield what the worker says of each cell; end when it has said all, or died."""
        left = len(self.cells)
        self.deadline = time.monotonic() + self.limits.seconds
        for said in self._frames():
            self.deadline = time.monotonic() + self.limits.seconds
            if said is None:
                self._note_fork()
                continue
            left -= 1
            observation, self.spent = said
            yield observation
            if not left:
                break
        self._end(died=left > 0)

    def _frames(self):
        """Yield (observation, seconds spent), or None for an announcement, until the worker says no more."""
        buffer = b""
        while len(buffer) <= MAX_FRAME:
            data = self._read()
            if data is None:
                return
            *frames, buffer = (buffer + data).split(b"\n")
            for frame in frames:
                try:
                    said = None if frame == NEXT else _result(frame)
                except (ValueError, TypeError):
                    self.fate = {"outcome": "crash", "reason": "the worker's words could not be read"}
                    return
                yield said
        self.fate = {"outcome": "crash", "reason": "the worker's words had no end"}

    def _note_fork(self):
        if self.forked is not None:
            clock.SPENT["fork"] += time.perf_counter() - self.forked
            self.forked = None

    def _read(self):
        """The next bytes of the frames, b"" where none came yet; None at their end or once a limit is passed."""
        ready, _, _ = select.select([self.frames, self.chatter], [], [], 0.1)
        if self.chatter in ready:
            self._relay(os.read(self.chatter, 65536))
        if self.frames in ready:
            return os.read(self.frames, 65536) or None
        if watch.memory(self.pid) > self.limits.memory:
            self.fate = {"outcome": "oom", "reason": _too_large(self.limits.memory)}
        elif time.monotonic() > self.deadline:
            self.fate = {"outcome": "timeout", "reason": "no result after {:g} s".format(self.limits.seconds)}
        return None if self.fate or self._has_ended() else b""

    def _has_ended(self):
        """Whether it has gone and all that it said was read. What it started may hold the pipe open for ever."""
        gone = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return gone and not select.select([self.frames], [], [], 0)[0]

    def _relay(self, data):
        """Pass on what the worker printed, up to a cap; keep its end, where a crash says why."""
        self.output = (self.output + data)[-OUTPUT_KEPT:]
        os.write(2, data[: max(0, OUTPUT_RELAYED - self.relayed)])
        self.relayed += len(data)

    def _end(self, died):
        clock.SPENT.update(self.spent)
        if died:
            self._drain()
        self._kill()
        _, status = os.waitpid(self.pid, 0)
        os.close(self.frames)
        os.close(self.chatter)
        if died and self.fate is None:
            self.fate = watch.fate(status, self.output)
            if self.fate.get("signal") == "SIGKILL" and watch.oom_kills() > self.oom_kills:
                self.fate = {"outcome": "oom", "reason": "the kernel ended it for want of memory"}
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == SUITE_FAULT:
                self.fate = {"outcome": "skipped", "reason": "a fault of the suite itself: see the log of the run"}

    def _drain(self):
        """Let a worker that is dying by itself die of its own cause, and hear its last words."""
        end = time.monotonic() + (0 if self.fate else 2)
        while time.monotonic() < end and select.select([self.chatter], [], [], max(0, end - time.monotonic()))[0]:
            data = os.read(self.chatter, 65536)
            if not data:
                return
            self._relay(data)

    def _kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def _too_large(limit):
    return "resident memory passed {:.1f} GiB".format(limit / 2.0**30)


def _result(frame):
    """(observation, seconds by what they were spent on). ValueError or TypeError where it is not such a pair."""
    observation, spent = json.loads(frame.decode("utf-8"))
    return dict(observation), {what: float(seconds) for what, seconds in spent.items()}


def _lead_a_group(pid):
    # Both the worker and its parent say it, whichever comes first: what the worker starts is ended with it.
    try:
        os.setpgid(pid, pid)
    except (PermissionError, ProcessLookupError):  # it has gone already
        pass


def _die_with_parent():
    # prctl(PR_SET_PDEATHSIG, SIGKILL): when the run is killed, a worker that hangs goes with it.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _work(cells, begin, task, frames, chatter):
    """The worker's whole life."""
    _lead_a_group(0)
    _die_with_parent()
    os.dup2(chatter, 1)
    os.dup2(chatter, 2)
    status = 0
    try:
        begin()
        clock.SPENT.clear()
        for cell in cells:
            os.write(frames, NEXT + b"\n")
            os.write(frames, json.dumps([task(cell), clock.SPENT], sort_keys=True).encode("utf-8") + b"\n")
    except BaseException:  # a fault of the suite: TensorFlow's own are observations
        traceback.print_exc()
        status = SUITE_FAULT
    sys.stderr.flush()
    os._exit(status)
