"""The command line and the stream of whatever times layers here: TensorFlow, and the peers. No TensorFlow here.

The stream goes to the original standard output, one JSON object a line; everything else goes to standard error.
"""

import argparse
import fnmatch
import os
from typing import Any, Callable, Dict, Iterable, List, Optional

from ..fork import write_line
from . import layers, machine
from .layers import Point

FORMAT = "speed-stream/1"


def options(program: str, description: str, arguments: Optional[List[str]] = None) -> Any:
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument(
        "points", nargs="*", metavar="LAYER/BATCH/MODE/DIRECTION", help="shell patterns; all by default"
    )
    parser.add_argument("--process", type=int, default=0, metavar="K", help="this process's row of the balanced orders")
    parser.add_argument("--threads", choices=("1", "all"), default="1", help="one, or as many as there are cores")
    parser.add_argument("--depth", choices=sorted(layers.DEPTHS), default="default")
    parser.add_argument("--seconds", type=float, default=120, help="limit for what says nothing (%(default)g)")
    return parser.parse_args(arguments)


def matching(points: List[Point], patterns: List[str]) -> List[Point]:
    """Those that one of the patterns matches; all where there is none."""
    return [point for point in points if any(fnmatch.fnmatchcase(point.id, pattern) for pattern in patterns or ["*"])]


def reserve_standard_output() -> Callable[[Dict[str, Any]], None]:
    """Answers what says a line in the stream."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return lambda line: write_line(kept, line)


def environment(given: Any, points: int, pinned: List[int], peak: float) -> Dict[str, Any]:
    """What the opening says of the process itself."""
    return {
        "threads": 1 if given.threads == "1" else machine.cores(),
        "process": given.process,
        "points": points,
        "pinned": pinned,
        "peak": {"f32": float("{:.4g}".format(peak))},
        "bandwidth": float("{:.4g}".format(machine.bandwidth())),
    }


def tell(lines: Iterable[Dict[str, Any]], say: Callable[[Dict[str, Any]], None]) -> None:
    """The environment and the lines of points, and the closing that says how many of these there were."""
    count = 0
    for line in lines:
        say(line)
        count += "variant" in line
    say({"closing": count})
