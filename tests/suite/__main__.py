"""Observe cells in this environment and write the stream: `python -m suite ['APPROACH/MODE/CHECK/CASE' ...]`.

The stream goes to the original standard output, one JSON object a line: an opening line before TensorFlow is
imported, one that describes the environment after it, the observations, and a closing line that says how many.
Everything else that is written anywhere goes to standard error.
"""

import argparse
import fnmatch
import importlib
import itertools
import json
import os
import sys
import time

from . import about, clock, worker

GIB = 2**30


def main(arguments=None):
    options = _options(arguments)
    stream = _reserve_standard_output()
    _say(stream, {"format": "stream/1", "python": about.python()})
    started = time.monotonic()
    try:
        tf = importlib.import_module("tensorflow")
        # Parts that TensorFlow loads late are loaded here, once, instead of in every worker.
        suite = importlib.import_module("suite.planning" if options.planned else "suite.observe")
    except Exception as fault:
        _say(stream, {"not_imported": "{}: {}".format(type(fault).__name__, fault)[:300]})
        raise
    imported = time.monotonic()
    cells, limits = _chosen(options), worker.Limits(options.seconds, options.memory)
    if options.planned:
        task = suite.Planner(options.planned)
        told = {"onednn": None, "kernels": task.kernels}
    else:
        task = lambda cell: suite.observe(*cell)  # noqa: E731
        described = lambda cell: dict(task(cell), **about.device(suite.onednn_isa(cell)))  # noqa: E731
        (control,) = _observations([about.CONTROL], described, stream, limits)
        told = dict(about.told(control), onednn=about.onednn(control))
    _say(stream, dict(_environment(tf, len(cells)), depth=options.depth, **told))
    count = 0
    for observation in _observations(cells, task, stream, limits, 1 if options.planned else about.workers()):
        _say(stream, suite.without_death(observation) if options.planned else observation)
        count += 1
    clock.SPENT["import"], clock.SPENT["all"] = imported - started, time.monotonic() - started
    _say(stream, {"closing": count, "seconds": {what: round(spent, 3) for what, spent in clock.SPENT.items()}})


def _options(arguments):
    parser = argparse.ArgumentParser(prog="python -m suite", description=__doc__)
    parser.add_argument("cells", nargs="*", metavar="APPROACH/MODE/CHECK/CASE", help="shell patterns; all by default")
    parser.add_argument("--depth", choices=("core", "full"), default="full", help="how much is observed (%(default)s)")
    parser.add_argument("--describe", action="store_true", help="describe the environment and observe nothing")
    parser.add_argument("--planned", type=json.loads, metavar="DEVICE", help="a virtual device: see planning.py")
    parser.add_argument("--seconds", type=float, default=60, help="limit for one cell (%(default)s)")
    parser.add_argument("--memory", type=float, default=6 * GIB, help="limit for one worker, in bytes (6 GiB)")
    return parser.parse_args(arguments)


def _reserve_standard_output():
    stream = os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)
    return stream


def _say(stream, line):
    stream.write(json.dumps(line, sort_keys=True).encode("utf-8") + b"\n")


def _environment(tf, cells):
    return {
        "tensorflow": tf.__version__,
        "packages": about.packages(),
        "build_info": about.build_info(tf),
        "cells": cells,
    }


def _chosen(options):
    from . import catalog

    patterns = options.cells or ["*"]
    if options.describe:
        return []
    known = catalog.planned_cells() if options.planned else catalog.cells(options.depth)
    return [cell for cell in known if any(fnmatch.fnmatchcase(cell.id, pattern) for pattern in patterns)]


def _observations(cells, task, stream, limits, workers=1):
    from . import observe, runtime

    for lane, group in itertools.groupby(sorted(cells, key=runtime.lane), key=runtime.lane):

        def begin(lane=lane):
            stream.close()
            observe.start(lane)

        for observation in worker.observe_all(list(group), begin, task, limits, workers):
            yield observation


if __name__ == "__main__":
    sys.exit(main())
