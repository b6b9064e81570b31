from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.timings import AMOUNTS, BANDWIDTH, PEAK, Machine, lines, series, stream, streams

from matrix.catalog.approaches import SPLIT
from matrix.record.speed_records import word
from matrix.speed import estimates
from matrix.speed.estimates import compare
from matrix.suite.speed import layers

PAIRS = 320


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((0.5, 0.9), "faster"), ((0.94, 0.96), "cannot tell"), ((0.96, 1.04), "same"), ((0.9, 1.04), "cannot tell"),
        ((1.0, 1.06), "cannot tell"), ((1.06, 1.2), "slower"), ((1.05, 1.2), "cannot tell"),
        ((0.5, 2.0), "cannot tell"),
    ],
)  # fmt: skip
def test_words_need_the_whole_interval(interval, said):
    assert word(interval) == said


@given(st.floats(0.01, 100), st.floats(1, 3))
def test_who_is_compared_with_whom_turns_the_word_round(low, wide):
    turned = {"faster": "slower", "slower": "faster"}
    forth, back = word((low, low * wide)), word((1 / (low * wide), 1 / low))
    assert back == turned.get(forth, forth)


def judged(seed: int, factor: float, **machine) -> Counter:
    """Count the words that pairs of programs get where one takes `factor` times as long as the other."""
    words = Counter()
    for number in range(PAIRS):
        here = Machine(seed + number, **machine)
        one, other = here.samples(3e-3), here.samples(3e-3 * factor)
        words[word(compare(series("again", other), series(f"base{number}", one))[1])] += 1
    return words


def test_of_pairs_of_the_same_at_most_one_in_a_hundred_is_called_different_and_most_the_same():
    words = judged(1000, 1.0)
    assert words["faster"] + words["slower"] <= PAIRS * 0.01, words
    assert words["cannot tell"] <= PAIRS * 0.2, words


def test_what_is_planted_is_found():
    assert judged(2000, 1.15)["slower"] >= PAIRS * 0.9


def test_on_a_machine_that_is_too_noisy_nothing_is_claimed():
    words = judged(3000, 1.0, own=0.05)
    assert words["faster"] + words["slower"] <= PAIRS * 0.01, words
    assert words["cannot tell"] > PAIRS * 0.5, words


@pytest.mark.parametrize(("processes", "own"), [(5, 0.0), (5, 0.02), (3, 0.02)])
def test_an_interval_holds_the_truth_as_often_as_it_says(processes, own):
    held = 0
    for number in range(PAIRS):
        machine = Machine(number, processes, own=own)
        found = compare(series("a", machine.samples(2e-3)), series(f"b{number}", machine.samples(1e-3)))
        held += found[1][0] <= 2 <= found[1][1]
    assert held / PAIRS >= 0.92, held / PAIRS


def test_without_noise_the_ratio_is_exact():
    ratio, interval = compare(series("a", [[2e-3] * 9] * 5), series("b", [[1e-3] * 9] * 5))
    assert ratio == 2 and interval == (2, 2)


def test_times_are_compared_within_a_process_only():
    slow = [1, 5, 1, 9, 2]
    ratio, interval = compare(
        series("a", [[2e-3 * factor] * 9 for factor in slow]), series("b", [[1e-3 * factor] * 9 for factor in slow])
    )
    assert ratio == pytest.approx(2) and interval == (2, 2)


def test_the_same_samples_give_the_same_interval():
    found = {compare(series("a", Machine(1).samples(2e-3)), series("b", Machine(2).samples(1e-3))) for _ in range(3)}
    assert len(found) == 1


def test_one_process_says_nothing_of_others():
    assert compare(series("a", [[1e-3] * 50]), series("b", [[2e-3] * 50])) is None


@pytest.mark.parametrize("count", [2, 5, 8, 50])
def test_the_error_of_the_middle_half_is_how_much_it_varies(count):
    random = np.random.default_rng(count)
    found = [estimates.middle_half(random.normal(1, 0.1, count)) for _ in range(4000)]
    varies = np.std([middle for middle, _ in found])
    assert np.sqrt(np.mean([error**2 for _, error in found])) == pytest.approx(varies, rel=0.1)


def test_the_memory_is_that_of_the_process_that_found_none_left_free():
    told = [lines({"nn-conv2d": [1e-3] * 9, "dense": [2e-3] * 9}) for _ in range(3)]
    for process, memory in zip(told, (60_000_000, 62_000_000, 1_000_000), strict=True):
        for line in process:
            if line.get("variant") == "nn-conv2d":
                line["memory"] = memory
    point = estimates.points([stream(process) for process in told])[0]
    assert (point.variant("nn-conv2d").memory, point.variant("dense").memory) == (62_000_000, None)


def test_the_middle_half_passes_over_what_was_disturbed():
    assert estimates.middle_half(np.array([1.0, 1.0, 1.0, 9.0])) == (1.0, 0.0)
    assert estimates.middle_half(np.array([3.0])) == (3.0, 0.0)


