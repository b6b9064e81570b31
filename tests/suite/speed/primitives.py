"""oneDNN's own time: how long its convolutions take in one call of a variant, by the lines that it prints of each.

Measured in a process of its own: where lines are printed, every primitive takes longer.
"""

import statistics
from typing import Any, Callable, Dict, List, Tuple

from .. import runtime
from ..evidence import library_logs
from ..observe import attempt
from . import calls, layers, machine, onednn_time
from .layers import Point

CALLS = 5
VARIANTS = ("nn-conv2d", "depthwise", "split-concat", "dense")


def measure_all(rows: List[Tuple[Point, str]], say: Callable[[Dict[str, Any]], None]) -> None:
    """In a fresh process. Says a line a row of VARIANTS in a graph whose convolutions oneDNN computes."""
    library_logs.ask()
    machine.pin()
    runtime.start(False)
    for point, variant in rows:
        if variant in VARIANTS and point.mode == "graph" and point.layer in layers.LAYERS:
            seconds, _ = attempt(lambda point=point, variant=variant: _measure(point, variant))
            if seconds:
                say({"point": point.id, "variant": variant, "primitive": float("{:.4g}".format(seconds))})


def _measure(point: Point, variant: str) -> float:
    made = calls.make(point, variant)
    onednn_time.printed(made.call)
    return statistics.median(onednn_time.seconds(onednn_time.printed(made.call)) for _ in range(CALLS))
