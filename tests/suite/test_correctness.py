"""Every cell as a test: `pytest tests/suite`, in any environment that has TensorFlow and pytest.

A test passes where the outcome is `pass`, is skipped where it is `absent` or `skipped`, and fails for any other: then
it shows the observation and the line that makes it again. The cells run in forked workers, as in the matrix, so that
one that crashes fails alone and the outcomes are the matrix's own; `-k` chooses among them.
"""

import itertools
import json
import os
import sys

import pytest

from . import about, catalog, observe, runtime, worker

LIMITS = worker.Limits(seconds=60, memory=6 * 2**30)
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.fixture(scope="session")
def observations(request):
    """Answers the observation of any cell that this session tests, making them in order as they are asked for."""
    chosen = [item.callspec.params["cell"] for item in request.session.items if "cell" in item.fixturenames]
    made, stream = {}, _stream(chosen)

    def observation(cell):
        while cell not in made:
            found = next(stream)
            made[catalog.Cell(*(found[key] for key in catalog.Cell._fields))] = found
        return made[cell]

    return observation


def _stream(cells):
    for lane, group in itertools.groupby(cells, key=runtime.lane):
        task = lambda cell: observe.observe(*cell)  # noqa: E731
        for found in worker.observe_all(list(group), _starter(lane), task, LIMITS, about.workers()):
            yield found


def _starter(lane):
    return lambda: observe.start(lane)


@pytest.mark.parametrize("cell", sorted(catalog.cells(), key=runtime.lane), ids=lambda cell: cell.id)
def test_cell(cell, observations):
    observation = observations(cell)
    if observation["outcome"] in ("absent", "skipped"):
        pytest.skip(observation["reason"])
    if observation["outcome"] != "pass":
        again = "cd {} && {} -m suite.observe {}".format(TESTS, sys.executable, " ".join(cell))
        pytest.fail("{}\nagain: {}".format(json.dumps(observation, sort_keys=True), again), pytrace=False)
