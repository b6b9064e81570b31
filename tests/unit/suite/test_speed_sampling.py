"""How calls are timed, by a clock that moves only when a call or a look at it says so; and how a point is measured."""

from __future__ import annotations

import gc
import itertools
import os
import select
import signal
import time
from collections import Counter

import numpy as np
import pytest
from suite.speed import layers, machine, measure, sampling
from suite.speed.forked import Forked
from suite.speed.layers import Point
from suite.speed.machine import Load, Lost, bandwidth, peak, pin
from suite.speed.measure import Measurement
from suite.speed.sampling import Plan

POINT = Point("resnext50-14", 1, "graph", "forward")
PATIENCE = 600  # seconds for a process that is not expected to hang


class Clock:
    """Each look takes a microsecond."""

    def __init__(self) -> None:
        self.now = 0.0
        self.called: list[str] = []

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now

    def call(self, seconds: float, name: str = "x"):
        def take() -> str:
            self.now += seconds
            self.called.append(name)
            return name

        return take


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(sampling.time, "perf_counter", made)
    return made


def test_a_sample_is_the_mean_of_calls_after_one_that_is_not_timed(clock):
    assert sampling.sample(clock.call(0.002), Plan(1, 4, 5)) == pytest.approx(0.002, rel=1e-3)
    assert len(clock.called) == 5


@pytest.mark.parametrize(
    ("seconds", "plan"),
    [
        (3e-5, Plan(334, 333, 49)),
        (4e-4, Plan(25, 25, 50)),
        (4e-3, Plan(3, 2, 50)),
        (6e-3, Plan(2, 1, 55)),
        (2e-2, Plan(1, 1, 25)),
        (0.06, Plan(0, 1, 16)),
        (0.9, Plan(0, 1, 1)),
        (4.0, Plan(0, 1, 0)),
    ],
)
def test_what_takes_longer_has_fewer_samples(seconds, plan):
    assert sampling.make_plan(seconds, budget=1.0) == plan


@pytest.mark.parametrize(("seconds", "samples"), [(0.06, sampling.LEAST), (0.3, 3), (0.6, 1), (1.5, 0)])
def test_where_the_time_is_short_there_are_five_samples_at_least_within_a_second(seconds, samples):
    assert sampling.make_plan(seconds, budget=0.1).samples == samples


def in_turn(calls, plans, most=1, enough=lambda samples: False):
    return sampling.in_turn(calls, plans, Lost([]), most, enough)


def test_variants_take_turns_and_miss_rounds_evenly(clock):
    calls = {"a": clock.call(0.01, "a"), "b": clock.call(0.02, "b")}
    samples = in_turn(calls, {"a": Plan(0, 1, 6), "b": Plan(0, 1, 2)})
    assert "".join(clock.called) == "aaabaaba"
    assert [len(samples["a"].seconds), len(samples["b"].seconds)] == [6, 2]
    assert samples["b"].seconds == pytest.approx([0.02, 0.02], rel=1e-3)
    assert [len(samples["a"].lost), len(samples["b"].lost)] == [6, 2]


@pytest.mark.parametrize(("enough_after", "passes"), [(1, 1), (2, 2), (99, 4)])
def test_the_plans_are_carried_out_until_there_is_enough(clock, enough_after, passes):
    calls = {"a": clock.call(0.01, "a"), "b": clock.call(0.02, "b")}
    plans = {"a": Plan(0, 1, 3), "b": Plan(0, 1, 1)}
    samples = in_turn(calls, plans, 4, lambda samples: len(samples["b"].seconds) >= enough_after)
    assert [len(samples["a"].seconds), len(samples["b"].seconds)] == [3 * passes, passes]


def test_none_always_comes_after_the_same_one(clock):
    names = list("abcd")
    in_turn({name: clock.call(0.01, name) for name in names}, dict.fromkeys(names, Plan(0, 1, 8)))
    rounds = ["".join(clock.called[first : first + 4]) for first in range(0, len(clock.called), 4)]
    assert all(sorted(turns) == names for turns in rounds)
    before = Counter(pair for turns in rounds for pair in itertools.pairwise(turns))
    assert len(before) == 12 and set(before.values()) == {2}


def test_the_collector_is_off_while_variants_are_sampled():
    seen = []
    in_turn({"a": lambda: seen.append(gc.isenabled())}, {"a": Plan(0, 1, 2)})
    assert seen == [False, False] and gc.isenabled()


def test_a_planted_call_is_slower_by_what_is_planted(clock):
    call = sampling.slowed(clock.call(0.01))
    assert call() == "x"
    assert sampling.first_call(call) == pytest.approx(0.01 * (1 + layers.PLANTED), rel=1e-3)


@pytest.mark.parametrize(("seconds", "calls"), [(0.002, 15), (0.1, 1), (1e-3, 30), (1e-5, 2728)])
def test_warming_up_ends(clock, seconds, calls):
    assert sampling.warm_up(clock.call(seconds)) == pytest.approx(seconds, rel=0.2)
    assert len(clock.called) == calls


