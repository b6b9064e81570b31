"""Time layers in this environment and write the stream: `python -m suite.speed --process K --depth default`.

Lines: the format; the environment, with what this process's core can do; one a point and variant; the closing, with
their number. A process is one of several of a run: K decides the order of the variants. TensorFlow is imported once;
what is timed is timed in a fork of that, one for all points. Where a variant kills it, that variant has failed and
another fork goes on. Which core the fork is pinned to, and its one thread a pool, stand in the environment.
"""

import importlib
import sys
import time
from typing import Any, Dict, Iterator, List

from .. import about, worker
from . import layers, stream
from .forked import Forked
from .layers import Point
from .measure import Failure, Line

MEMORY = 6 * 2**30


def main(arguments: Any = None) -> None:
    options = stream.options("python -m suite.speed", __doc__, arguments)
    say = stream.reserve_standard_output()
    say({"format": stream.FORMAT, "python": about.python()})
    began = time.perf_counter()
    try:
        tf = importlib.import_module("tensorflow")
    except Exception as fault:
        say({"not_imported": "{}: {}".format(type(fault).__name__, fault)[:300]})
        raise
    imported = time.perf_counter() - began
    if tf.__version__.startswith("1."):
        say({"refused": layers.REFUSAL.format(tf.__version__)})
        raise SystemExit(layers.REFUSAL.format(tf.__version__))
    told = {"tensorflow": tf.__version__, "packages": about.packages(), "import_seconds": round(imported, 3)}
    told["onednn"] = _onednn(options.seconds)
    stream.tell(Session(options, told).lines(), say)


def _onednn(seconds: float) -> Any:
    """Whether oneDNN's operations are on, as the suite's own records say it."""
    runtime, observe = importlib.import_module("suite.runtime"), importlib.import_module("suite.observe")
    limits = worker.Limits(seconds, MEMORY)
    (control,) = worker.observe_all(
        [about.CONTROL], lambda: runtime.start(False), lambda cell: observe.observe(*cell), limits
    )
    return about.onednn(control)


class Session:
    """A process's points, in forks of it, one after another."""

    def __init__(self, options: Any, told: Line) -> None:
        self.options, self.told = options, told
        self.points = stream.matching(layers.points(options.depth), options.points)
        self.excluded: Dict[str, Failure] = {}  # of the point in hand: what died, and how

    def lines(self) -> Iterator[Line]:
        """The environment, then a line a point and variant."""
        asked = self.options.process == 0 and self.told["onednn"]
        primitives = self._primitives() if asked else {}
        left = list(self.points)
        opened = False
        while left or not opened:
            forked, trying = Forked(self._measuring(left, opened), self.options.seconds), None
            for said in forked.lines():
                if "environment" in said:
                    opened = True
                    yield dict(self.told, **said["environment"])
                elif "trying" in said:
                    trying = said["trying"]
                else:
                    for line in said["lines"]:
                        yield _with_primitive(line, left[0], primitives)
                    del left[0]
                    self.excluded, trying = {}, None
            if forked.failure:
                self._blame(trying, forked.failure)

    def _measuring(self, left: List[Point], opened: bool) -> Any:
        return lambda say: importlib.import_module("suite.speed.work").work(self, left, opened, say)

    def _blame(self, trying: Any, failure: Failure) -> None:
        """The variant that was being tried; in the midst of sampling it may have been any of them."""
        if trying is None:
            raise RuntimeError("the process died outside of any point: {type} {message}".format(**failure))
        for variant in trying:
            self.excluded[variant] = failure

    def _primitives(self) -> Dict[Any, float]:
        """Seconds by point and variant. What dies here has its failure told where it is measured."""
        primitives = importlib.import_module("suite.speed.primitives")
        rows = [(point, variant) for point in self.points for variant in layers.variants(point, self.options.depth)]
        forked = Forked(lambda say: primitives.measure_all(rows, say), self.options.seconds)
        return {(said["point"], said["variant"]): said["primitive"] for said in forked.lines()}


def _with_primitive(line: Line, point: Point, primitives: Dict[Any, float]) -> Line:
    seconds = primitives.get((point.id, line["variant"]))
    return dict(line, primitive=seconds) if seconds and "samples" in line else line


if __name__ == "__main__":
    sys.exit(main())
