"""What the process has of the machine: its cores and who else uses them, its memory. No TensorFlow here."""

import contextlib
import ctypes
import os
import threading
import time
from typing import List, Optional

import numpy as np

PEAK_SIZE = 1024  # rows of the matrices that are multiplied: large enough to hide what a call costs
COPIED = 256 * 2**20  # bytes read and as many written: larger than the caches of most processors
TICK = os.sysconf("SC_CLK_TCK")


def pin() -> List[int]:
    """Keep this process, and the threads that it will start, on one core; [] where the system has no such call.

    The last core that it may use: the first ones answer most of a machine's interrupts.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return [core]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Memory:
    """The most memory that the process had resident since this was made, beyond what it had then.

    A thread looks every millisecond. To reset the kernel's own peak a process would have to write below /proc, which
    the sandbox of a virtual environment forbids.
    """

    def __init__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)  # memory that is kept for later is not in use
        self.before = self.peak = _resident()
        self.ended = threading.Event()
        self.looking = threading.Thread(target=self._look, daemon=True)
        self.looking.start()

    def most(self) -> Optional[int]:
        """Bytes; None where the system does not tell. It looks no longer."""
        self.ended.set()
        self.looking.join()
        return None if self.before is None else (self.peak or 0) - self.before

    def _look(self) -> None:
        ended = self.before is None
        while not ended:
            ended = self.ended.wait(1e-3)
            self.peak = max(self.peak or 0, _resident() or 0)


def _resident() -> Optional[int]:
    with contextlib.suppress(OSError):
        with open("/proc/self/statm") as pages:
            return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None


def bandwidth() -> float:
    """Bytes a second, read and written ones, of the best of some copies."""
    source = np.ones(COPIED // 4, np.float32)
    target = np.ones_like(source)
    return 2 * COPIED / min(_seconds(lambda: np.copyto(target, source)) for _ in range(5))


def peak(multiply: object, size: int) -> float:
    """Operations a second, by the best of some products of two square matrices of this size."""
    multiply()
    return 2 * size**3 / min(_seconds(multiply) for _ in range(20))


def _seconds(call: object) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


class Lost:
    """What share of the time since `start` others took: `share` is at most 1.

    On a pinned core it is the time that none of this process's threads ran, which includes what they wait for each
    other; whoever leaves samples out compares with the other samples of the same variant. To this comes the time that
    the hypervisor gave to other machines (steal of proc(5)), told in whole ticks: of the pinned core, or of all.
    """

    def __init__(self, pinned: List[int]) -> None:
        self.pinned = pinned
        self.began: List[float] = []

    def start(self) -> None:
        self.began = self._now()

    def share(self) -> float:
        elapsed, ran, stolen = [now - before for now, before in zip(self._now(), self.began)]
        idle = elapsed - ran if self.pinned else 0.0
        return min(1.0, max(0.0, idle + stolen) / elapsed)

    def _now(self) -> List[float]:
        fields = _processor_times(self.pinned)
        stolen = int(fields[8]) / TICK / _counted(self.pinned) if fields else 0.0
        return [time.perf_counter(), time.process_time(), stolen]


def _counted(pinned: List[int]) -> int:
    return 1 if pinned else os.cpu_count() or 1


def _processor_times(pinned: List[int]) -> Optional[List[str]]:
    """The line of /proc/stat of the pinned core, or of all cores; None where there is none."""
    line = "cpu{} ".format(pinned[0]) if pinned else "cpu "
    with contextlib.suppress(OSError, StopIteration):
        with open("/proc/stat") as counters:
            return next(counter.split() for counter in counters if counter.startswith(line))
    return None


class Load:
    """What share of the pinned core, or of all cores, went to others since this was made; None if not known."""

    def __init__(self, pinned: List[int]) -> None:
        self.pinned, self.cores = pinned, _counted(pinned)
        self.began = self._now()

    def share(self) -> Optional[float]:
        """To other processes of this system, and, on a virtual machine, to other machines (steal)."""
        if self.began is None:
            return None
        elapsed, busy, own = [now - before for now, before in zip(self._now(), self.began)]
        return max(0.0, busy - own) / elapsed / self.cores if elapsed > 10 / TICK else None

    def _now(self) -> Optional[List[float]]:
        busy = self._busy()
        return None if busy is None else [time.perf_counter(), busy, time.process_time()]

    def _busy(self) -> Optional[float]:
        """Seconds that the cores were not idle: user, nice, system, irq, softirq and steal of proc(5)."""
        fields = _processor_times(self.pinned)
        return None if fields is None else sum(int(fields[number]) for number in (1, 2, 3, 6, 7, 8)) / TICK
