"""A task in a forked process that says lines, with a limit for the time between two of them. No TensorFlow here."""

import json
import time
from typing import Any, Callable, Dict, Iterator, Optional

from .. import watch
from ..fork import Fork, is_suite_fault

Say = Callable[[Dict[str, Any]], None]
# All samples of a point are one line.
MAX_LINE = 16 * 2**20


class Forked:
    """`task(say)` in a fork. `lines()` yields what it says; then `failure` is None, or how it died."""

    def __init__(self, task: Callable[[Say], None], seconds: float) -> None:
        self.seconds = seconds
        self.failure: Optional[Dict[str, str]] = None
        self.fork = Fork(task, MAX_LINE)

    def lines(self) -> Iterator[Dict[str, Any]]:
        ended = False
        try:
            deadline = time.monotonic() + self.seconds
            while not ended and self.failure is None:
                lines = self.fork.read()
                ended = lines is None
                for line in lines or []:
                    deadline = time.monotonic() + self.seconds
                    yield json.loads(line.decode("utf-8"))
                if time.monotonic() > deadline:
                    self.failure = {"type": "timeout", "message": "no result after {:g} s".format(self.seconds)}
        finally:
            if ended:
                self.fork.drain(2)
            status = self.fork.end()
        if is_suite_fault(status):
            raise RuntimeError("a fault of the suite itself: see above")
        if status and not self.failure:
            fate = watch.fate(status, self.fork.output)
            self.failure = {"type": "crash", "message": fate.get("signal") or fate["reason"]}