def test_a_disturbed_sample_is_left_out_and_counted():
    """Others took the core in one turn of ten; a variant whose threads always wait for each other loses nothing."""
    told = lines({"again": [1e-3] * 9 + [5e-3], "nn-conv2d": [1e-3] * 10, "dense": [2e-3] * 10})
    for line in told:
        if line.get("variant") == "again":
            line["lost"] = [0.001] * 9 + [0.7]
        if line.get("variant") == "nn-conv2d":
            line["lost"] = [0.3] * 10
    point = estimates.points([stream(told)] * 3)[0]
    again, usual = point.variant("again"), point.variant("nn-conv2d")
    assert (again.samples, again.left_out) == (27, 3) and again.iqr == 0
    assert (usual.samples, usual.left_out) == (30, 0)
    assert point.ratio("again", "nn-conv2d").interval == (1, 1)


def point_of(seconds=None, **around):
    return estimates.points(streams(seconds, **around))[0]


def test_a_point_says_what_is_fastest_and_how_near_to_the_floor():
    point = point_of()
    assert point.fastest == "nn-conv2d"
    assert point.floor.bound == "compute" and point.floor.seconds == pytest.approx(AMOUNTS["operations"] / PEAK)
    assert point.variant("nn-conv2d").floor_fraction == pytest.approx(2.0 / 1.0, rel=0.1)
    ratio = point.ratio("nn-conv2d", "split-concat")
    assert ratio.word == "faster" and ratio.interval[0] <= 0.25 <= ratio.interval[1]
    assert point.ratio("masked-dense", "nn-conv2d").word == "slower"
    assert {(one.variant, one.against) for one in point.ratios if one.variant in estimates.REFERENCES} == {
        ("again", "nn-conv2d"), ("planted", "nn-conv2d"),
    }  # fmt: skip


def test_a_variant_that_is_no_approach_is_the_fastest_of_another_library():
    point = point_of({"jax-conv": 1.0e-3, "dense": 1.6e-3, "fused-kernel": 0.5e-3})
    assert point.fastest == "jax-conv"  # nobody can write the fused kernel


def test_the_floor_is_the_larger_of_the_two():
    point = point_of(peak={"f32": PEAK * 100})
    assert point.floor.bound == "memory" and point.floor.seconds == pytest.approx(AMOUNTS["bytes"] / BANDWIDTH)
    assert point_of(peak={"f64": PEAK}).floor is None


def test_what_fails_has_its_failure_and_no_ratio():
    point = point_of({"nn-conv2d": "UnimplementedError", "split-concat": 4e-3, "dense": 1e-3})
    assert point.variant("nn-conv2d").failure.type == "UnimplementedError"
    assert point.fastest == "split-concat"
    assert {(one.variant, one.against) for one in point.ratios} == {("split-concat", "dense")}


def test_where_everything_fails_there_is_nothing_to_say():
    point = point_of({"nn-conv2d": "UnimplementedError", "dense": "crash"})
    assert point.fastest is None and point.ratios == []


def test_the_control_is_counted():
    control = estimates.control(estimates.points(streams()))
    assert (control.pairs, control.false_alarms, control.planted, control.detected) == (1, 0, 1, 1)
    same = estimates.control(estimates.points(streams({"nn-conv2d": 1e-3, "again": 1.3e-3, "planted": 1e-3})))
    assert (same.pairs, same.false_alarms, same.planted, same.detected) == (1, 1, 1, 0)


def doubts_of(samples: list[list[float]], **fields) -> dict[str, float]:
    told = [lines({"nn-conv2d": one}, number) for number, one in enumerate(samples)]
    for process in told:
        process[2] |= fields
    point = estimates.points([stream(process) for process in told])[0]
    return {doubt.kind: doubt.value for doubt in point.variant("nn-conv2d").doubts}


def test_doubts_stand_on_the_number():
    assert doubts_of([[1e-3] * 9] * 5) == {}
    assert doubts_of([[1e-3] * 9] * 5, load=0.3) == {"load": 0.3}
    assert doubts_of([[1e-3] * 1] * 5) == {"samples": 5}
    assert doubts_of([[1e-3] * 20] * 2) == {"processes": 2}
    assert doubts_of([[1e-3] * 10 + [1.06e-3, 1.25e-3] * 10] * 5).keys() == {"spread", "drift"}
    assert doubts_of([[1e-3] * 10 + [1.2e-3] * 10] * 5).keys() == {"drift", "spread"}


def test_a_variant_that_failed_in_a_process_is_compared_in_the_others():
    told = [lines({"nn-conv2d": [1e-3] * 9 if number else "crash", "dense": [2e-3] * 9}, number) for number in range(5)]
    point = estimates.points([stream(process) for process in told])[0]
    assert point.variant("nn-conv2d").processes == 4
    assert [doubt.kind for doubt in point.variant("nn-conv2d").doubts] == ["processes"]
    assert point.ratio("nn-conv2d", "dense").ratio == 0.5


def test_numbers_are_told_to_four_digits():
    variant = point_of().variant("nn-conv2d")
    assert variant.median == float(f"{variant.median:.4g}") and not math.isclose(variant.median, 1e-3, rel_tol=1e-6)


def test_the_words_of_the_stream_are_the_suites():
    assert tuple(layers.REFERENCES) == estimates.REFERENCES
    assert {SPLIT} <= set(layers.APPROACHES)
