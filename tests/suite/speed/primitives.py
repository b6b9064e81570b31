"""oneDNN's own time: how long its convolutions take in one call of a variant, by the lines that it prints of each.

Measured in a process of its own: where lines are printed, every primitive takes longer.
"""

import ctypes
import os
import statistics
import sys
import tempfile
from typing import Any, Callable, Dict, List, Tuple

from .. import runtime
from ..evidence import onednn_verbose
from ..observe import attempt
from . import calls
from .layers import Point

CALLS = 5
VARIANTS = ("nn-conv2d", "depthwise", "split-concat", "dense")


def measure_all(rows: List[Tuple[Point, str]], say: Callable[[Dict[str, Any]], None]) -> None:
    """In a fresh process. Says a line a row of VARIANTS whose convolutions oneDNN computes."""
    runtime.start(False)
    for point, variant in rows:
        if variant in VARIANTS:
            seconds, _ = attempt(lambda point=point, variant=variant: _measure(point, variant))
            if seconds:
                say({"point": point.id, "variant": variant, "primitive": seconds})


def _measure(point: Point, variant: str) -> float:
    made = calls.make(point, variant)
    _printed(made.call)
    told = statistics.median(seconds(_printed(made.call)) for _ in range(CALLS))
    return float("{:.4g}".format(told))


def seconds(text: str) -> float:
    """Of all convolutions that the lines tell of; a line ends with its milliseconds."""
    told = [line for line in text.splitlines() if onednn_verbose.CONVOLUTION.match(line)]
    return sum(float(line.rsplit(",", 1)[1]) for line in told) / 1000


def _printed(call: Callable[[], Any]) -> str:
    sys.stdout.flush()
    with tempfile.TemporaryFile() as printed:
        kept = os.dup(1)
        os.dup2(printed.fileno(), 1)
        try:
            call()
        finally:
            ctypes.CDLL(None).fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
        printed.seek(0)
        return printed.read().decode("utf-8", "replace")
