"""The default depth's points under pytest-benchmark: `pytest tests/suite/bench_speed.py`, in any environment.

The same programs, warm-up and numbers of calls as `python -m suite.speed`, whose samples are what is published: here
the variants run one after another, in one process and one order, which says less. `-k` chooses among them. A variant
that does not work, or answers something else, fails; one that kills the process kills the session.
"""

import pytest

from . import runtime
from .speed import layers, sampling, work
from .speed.measure import BUDGET, REPEATS

ROWS = [row for row in layers.rows("default") if row[1] not in REPEATS]
SHARE = BUDGET / len(layers.APPROACHES)


@pytest.fixture(scope="session")
def maker():
    if runtime.V1:
        pytest.skip(layers.REFUSAL.format(runtime.tf.__version__))
    work.start()
    return work.Maker()


@pytest.mark.benchmark(disable_gc=True)
@pytest.mark.parametrize(("point", "variant"), ROWS, ids=["{}/{}".format(point.id, name) for point, name in ROWS])
def test_speed(point, variant, maker, benchmark):
    call, wrong, first = _tried(maker, point, variant)
    if wrong:
        pytest.fail(wrong, pytrace=False)
    plan = sampling.make_plan(sampling.warm_up(call), SHARE)
    benchmark.group = point.id
    benchmark.extra_info.update(layers.key(point), variant=variant, first=first, operations=layers.operations(point))
    benchmark.pedantic(call, rounds=plan.samples, iterations=plan.repeat, warmup_rounds=1)


def _tried(maker, point, variant):
    """The call, what is wrong with it, and the seconds of its first time."""
    answers = []
    try:
        call, fault = maker(point, variant)
        first = sampling.first_call(lambda: answers.append(call()))
        return call, fault(answers.pop()), first
    except Exception as error:
        return None, "{type}: {message}".format(**work.explain(error)), None
