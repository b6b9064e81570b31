"""How a layer comes out is predicted from cells that were observed, and from nothing else."""

from __future__ import annotations

import pytest

from matrix.answers.model.layers import Layer
from matrix.answers.model.prediction import Run, Vocabulary, epilogues, predict, special
from matrix.suite import catalog as suite

WORDS = Vocabulary(epilogues=suite.EPILOGUES, parse_case=suite.parse_case)


def layer(**changes) -> Layer:
    usual = Layer(
        name="conv", operation="conv", rank=2, kernel=(3, 3), strides=(1, 1), dilation=(1, 1), padding="same", cin=64,
        cout=64, groups=32, size=(28, 28), dtype="f32", layout="nhwc", after=("bias", "relu"), written="keras",
    )  # fmt: skip
    return usual._replace(**changes)


def run(**outcomes: str) -> Run:
    """Cells as `approach mode check case`, with what came out."""
    return Run({tuple(cell.split()): outcome for cell, outcome in outcomes.items()}, WORDS)


PREDICT = "keras-groups keras forward g4-k3/bias_relu/f32/nhwc"
GRAPH = "keras-groups graph forward g4-k3/bias_relu/f32/nhwc"


def asked(one: Layer, seen: dict[str, str], check="forward", mode="keras", only=()):
    return predict(one, check, mode, run(**seen), only)


@pytest.mark.parametrize(("outcome", "answer"), [("pass", "yes"), ("error", "no"), ("wrong", "no"), ("absent", "no")])
def test_what_was_observed_of_the_very_combination_decides(outcome, answer):
    found = asked(layer(), {PREDICT: outcome, GRAPH: "crash"})
    assert (found.answer, found.cells) == (answer, (tuple(PREDICT.split()),))


def test_what_was_skipped_or_never_observed_decides_nothing():
    assert asked(layer(), {PREDICT: "skipped"}).answer == "open"
    assert asked(layer(), {GRAPH: "pass"}).why == "keras-groups in keras was not measured"


def test_something_special_must_pass_where_it_was_observed():
    strided = "keras-groups graph forward g4-k3-s2/bias_relu/f32/nhwc"
    two = layer(strides=(2, 2))
    assert asked(two, {PREDICT: "pass"}).why == "not measured: a stride"
    passes = asked(two, {PREDICT: "pass", GRAPH: "pass", strided: "pass"})
    assert passes.answer == "yes" and tuple(strided.split()) in passes.cells
    fails = asked(two, {PREDICT: "pass", GRAPH: "pass", strided: "error"})
    assert fails.answer == "no" and fails.cells[0] == tuple(strided.split())


def test_a_failure_that_has_another_cause_says_nothing_of_what_is_special():
    """In a graph everything fails, with the stride or without: predict may still take it."""
    strided = "keras-groups graph forward g4-k3-s2/bias_relu/f32/nhwc"
    found = asked(layer(strides=(2, 2)), {PREDICT: "pass", GRAPH: "error", strided: "error"})
    assert (found.answer, found.why) == ("open", "not measured: a stride")


def test_what_fails_with_nothing_special_fails():
    strided = "keras-groups graph forward g4-k3-s2/bias_relu/f32/nhwc"
    found = asked(layer(strides=(2, 2)), {PREDICT: "error", GRAPH: "pass", strided: "pass"})
    assert found.answer == "no" and found.cells == (tuple(PREDICT.split()),)


def test_something_special_helps_only_where_it_was_seen_to():
    """As in Keras 2.8, where a dilation makes another program of which nothing is fused."""
    dilated = "keras-groups graph forward g4-k3-d2/bias_relu/f32/nhwc"
    seen = {PREDICT: "error", GRAPH: "error", dilated: "pass"}
    helped = asked(layer(dilation=(2, 2)), seen)
    assert helped.answer == "yes" and helped.cells == (tuple(dilated.split()), tuple(PREDICT.split()))
    assert asked(layer(dilation=(2, 2), dtype="f16"), seen).why == "not measured: f16"
    assert asked(layer(dilation=(2, 2)), seen | {dilated: "error"}).answer == "no"
    assert asked(layer(dilation=(2, 2)), seen | {GRAPH: "pass"}).answer == "no"