def test_samples_have_four_digits():
    assert sampling.rounded(0.000123456) == 0.0001235


class Workshop:
    """Variants that work, but for those that are said to be wrong or to raise."""

    def __init__(self, clock: Clock, wrong=(), raising=(), seconds=0.002) -> None:
        """`seconds` a call: of all variants, or by variant."""
        self.clock, self.wrong, self.raising, self.seconds, self.made = clock, wrong, raising, seconds, []

    def __call__(self, point: Point, variant: str):
        self.made.append(variant)
        if variant in self.raising:
            raise RuntimeError(f"no {variant}")
        seconds = self.seconds[variant] if isinstance(self.seconds, dict) else self.seconds
        return self.clock.call(seconds, variant), lambda answer: "nothing like it" if answer in self.wrong else ""


def explain(error: Exception) -> dict[str, str]:
    return {"type": type(error).__name__, "message": str(error)}


def lines(workshop: Workshop, order: list[str], budget: float = 0.1, **options) -> dict[str, dict]:
    told = list(Measurement(workshop, explain, budget, []).lines(POINT, order, **options))
    assert [line["variant"] for line in told] == order
    return {line["variant"]: line for line in told}


ORDER = ["planted", "nn-conv2d", "dense", "again", "split-concat"]


def test_a_line_says_first_call_and_samples(clock):
    told = lines(Workshop(clock), ORDER)
    assert told["dense"]["first"] == 0.002001  # one look at the clock a call
    assert told["dense"]["samples"][0] == 0.002  # one look in five calls
    assert told["dense"]["order"] == 2 and told["dense"]["mode"] == "graph"
    assert told["dense"]["operations"] == layers.operations(POINT)
    assert told["planted"]["samples"][0] == pytest.approx(0.0023, rel=0.01)


def test_controls_repeat_the_first_base_that_works(clock):
    workshop = Workshop(clock)
    assert lines(workshop, ORDER)["again"]["of"] == "nn-conv2d"
    assert workshop.made == ["nn-conv2d", "dense", "split-concat", "nn-conv2d", "nn-conv2d"]
    told = lines(Workshop(clock, raising=("nn-conv2d",)), ORDER)
    assert told["again"]["of"] == told["planted"]["of"] == "split-concat"
    assert told["nn-conv2d"]["failure"] == {"type": "RuntimeError", "message": "no nn-conv2d"}


def test_what_is_repeated_in_another_form_is_the_first_that_works_in_it(clock):
    """With oneDNN off nn-conv2d is refused in f32, where it is fused, and works in bf16, where it is not."""
    workshop = Workshop(clock)
    makes = workshop.__call__

    def make(point: Point, variant: str):
        if (point.dtype, variant) == ("f32", "nn-conv2d"):
            raise RuntimeError("no grouped fusion")
        return makes(point, variant)

    point = POINT._replace(dtype="bf16")
    order = ["in-f32", "nn-conv2d", "again", "split-concat"]
    told = {line["variant"]: line for line in Measurement(make, explain, 0.1, []).lines(point, order)}
    assert (told["again"]["of"], told["in-f32"]["of"]) == ("nn-conv2d", "split-concat")
    assert told["in-f32"]["dtype"] == "bf16"  # it stands at the point that it is compared at


@pytest.mark.parametrize(
    ("again", "is_told"),
    [
        ([1.0, 1.001, 0.999, 1.0], True),
        ([1.0, 1.1, 0.9, 1.05], False),
        ([1.0] * 7 + [9.0], True),  # a single disturbance
        ([1.4], True),  # a call too long to repeat
    ],
)
def test_a_point_is_sampled_until_a_program_is_told_to_be_as_fast_as_itself(again, is_told):
    assert measure._is_told(again, [1.0] * len(again)) is is_told


def test_controls_fail_with_their_bases(clock):
    told = lines(Workshop(clock, wrong=("nn-conv2d", "split-concat")), ORDER)
    assert told["again"]["failure"]["type"] == "absent" and "of" not in told["again"]


def test_a_wrong_answer_has_no_time(clock):
    told = lines(Workshop(clock, wrong=("dense",)), ORDER)["dense"]
    assert told["failure"] == {"type": "wrong", "message": "nothing like it"}
    assert not {"first", "samples"} & set(told)


def test_what_is_excluded_is_not_tried(clock):
    workshop, announced = Workshop(clock), []
    crash = {"type": "crash", "message": "SIGSEGV"}
    told = lines(workshop, ORDER, excluded={"dense": crash}, announce=announced.append)
    assert told["dense"]["failure"] == crash and "dense" not in workshop.made
    assert announced == ["nn-conv2d", "dense", "split-concat", "planted", "again", None]


def test_nothing_is_sampled_where_nothing_works(clock):
    told = lines(Workshop(clock, raising=("nn-conv2d", "dense", "split-concat")), ORDER)
    assert all("failure" in line for line in told.values())


def test_of_a_long_call_the_warm_up_is_the_sample(clock):
    workshop = Workshop(clock, seconds=3.0)
    told = lines(workshop, ["nn-conv2d", "dense"])
    assert told["dense"]["samples"] == [3.0] and clock.called.count("dense") == 2


