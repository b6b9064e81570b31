"""What the peers share: a process from its opening line to its closing."""

import time
from types import ModuleType
from typing import Any, Dict, Iterator, List, Tuple

from ... import about
from .. import layers, machine, problems, stream
from ..layers import Point
from ..measure import BUDGET, Failure, Line, Measurement

REFERENCES = ("dense", "again", "planted")


def run(peer: ModuleType) -> None:
    options = stream.options("python -m {}".format(peer.__spec__.name), peer.__doc__)
    say = stream.reserve_standard_output()
    say({"format": stream.FORMAT, "python": about.python()})
    pinned = machine.pin()
    began = time.perf_counter()
    try:
        multiply = peer.prepare()
    except ImportError as fault:
        say({"not_imported": "{}: {}".format(type(fault).__name__, fault)[:300]})
        raise
    imported = round(time.perf_counter() - began, 3)
    told = {"peer": peer.NAME, "packages": about.packages(), "import_seconds": imported}
    stream.tell(_lines(peer, options, told, multiply, pinned), say)


def points(peer: ModuleType, options: Any) -> List[Point]:
    """The graph's, in the peer's own mode."""
    known = [point for point in layers.points(options.depth) if point.mode == "graph"]
    own = [point._replace(mode=peer.MODE) for point in known if point.direction in peer.DIRECTIONS]
    return stream.matching(own, options.points)


def _lines(peer: ModuleType, options: Any, told: Line, multiply: Any, pinned: List[int]) -> Iterator[Line]:
    peak = machine.peak(lambda: multiply(machine.PEAK_SIZE), machine.PEAK_SIZE)
    chosen = points(peer, options)
    yield dict(told, **stream.environment(options, len(chosen), pinned, peak))
    measurement = Measurement(Maker(peer), explain, BUDGET, pinned, bases=peer.VARIANTS[:1])
    for point in chosen:
        order = layers.balanced(peer.VARIANTS + REFERENCES, options.process)
        for line in measurement.lines(point, order):
            yield line


class Maker:
    """As TensorFlow's: a call, and what judges its answer by an ordinary convolution of the same library."""

    def __init__(self, peer: ModuleType) -> None:
        self.peer = peer
        self.right: Dict[Point, Dict[str, Any]] = {}

    def __call__(self, point: Point, variant: str) -> Tuple[Any, Any]:
        if point not in self.right:
            call, answers = self.peer.make("dense", problems.pose_dense(point), point.direction)
            self.right = {point: problems.trusted(point, answers(call()))}
        problem = problems.pose_dense(point) if variant == "dense" else problems.pose(point, "nn-conv2d")
        call, answers = self.peer.make(variant, problem, point.direction)
        groups = layers.LAYERS[point.layer].groups
        return call, lambda answer: problems.fault(answers(answer), self.right[point], groups)


def explain(error: Exception) -> Failure:
    return problems.explained(error) or {"type": type(error).__name__, "message": " ".join(str(error).split())[:300]}
