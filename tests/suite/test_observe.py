"""Does an observation tell what happened? Approaches that are wrong on purpose, on the TensorFlow of this environment.

As in the matrix nothing runs in this process: each test observes in a fork of its own.
"""

import pytest
import tensorflow as tf

from . import approaches, observe, runtime, worker
from .catalog import Cell, cells

SPLIT, PLAIN = approaches.load("split-concat"), approaches.load("nn-conv2d")
split_concat = SPLIT.convolution

LIMITS = worker.Limits(seconds=60, memory=6 * 2**30)
FORWARD = Cell("split-concat", "graph", "forward", "g4-k3/bias_relu/f32/nhwc")
GRADIENT = FORWARD._replace(check="gradient")
FUSION = FORWARD._replace(check="fusion")


def observed(asked, convolve=split_concat):
    """Observations in one fork, with `convolve` in the place of split-concat."""

    def begin():
        observe.start(False)
        SPLIT.convolution = convolve

    return list(worker.observe_all(asked, begin, lambda cell: observe.observe(*cell), LIMITS))


def test_what_is_right_passes():
    assert [found["outcome"] for found in observed([FORWARD, FUSION, GRADIENT])] == ["pass"] * 3


def test_an_output_a_little_off_is_wrong():
    (found,) = observed([FORWARD], lambda x, filters, case: split_concat(x, filters, case) * 1.001)
    assert found["outcome"] == "wrong"
    assert 1e-4 < found["rel_err"] < 1e-3
    assert found["reason"].startswith("output: relative error")


def test_an_output_of_another_shape_is_wrong():
    (found,) = observed([FORWARD._replace(case="g4-k3/none/f32/nhwc")], lambda x, filters, case: x)
    assert (found["outcome"], found["reason"]) == (
        "wrong",
        "output: its shape is (2, 9, 9, 16) and should be (2, 9, 9, 32)",
    )


@pytest.mark.parametrize("spoil", [lambda y: y / 0.0, lambda y: y[::-1]], ids=["infinite", "upside down"])
def test_an_output_unlike_the_reference_is_wrong_without_a_number(spoil):
    """Its digits might come from memory that was never written, and be others in the next run."""
    (found,) = observed([FORWARD], lambda x, filters, case: spoil(split_concat(x, filters, case)))
    assert found["outcome"] == "wrong" and "rel_err" not in found
    assert found["reason"].startswith("output: nothing like the reference")


def test_the_gradient_of_each_input_is_looked_at():
    def dimmed(values):
        return values * 0.95 + tf.stop_gradient(values * 0.05)

    (of_input,) = observed([GRADIENT], lambda x, filters, case: split_concat(dimmed(x), filters, case))
    (of_filter,) = observed([GRADIENT], lambda x, filters, case: split_concat(x, [dimmed(filters[0])], case))
    assert of_input["outcome"] == of_filter["outcome"] == "wrong"
    assert of_input["reason"].startswith("input gradient: relative error 5.0e-02")
    assert of_filter["reason"].startswith("filter gradient: relative error 5.0e-02")


def test_a_gradient_that_tensorflow_does_not_give_is_wrong():
    (found,) = observed([GRADIENT], lambda x, filters, case: split_concat(x, [tf.stop_gradient(filters[0])], case))
    assert (found["outcome"], found["reason"]) == ("wrong", "filter gradient: TensorFlow gives none")


def test_a_block_is_wrong_where_its_convolution_is():
    asked = [
        FORWARD._replace(case="resnext-block/bn_relu/f32/nhwc"),
        GRADIENT._replace(case="resnext-block/bn_training_relu/f32/nhwc"),
    ]
    assert [found["outcome"] for found in observed(asked)] == ["pass"] * 2
    spoilt = observed(asked, lambda x, filters, case: split_concat(x, filters, case)[..., ::-1])
    assert [found["outcome"] for found in spoilt] == ["wrong"] * 2


def test_an_error_of_tensorflows_is_an_observation():
    (found,) = observed([FORWARD], lambda x, filters, case: PLAIN.convolution(x, [filters[0][:, :, :3]], case))
    assert found["outcome"] == "error"
    assert found["error"]["type"] in ("ValueError", "InvalidArgumentError", "UnimplementedError")


def test_a_fault_of_the_suites_is_no_error_of_tensorflows():
    (found,) = observed([FORWARD], lambda x, filters, case: not_a_name)  # noqa: F821
    assert (found["outcome"], found["reason"]) == ("skipped", "a fault of the suite itself: see the log of the run")


@pytest.mark.skipif(runtime.V1, reason="auto-clustering is asked of a session in another way")
@pytest.mark.parametrize("approach", ["split-concat", "keras-groups"])
def test_what_auto_clustering_left_alone_is_not_taken_for_its_work(approach):
    """Nobody asked TensorFlow for it here. What Keras compiles of a layer with groups is no cluster."""

    def begin():
        observe.start(False)
        runtime.AUTO_CLUSTER = True

    asked = [cell._replace(approach=approach, case="g4-k3/none/f32/nhwc") for cell in (FORWARD, FUSION)]
    for found in worker.observe_all(asked, begin, lambda cell: observe.observe(*cell), LIMITS):
        assert found["outcome"] == "absent" or (found["outcome"], found["reason"]) == (
            "skipped",
            "auto-clustering compiled nothing of it",
        )


def test_what_ran_before_leaves_no_trace():
    """The same observations in the order of a record, backwards, and each alone."""
    asked = [
        cell
        for cell in cells()
        if cell.approach in ("nn-conv2d", "keras-groups")
        and cell.mode in ("graph", "keras")
        and cell.case in ("g4-k3/bias/f32/nhwc", "g4-k3/bias_relu/f32/nhwc", "g1-k3/none/f32/nhwc")
    ]
    together = observed(asked)
    assert together == observed(asked[::-1])[::-1]
    assert together == [found for cell in asked for found in observed([cell])]