def test_those_near_the_fastest_and_the_controls_share_the_budget(clock):
    seconds = {"depthwise": 0.006, "split-concat": 0.01, "nn-conv2d": 0.03, "dense": 0.03}
    told = lines(Workshop(clock, seconds=seconds), [*seconds, "again"], budget=2.0)
    counts = {name: len(line["samples"]) for name, line in told.items()}
    assert counts == {"depthwise": 27, "split-concat": 24, "nn-conv2d": 8, "again": 8, "dense": 6}


def say_and(end):
    def task(say) -> None:
        say({"number": 1})
        end()

    return task


@pytest.mark.parametrize(
    ("end", "failure"),
    [
        (lambda: None, None),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), {"type": "crash", "message": "SIGKILL"}),
        (lambda: os._exit(3), {"type": "crash", "message": "the process ended with exit status 3 and no result"}),
    ],
)
def test_a_fork_says_lines_and_how_it_died(end, failure):
    forked = Forked(say_and(end), PATIENCE)
    assert list(forked.lines()) == [{"number": 1}]
    assert forked.failure == failure


def test_a_fork_that_says_nothing_more_is_ended():
    forked = Forked(say_and(lambda: time.sleep(PATIENCE)), seconds=0.5)
    select.select([forked.fork._lines], [], [])  # its line is there before the seconds count, however slowly it came
    assert list(forked.lines()) == [{"number": 1}]
    assert forked.failure == {"type": "timeout", "message": "no result after 0.5 s"}


def test_a_fault_of_the_suite_is_no_failure_of_a_variant(capfd):
    with pytest.raises(RuntimeError, match="fault of the suite"):
        list(Forked(say_and(lambda: 1 / 0), PATIENCE).lines())
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_long_lines_arrive_whole():
    text = "x" * 300_000
    assert list(Forked(lambda say: say({"text": text}), PATIENCE).lines()) == [{"text": text}]


@pytest.fixture
def cores():
    before = os.sched_getaffinity(0)
    yield before
    os.sched_setaffinity(0, before)


def test_a_process_is_pinned_to_one_core_whose_use_is_counted(cores):
    pinned = pin()
    assert pinned == [max(cores)] and os.sched_getaffinity(0) == set(pinned)
    assert Load(pinned)._busy() >= 0


@pytest.mark.parametrize(("pinned", "share"), [([3], 0.25), ([], 0.125)])  # of one core, and of both
def test_load_is_the_time_that_the_core_worked_for_others(clock, monkeypatch, pinned, share):
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 2)
    of_the_core, of_this_process = iter([50.0, 50.9]), iter([7.0, 7.4])
    monkeypatch.setattr(Load, "_busy", lambda self: next(of_the_core))
    monkeypatch.setattr(machine.time, "process_time", lambda: next(of_this_process))
    load = Load(pinned)
    clock.now += 2
    assert load.share() == pytest.approx(share, rel=1e-3)


@pytest.mark.parametrize(
    ("pinned", "share"),
    [([3], 0.2 + 0.05), ([], 0.05)],  # the process slept a fifth of the time; 10 ticks of 200 went to other machines
)
def test_lost_is_what_the_process_did_not_run_and_what_was_stolen(clock, monkeypatch, pinned, share):
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(machine, "TICK", 100)
    of_this_process, stolen = iter([7.0, 8.6]), iter([40, 50])
    monkeypatch.setattr(machine.time, "process_time", lambda: next(of_this_process))
    monkeypatch.setattr(machine, "_processor_times", lambda pinned: ["cpu"] + ["0"] * 7 + [str(next(stolen))])
    lost = Lost(pinned)
    lost.start()
    clock.now += 2
    assert lost.share() == pytest.approx(share, rel=1e-3)


def test_where_the_system_counts_nothing_nothing_is_lost(clock, monkeypatch):
    monkeypatch.setattr(machine, "_processor_times", lambda pinned: None)
    lost = Lost([])
    lost.start()
    assert lost.share() == 0.0
    assert Load([]).share() is None


def test_load_is_unknown_after_no_time():
    assert Load([]).share() is None


def test_the_best_of_some_calls_tells_how_fast_the_machine_is(clock, monkeypatch):
    monkeypatch.setattr(machine, "COPIED", 4096)
    copies = itertools.chain([0.03, 0.01], itertools.repeat(0.02))
    monkeypatch.setattr(machine.np, "copyto", lambda *_: clock.call(next(copies))())
    assert bandwidth() == pytest.approx(2 * 4096 / 0.01, rel=1e-3)
    products = itertools.chain([0.001, 0.003, 0.002], itertools.repeat(0.003))  # the first is not timed

    def multiply() -> None:
        clock.now += next(products)

    assert peak(multiply, 100) == pytest.approx(2 * 100**3 / 0.002, rel=1e-3)


def test_the_memory_that_was_taken_since_is_told():
    before = machine.Memory()
    taken = np.ones(8 * 2**20)
    assert 64 * 2**20 <= before.most() + 2**20 < 128 * 2**20
    del taken
