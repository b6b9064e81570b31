"""A task in a forked process that says lines, so that the parent outlives its crash or its hang. No TensorFlow here."""

import json
import os
import select
import signal
import sys
import traceback
from typing import Any, Callable, Dict, Iterator, Optional

from ..worker import SUITE_FAULT, _die_with_parent
from .stream import write_line

Say = Callable[[Dict[str, Any]], None]


class Forked:
    """`task(say)` in a fork. `lines()` yields what it says; then `failure` is None, or how it died."""

    def __init__(self, task: Callable[[Say], None], seconds: float) -> None:
        self.seconds = seconds
        self.failure: Optional[Dict[str, str]] = None
        sys.stderr.flush()
        self.pipe, inlet = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            _work(task, inlet)
        os.close(inlet)

    def lines(self) -> Iterator[Dict[str, Any]]:
        buffer = b""
        try:
            while True:
                data = self._read()
                if not data:
                    break
                *whole, buffer = (buffer + data).split(b"\n")
                for line in whole:
                    yield json.loads(line.decode("utf-8"))
        finally:
            self._end()

    def _read(self) -> bytes:
        """The next bytes; b"" at the end, or where none come for too long."""
        if select.select([self.pipe], [], [], self.seconds)[0]:
            return os.read(self.pipe, 65536)
        self.failure = {"type": "timeout", "message": "no result after {:g} s".format(self.seconds)}
        os.kill(self.pid, signal.SIGKILL)
        return b""

    def _end(self) -> None:
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == SUITE_FAULT:
            raise RuntimeError("a fault of the suite itself: see above")
        if status and not self.failure:
            self.failure = {"type": "crash", "message": _cause(status)}


def _cause(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return "the process ended with exit status {}".format(os.WEXITSTATUS(status))


def _work(task: Callable[[Say], None], inlet: int) -> None:
    """The child's whole life."""
    _die_with_parent()
    status = 0
    try:
        task(lambda line: write_line(inlet, line))
    except BaseException:  # what TensorFlow raises is in the lines
        traceback.print_exc()
        status = SUITE_FAULT
    sys.stderr.flush()
    os._exit(status)
