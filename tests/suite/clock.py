"""Where the seconds of a process go, by what they are spent on."""

import collections
import contextlib
import time

SPENT = collections.Counter()  # type: collections.Counter


@contextlib.contextmanager
def spending(what):
    began = time.perf_counter()
    try:
        yield
    finally:
        SPENT[what] += time.perf_counter() - began
