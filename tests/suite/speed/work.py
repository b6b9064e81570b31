"""What a measuring process does: TensorFlow started on one core and one thread, then point after point."""

from typing import Any, Dict, List, Tuple

import tensorflow as tf

from .. import observe, runtime
from . import calls, layers, machine, problems, stream
from .forked import Say
from .layers import Point
from .measure import BUDGET, Failure, Measurement


def start(threads: str = "1") -> List[int]:
    """Once in a fresh process, before the first operation; answers the core that it is pinned to, if any. With `all`
    threads it is not pinned, and TensorFlow has as many as it takes by itself.
    """
    pinned = machine.pin() if threads == "1" else []
    runtime.start(False)
    if threads != "1":
        tf.config.threading.set_intra_op_parallelism_threads(0)
        tf.config.threading.set_inter_op_parallelism_threads(0)
    return pinned


def work(session: Any, points: List[Point], opened: bool, say: Say) -> None:
    """Says its environment where nobody has, then for each point what it tries and, at the end, the point's lines."""
    options = session.options
    pinned = start(options.threads)
    if not opened:
        peak = machine.peak(calls.peak_product(machine.PEAK_SIZE), machine.PEAK_SIZE)
        say({"environment": stream.environment(options, len(session.points), pinned, peak)})
    excluded = session.excluded
    measurement = Measurement(Maker(), explain, BUDGET, pinned)
    for point in points:
        order = layers.balanced(layers.variants(point, options.depth), options.process)
        announce = lambda variant, order=order: say({"trying": [variant] if variant else order})  # noqa: E731
        say({"lines": list(measurement.lines(point, order, excluded, announce))})
        excluded = {}


class Maker:
    """Makes a variant's call, and what judges its answers; the right ones are computed once a layer and batch."""

    def __init__(self) -> None:
        self.right: Dict[Point, Dict[str, Any]] = {}

    def __call__(self, point: Point, variant: str) -> Tuple[Any, Any]:
        is_network = point.layer in layers.NETWORKS
        kept = point._replace(mode="graph" if is_network else "eager", direction="train", dtype="f32")
        if kept not in self.right:
            self.right = {kept: calls.expected(kept)}
        made, groups = calls.make(point, variant), 1 if is_network else layers.LAYERS[point.layer].groups
        return made.call, lambda answer: problems.fault(made.answers(answer), self.right[kept], groups, point.dtype)


def explain(error: Exception) -> Failure:
    """In the words of the suite's own observations. Only a fault of the suite's own raises."""
    if problems.explained(error):
        return problems.explained(error)

    def again() -> None:
        raise error

    _, finding = observe.attempt(again)
    assert finding
    return finding.get("error") or {"type": finding["outcome"], "message": finding["reason"]}
