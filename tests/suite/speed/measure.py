"""All variants of one point: each tried once and judged, then all of them sampled in turn. No TensorFlow here.

A line is either `first` and `samples`, in seconds, with the share of each sample's turn that was `lost` to others, or
the `failure`: an answer that is wrong is no speed.
"""

import collections
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

from . import layers, machine, sampling
from .layers import Point

Line = Dict[str, Any]
Failure = Dict[str, str]  # type and message: an exception's, or `absent`, `wrong`, `crash`, `timeout`

BUDGET = 1.0  # seconds of samples at a point
NETWORK = 3  # times as many for a network, whose call takes longer
NEAR = 2  # times the fastest's time
MOST = 4  # budgets at most, where the samples vary too much to tell what is as fast
NARROW = 0.02  # what they have to tell, as a share of the time
REPEATS = ("again", "planted", "frozen", "in-f32")


class Trial(NamedTuple):
    """A variant that works: its call, seconds of the first one, and about how many of a later one. `memory`: bytes that
    the first one of a network took at most. `of`: what it repeats.
    """

    call: sampling.Call
    first: float
    seconds: float
    memory: Optional[int] = None
    of: Optional[str] = None


class Measurement:
    """`make(point, variant)` answers a call and a function that says what is wrong with what it answers ("" for
    nothing); either raises what `explain` makes a failure of. `bases`: what is repeated, the first of which that works.
    """

    def __init__(
        self,
        make: Callable[[Point, str], Any],
        explain: Callable[[Exception], Failure],
        budget: float,
        pinned: Sequence[int],
        bases: Sequence[str] = layers.BASES,
    ) -> None:
        self.make, self.explain, self.budget, self.pinned, self.bases = make, explain, budget, pinned, bases

    def lines(
        self,
        point: Point,
        order: List[str],
        excluded: Optional[Dict[str, Failure]] = None,
        announce: Callable[[Optional[str]], None] = lambda variant: None,
    ) -> Iterator[Line]:
        """A line a variant, in their order; those that are `excluded` fail without being tried. `announce` hears of
        each variant before it is tried, and None before the samples.
        """
        tried = self._try_all(point, order, excluded or {}, announce)
        trials = {variant: tried[variant] for variant in order if isinstance(tried[variant], Trial)}
        announce(None)
        shares = _shares(trials, self.budget * (NETWORK if point.layer in layers.NETWORKS else 1))
        samples, load = _sampled(trials, shares, self.pinned)
        for place, variant in enumerate(order):
            line = dict(layers.key(point), variant=variant, order=place, **_least(point))
            if variant in trials:
                if trials[variant].of:
                    line["of"] = trials[variant].of
                seconds, lost = samples[variant]
                line.update(first=sampling.rounded(trials[variant].first), samples=seconds, lost=lost, **load)
                if trials[variant].memory:
                    line["memory"] = trials[variant].memory
            else:
                line["failure"] = tried[variant]
            yield line

    def _try_all(self, point: Point, order: List[str], excluded: Dict[str, Failure], announce: Any) -> Dict[str, Any]:
        tried = collections.OrderedDict()  # type: Dict[str, Any]
        for variant in sorted(order, key=lambda name: name in REPEATS):  # otherwise in their order
            announce(variant)
            tried[variant] = excluded.get(variant) or self._try(point, variant, tried)
        return tried

    def _try(self, point: Point, variant: str, tried: Dict[str, Any]) -> Any:
        """A Trial, or the failure."""
        if variant not in REPEATS:
            return self._tried(point, variant, variant)
        found: Any = {"type": "absent", "message": "what it would repeat does not work here"}
        for base in self.bases:
            if isinstance(tried.get(base), Trial):
                program = base + ("-const" if variant == "frozen" else "")
                found = self._tried(point._replace(dtype="f32") if variant == "in-f32" else point, program, variant)
                if isinstance(found, Trial):
                    return found._replace(of=base)
        return found

    def _tried(self, point: Point, program: str, variant: str) -> Any:
        try:
            return self._trial(point, program, variant)
        except Exception as error:
            return self.explain(error)

    def _trial(self, point: Point, program: str, variant: str) -> Any:
        call, fault = self.make(point, program)
        answers: List[Any] = []
        # A layer alone takes next to nothing, and trimming the allocator would disturb what is timed.
        memory = machine.Memory() if point.layer in layers.NETWORKS else None
        first = sampling.first_call(lambda: answers.append(call()))
        most = memory.most() if memory else None
        wrong = fault(answers.pop())
        if wrong:
            return {"type": "wrong", "message": wrong}
        if variant == "planted":
            call = sampling.slowed(call)
        return Trial(call, first, sampling.warm_up(call), most)


def _shares(trials: Dict[str, Trial], budget: float) -> Dict[str, float]:
    """Seconds of samples by variant. What is hard to tell apart shares all of the budget: those near the fastest, and
    what is repeated with its repetitions, which must be told as those are. Each other has what it would have if all
    shared it.
    """
    bound = NEAR * min((trial.seconds for trial in trials.values()), default=0.0)
    repeated = {name for variant, trial in trials.items() if trial.of for name in (variant, trial.of)}
    near = [name for name, trial in trials.items() if trial.seconds <= bound or name in repeated]
    return {name: budget / len(near if name in near else trials) for name in trials}


def _sampled(trials: Dict[str, Trial], shares: Dict[str, float], pinned: Sequence[int]) -> Any:
    """Samples by variant, and what is said of all of them."""
    if not trials:
        return {}, {}
    plans = {name: sampling.make_plan(trials[name].seconds, share) for name, share in shares.items()}
    load = machine.Load(pinned)
    calls = collections.OrderedDict((name, trial.call) for name, trial in trials.items())
    again = trials.get("again")

    def enough(samples: Dict[str, sampling.Samples]) -> bool:
        return not (again and again.of) or _is_told(samples["again"].seconds, samples[again.of].seconds)

    samples = sampling.in_turn(calls, plans, machine.Lost(pinned), MOST, enough)
    share = load.share()
    told = {} if share is None else {"load": round(share, 3)}
    for name, trial in trials.items():
        if not samples[name].seconds:  # a call so long that its warm-up is the sample
            samples[name] = sampling.Samples([sampling.rounded(trial.seconds)], [0.0])
    return samples, told


def _is_told(again: Sequence[float], base: Sequence[float]) -> bool:
    """Whether the samples tell to NARROW how a program compares with itself: half the width of the 95% interval of the
    mean of the middle half of their ratios, which is 1.09 times as uncertain as a mean. The spread is that of the
    middle half too, so that single disturbances do not count. One sample each is of a call too long to repeat.
    """
    turns = min(len(again), len(base))
    if turns < 2:
        return True
    ratios = np.log(again[:turns]) - np.log(base[:turns])
    low, high = np.percentile(ratios, [25, 75])
    return bool(1.96 * 1.09 * (high - low) / 1.35 / np.sqrt(turns) < NARROW)


def _least(point: Point) -> Dict[str, int]:
    return {"operations": layers.operations(point), "bytes": layers.moved(point)}
