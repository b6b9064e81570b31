"""The numbers of a point, and what judges the answers to them: an answer that is wrong must not be timed."""

from __future__ import annotations

import os

import numpy as np
import pytest
from suite import reference
from suite.problem import Problem
from suite.speed import layers, onednn_time, problems
from suite.speed.layers import Layer, Point

POINT = Point("tiny", 2, "graph", "train")


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(layers.LAYERS, "tiny", Layer(5, 8, 8, 8))
    yield
    problems._pose.cache_clear()


def answers(problem: Problem, form: str = "grouped", approach: str = "nn-conv2d") -> dict[str, np.ndarray]:
    operation = reference.linear(form, 2, problem.case)
    linear_y = operation.forward(problem.x, problem.filters)
    y, pullback, _ = reference.epilogue(problem.case.steps, linear_y, problem.parameters)
    dx, dfilters = operation.gradients(problem.x, problem.filters, pullback(problem.cotangent))
    dfilter = problems.as_grouped(approach, dfilters, problem.case)
    return dict(zip(problems.ANSWERS, (y, dx, dfilter), strict=True))


def test_the_dense_layer_answers_what_the_grouped_one_does():
    right, dense = answers(problems.pose(POINT, "nn-conv2d")), answers(problems.pose_dense(POINT))
    assert dense["filter gradient"].shape == (3, 3, 8, 8)
    assert problems.fault(dense, right, groups=8) == ""
    np.testing.assert_allclose(problems.narrow(dense["filter gradient"], 8), right["filter gradient"])


def test_a_depthwise_filter_is_the_same_filter():
    right = answers(problems.pose(POINT, "nn-conv2d"))
    depthwise = problems.pose(POINT, "depthwise")
    assert depthwise.filters[0].shape == (3, 3, 8, 1)
    assert problems.fault(answers(depthwise, "depthwise"), right, groups=8) == ""


@pytest.mark.parametrize("approach", ["depthwise-sum", "keras-per-group", "masked-dense", "nn-conv2d"])
def test_every_form_of_the_filter_answers_the_same(approach, monkeypatch):
    monkeypatch.setitem(layers.LAYERS, "tiny", Layer(5, 8, 12, 4, 3, 2))
    right, posed = answers(problems.pose(POINT, "nn-conv2d")), problems.pose(POINT, approach)
    form = problems.APPROACHES[approach].form
    assert problems.fault(answers(posed, form, approach), right, groups=4) == ""


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_widening_is_undone_by_narrowing(groups):
    filters = np.random.default_rng(1).normal(size=(3, 3, 8 // groups, 16))
    wide = problems.widen(filters, groups)
    assert wide.shape == (3, 3, 8, 16) and np.count_nonzero(wide) == filters.size
    np.testing.assert_array_equal(problems.narrow(wide, groups), filters)


@pytest.mark.parametrize("name", problems.ANSWERS)
def test_an_answer_with_two_channels_swapped_is_wrong(name):
    right = answers(problems.pose(POINT, "nn-conv2d"))
    wrong = dict(right, **{name: right[name][..., [1, 0, 2, 3, 4, 5, 6, 7]]})
    assert problems.fault(wrong, right, groups=8).startswith(f"{name}: relative error")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (None, "output: there is none"),
        (np.zeros((2, 5, 5, 4)), "output: its shape is (2, 5, 5, 4) and should be (2, 5, 5, 8)"),
        (np.full((2, 5, 5, 8), np.nan), "output: relative error nan beside an ordinary convolution"),
    ],
)
def test_what_cannot_be_compared_is_wrong(values, text):
    right = answers(problems.pose(POINT, "nn-conv2d"))
    assert problems.fault({"output": values}, right, groups=8) == text


def test_rounding_is_not_wrong():
    right = answers(problems.pose(POINT, "nn-conv2d"))
    rounded = {name: values.astype(np.float16) for name, values in right.items()}
    assert problems.fault(rounded, right, groups=8) == ""


def test_all_points_of_a_layer_share_its_numbers():
    forward = problems.pose(POINT._replace(direction="forward"), "nn-conv2d")
    assert forward.x is problems.pose(POINT._replace(mode="jit"), "split-concat").x
    assert forward.case.bare and forward.case.n == 2


def test_the_ordinary_convolution_is_trusted_where_float64_agrees():
    dense = answers(problems.pose_dense(POINT))
    trusted = problems.trusted(POINT, dense)
    assert trusted["filter gradient"].shape == (3, 3, 1, 8)
    assert problems.fault(answers(problems.pose(POINT, "nn-conv2d")), trusted, groups=8) == ""


@pytest.mark.parametrize("layer", [Layer(5, 8, 8, 4), Layer(9, 6, 12, 3, kernel=7), Layer(6, 4, 8, 2, kernel=1)])
def test_the_first_pixels_are_those_of_the_whole(monkeypatch, layer):
    monkeypatch.setitem(layers.LAYERS, "tiny", layer)
    problems._pose.cache_clear()
    output = answers(problems.pose(POINT, "nn-conv2d"))["output"]
    corner = problems._corner(problems.pose(POINT, "nn-conv2d"))
    np.testing.assert_allclose(corner, output[:1, : problems.CORNER, : problems.CORNER])


def test_an_ordinary_convolution_that_is_wrong_judges_nothing():
    dense = answers(problems.pose_dense(POINT))
    with pytest.raises(problems.Wrong) as raised:
        problems.trusted(POINT, dict(dense, output=dense["output"][:, :, ::-1]))
    assert problems.explained(raised.value)["type"] == "wrong"
    assert problems.explained(ValueError("another's")) is None


LINES = """\
onednn_verbose,exec,cpu,convolution,jit:avx512_core,forward_training,src_f32,attr-post-ops:eltwise_relu,g32mb8_ic512oc512,1.25
dnnl_verbose,exec,cpu,convolution,jit:avx512_core,backward_data,src_f32,,g32mb8_ic512oc512,0.5
onednn_verbose,v1,primitive,exec,cpu,convolution,brgconv:avx512_core,backward_weights,src_f32,,mb8_ic512oc512,0.25
onednn_verbose,exec,cpu,reorder,jit:uni,undef,src_f32,,,512x512x3x3,5.4
onednn_verbose,create:cache_miss,cpu,convolution,jit:avx512_core,forward_training,src_f32,,mb1_ic8oc8,7.5
something else
"""


def test_onednns_own_time_is_that_of_the_convolutions_it_executes():
    assert onednn_time.seconds(LINES) == pytest.approx(0.002)
    assert onednn_time.seconds("") == 0


def test_what_a_call_prints_is_taken(capfd):
    assert onednn_time.printed(lambda: os.write(1, b"told\n")) == "told\n"
    assert capfd.readouterr().out == ""
