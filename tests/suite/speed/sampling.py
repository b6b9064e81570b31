"""How the variants of a point are timed: in turn, each as often as its share of the time allows. No TensorFlow here.

Three numbers are kept apart: the import (of the process), the first call (trace, compile, autotune) and the samples of
the steady state. A sample is the mean over calls that follow one another at once, so that it lasts about 10 ms; about
as long a time of calls that are not timed comes before it, so that the caches hold what this variant left there and not
what the one before it did. Beside a loop of nothing else in the same process, a call of 1.2 ms took 15% longer right
after another variant, 6% after two of its own, 4% after four, and within 1% of it after eight; one of 21 ms 5% longer,
and 2% after one of its own. The variants take turns sample by sample, so that whatever slows the machine for a while
slows all of them, and each round in another order, so that none always comes after the same one: in a fixed order the
very same program was seen to differ from itself by up to 14%, by what came before it. Python's garbage collector is off
meanwhile. Beside each sample stands what share of its turn the process was not running: whoever reads the samples can
leave out those that others disturbed.
"""

import contextlib
import gc
import math
import time
from typing import Any, Callable, Dict, Iterator, List, NamedTuple

from .layers import PLANTED, balanced
from .machine import Lost

Call = Callable[[], Any]  # answers when the device is done

LEAST = 5  # samples of a variant, as far as they take no more than LONG
LONG = 1.0  # seconds: of a call this long its one warm-up is the sample
SAMPLE = 10e-3  # seconds that a sample lasts, where calls are shorter
SETTLE = 10e-3  # seconds of calls that come before a sample and are not timed, at least one of them
SHORT = 50e-3  # a call from here on needs none
WARM = 0.03  # seconds of calls before anything is timed


class Samples(NamedTuple):
    """Of one variant, in the order in which they were taken: `seconds` a call, and the share of each turn that was
    `lost` to others.
    """

    seconds: List[float]
    lost: List[float]


class Plan(NamedTuple):
    """How one variant is sampled: `settle` calls that are not timed, then `repeat` that are, `samples` times."""

    settle: int
    repeat: int
    samples: int


def first_call(call: Call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def warm_up(call: Call) -> float:
    """Call until it is warm; answers about how long a call takes that nothing disturbs."""
    took: List[float] = []
    left = WARM
    while left > 0:
        took.append(first_call(call))
        left -= took[-1]
    return min(took[len(took) // 2 :])


def make_plan(seconds: float, budget: float) -> Plan:
    """For a call of about so many seconds, of which the samples may take `budget`."""
    seconds = max(seconds, 1e-6)
    repeat = max(1, int(SAMPLE / seconds))
    settle = math.ceil(SETTLE / seconds) if seconds < SHORT else 0
    least = min(LEAST, int(LONG / seconds))
    return Plan(settle, repeat, max(least, int(budget / (seconds * (settle + repeat)))))


def sample(call: Call, plan: Plan) -> float:
    """Seconds a call."""
    for _ in range(plan.settle):
        call()
    began = time.perf_counter()
    for _ in range(plan.repeat):
        call()
    return (time.perf_counter() - began) / plan.repeat


def slowed(call: Call) -> Call:
    """The call, and then a wait that keeps the core busy for PLANTED of what this very call took: so much slower is it
    whatever the machine does.
    """

    def wait_too() -> Any:
        began = time.perf_counter()
        answer = call()
        end = began + (1 + PLANTED) * (time.perf_counter() - began)
        while time.perf_counter() < end:
            pass
        return answer

    return wait_too


def in_turn(
    calls: Dict[str, Call], plans: Dict[str, Plan], lost: Lost, most: int, enough: Callable[[Dict[str, Samples]], bool]
) -> Dict[str, Samples]:
    """The samples of each variant. All take turns, each round in the next of the balanced orders of what is given; one
    that has fewer samples misses rounds, evenly. The plans are carried out until there is `enough`, `most` times at
    most.
    """
    samples = {name: Samples([], []) for name in calls}
    rounds = max(plan.samples for plan in plans.values())
    with quiet():
        for number in range(most * rounds):
            for name in balanced(list(calls), number):
                if _is_due(number % rounds, plans[name].samples, rounds):
                    lost.start()
                    samples[name].seconds.append(rounded(sample(calls[name], plans[name])))
                    samples[name].lost.append(round(lost.share(), 3))
            if (number + 1) % rounds == 0 and enough(samples):
                break
    return samples


def _is_due(number: int, samples: int, rounds: int) -> bool:
    return (number + 1) * samples // rounds > number * samples // rounds


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without Python's garbage collector, which would visit whoever happens to be timed."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def rounded(seconds: float) -> float:
    """To four significant digits, as samples are told."""
    return float("{:.4g}".format(seconds))