def test_what_follows_and_was_not_measured_is_promised_by_no_epilogue_that_ends_before():
    bias = PREDICT.replace("bias_relu", "bias")
    unknown = layer(after=("bias", "softplus"))
    assert asked(unknown, {bias: "pass", PREDICT: "error"}).answer == "open"
    assert asked(unknown, {bias: "error", PREDICT: "error"}).answer == "no"
    assert asked(unknown, {bias: "pass", PREDICT: "pass"}).answer == "yes"
    assert asked(layer(after=("bias",)), {bias: "pass", PREDICT: "error"}).answer == "yes"


def test_another_approach_stands_in_for_what_was_observed_of_it_alone():
    other, plain = (
        "nn-conv2d graph forward g4-k3/bias_relu/f64/nhwc",
        "nn-conv2d graph forward g4-k3/bias_relu/f32/nhwc",
    )
    found = asked(layer(dtype="f64"), {PREDICT: "pass", plain: "pass", other: "error"})
    assert found.answer == "no" and found.cells[0] == tuple(other.split())


def test_the_half_type_stands_for_mixed_precision_that_was_not_observed():
    half = "keras-groups graph forward g4-k3/bias_relu/f16/nhwc"
    seen = {PREDICT: "pass", GRAPH: "pass", half: "error"}
    assert asked(layer(dtype="mf16"), seen).cells[0] == tuple(half.split())


def test_the_nearest_number_of_groups_stands_for_the_layer():
    few, many = (f"nn-conv2d graph forward g{groups}-k3/bias_relu/f32/nhwc" for groups in (2, 8))
    found = asked(layer(written="graph"), {few: "pass", many: "error"}, mode="graph")
    assert found.answer == "no" and found.cells == (tuple(many.split()),)


def test_controls_and_misuse_are_no_evidence():
    seen = {PREDICT.replace("g4-k3", "g1-k3"): "pass", PREDICT.replace("g4-k3", "g4-k3-oddin"): "pass"}
    assert asked(layer(), seen).answer == "open"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"groups": None}, "does not tell its number of groups"),
        ({"operation": "transpose", "groups": 1}, "without groups is not measured"),
        ({"operation": "separable", "rank": 3}, "was not measured"),
    ],
)
def test_what_no_record_speaks_of_is_open(changes, why):
    found = asked(layer(**changes), {PREDICT: "pass"})
    assert found.answer == "open" and why in found.why


def test_a_rewrite_is_judged_by_its_own_cells():
    split = "split-concat keras forward g4-k3/bias_relu/f32/nhwc"
    assert asked(layer(), {PREDICT: "error", split: "pass"}, only=("split-concat",)).answer == "yes"


@pytest.mark.parametrize(
    ("after", "check", "first"),
    [
        ((), "forward", "none"),
        (("bias",), "forward", "bias"),
        (("bias", "softplus"), "forward", "bias"),
        (("bias", "relu", "bn"), "forward", "bias_relu"),
        (("bn",), "forward", "bn_relu"),
        (("bn", "relu"), "gradient", "bn_training_relu"),
        (("relu",), "forward", "none"),
        (("bias", "add", "relu"), "forward", "bias_add_relu"),
    ],
)
def test_the_epilogue_that_begins_alike_stands_for_what_follows(after, check, first):
    assert epilogues(after, check, WORDS)[0] == first


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, set()),
        ({"strides": (2, 2)}, {"a stride"}),
        ({"strides": (1, 2)}, {"unequal strides"}),
        ({"strides": (2, 2), "dilation": (2, 2)}, {"a stride", "a dilation", "a stride with a dilation"}),
        ({"kernel": (1, 1), "padding": "valid"}, {"a 1x1 kernel"}),
        ({"padding": "valid"}, {"no padding"}),
        ({"groups": 64}, {"one channel a group"}),
        ({"groups": 64, "cout": 128}, {"one channel a group", "several outputs for each channel"}),
        ({"operation": "depthwise", "groups": 64}, set()),
        ({"dtype": "f16", "layout": "nchw"}, {"f16", "nchw"}),
    ],
)
def test_what_is_special_about_a_layer(changes, said):
    assert special(layer(**changes)) == said
