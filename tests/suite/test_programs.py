"""Is a program what a person writes, and is it still that when TensorFlow's optimizers are done?

As in the matrix nothing runs in this process: each test looks in a fork of its own.
"""

import re

import pytest

from . import observe, runtime, worker
from .catalog import EPILOGUES, Cell, parse_case
from .evidence import Evidence
from .evidence.partition_graphs import nodes
from .modes import FORWARD
from .modes.function import forward_function
from .problem import pose
from .programs import make_program

LIMITS = worker.Limits(seconds=120, memory=6 * 2**30)
BATCH_NORM = {"BatchNorm", "BatchNormV2", "BatchNormV3", "BatchNormEx"}
# What stands for a step in a graph, without the names that oneDNN puts before it.
OPS = {
    "bias": {"BiasAdd"},
    "plus": {"Add", "AddV2"},
    "add": {"Add", "AddV2"},
    "bn": BATCH_NORM,
    "bn_training": BATCH_NORM,
    "relu": {"Relu", "BatchNormEx"},  # a batch norm may take the activation in
    "relu6": {"Relu6"},
    "elu": {"Elu"},
    "leaky_relu": {"LeakyRelu"},
    "sigmoid": {"Sigmoid"},
    "swish": {"Sigmoid", "Swish"},
    "gelu": {"Erf", "Erfc"},
    "hard_swish": {"Relu6", "HardSwish"},
}
# What the optimizers make of a step besides.
MADE = {"plus": {"BiasAdd"}, "gelu": {"GeluExact", "Gelu"}}
PREFIX = re.compile(r"_?(Mkl)?(Native)?_?(Fused)?")
pytestmark = pytest.mark.skipif(runtime.V1, reason="a session shows no graph before the optimizers in the same way")


def looked_at(approach, case):
    """Operations before and after the optimizers, after them with what is fused; and where the filter comes from."""

    def look(cell):
        problem = pose(cell.approach, cell.case)
        function, _ = forward_function(make_program(cell.approach, problem), problem)
        graph = function.get_concrete_function().graph.as_graph_def()
        evidence = Evidence()
        observe.attempt(lambda: FORWARD["graph"](cell.approach, problem, evidence))
        ran = nodes(evidence.graphs, "CPU")
        joined = ["BiasAdd" for node in ran if node.op.endswith("WithBias")]
        after = [node.op for node in ran] + [name for node in ran for name in node.fused_ops]
        return {
            "before": [PREFIX.sub("", node.op, count=1) for node in graph.node],
            "after": [PREFIX.sub("", name, count=1) for name in after] + joined,
            "constant_filter": any(node.filter_channels for node in ran),
        }

    cell = Cell(approach, "graph", "forward", case)
    (found,) = worker.observe_all([cell], lambda: observe.start(False), look, LIMITS)
    assert "before" in found, found
    return found


@pytest.mark.parametrize("epilogue", [name for name in EPILOGUES if name != "none"])
@pytest.mark.parametrize("approach", ["nn-conv2d", "masked-dense", "keras-groups"])
def test_every_step_is_in_the_graph_and_stays_in_it(approach, epilogue):
    case = parse_case("g4-k3/{}/f32/nhwc".format(epilogue))
    found = looked_at(approach, case.id)
    for step in case.steps:
        assert OPS[step] & set(found["before"]), (step, found["before"])
        assert (OPS[step] | MADE.get(step, set())) & set(found["after"]), (step, found["after"])


@pytest.mark.parametrize("approach", ["keras-per-group", "keras-depthwise", "keras-separable", "depthwise-pointwise"])
def test_layers_of_keras_add_the_bias_and_the_activation_follows(approach):
    case = {"keras-per-group": "g4-k3", "keras-depthwise": "g16-k3-cm1"}.get(approach, "g16-k3")
    found = looked_at(approach, case + "/bias_relu/f32/nhwc")
    assert {"BiasAdd", "Relu"} <= set(found["before"]) and {"BiasAdd", "Relu"} <= set(found["after"])


@pytest.mark.parametrize("approach", ["per-sample", "per-sample-map"])
def test_a_filter_for_each_sample_is_fed(approach):
    found = looked_at(approach, "g2-k3/none/f32/nhwc")
    assert found["before"].count("Placeholder") == 2 and not found["constant_filter"]


@pytest.mark.parametrize("approach", ["nn-conv2d", "keras-groups", "split-concat", "depthwise-sum"])
def test_a_block_keeps_its_three_batch_norms_and_its_shortcut(approach):
    found = looked_at(approach, "resnext-block/bn_relu/f32/nhwc")
    for when in ("before", "after"):
        norms = [op for op in found[when] if op in BATCH_NORM]
        assert len(norms) == 4 and {"Add", "AddV2"} & set(found[when]), (when, found[when])


def test_a_residual_is_fed():
    without, fed = [looked_at("nn-conv2d", "g4-k3/{}/f32/nhwc".format(name)) for name in ("bias_relu", "bias_add_relu")]
    assert fed["before"].count("Placeholder") == without["before"].count("Placeholder") + 1


def test_the_mask_is_multiplied_in_every_call_unless_it_is_a_constant():
    assert "Mul" in looked_at("masked-dense", "g4-k3/bias_relu/f32/nhwc")["after"]
    assert "Mul" not in looked_at("masked-dense", "g4-k3-const/bias_relu/f32/nhwc")["after"]


def test_weights_are_variables_unless_the_case_says_const():
    variable, constant = [looked_at("nn-conv2d", "g4-k3{}/bias_relu/f32/nhwc".format(name)) for name in ("", "-const")]
    assert "ReadVariableOp" in variable["before"] and not variable["constant_filter"]
    assert "ReadVariableOp" not in constant["before"] and constant["constant_filter"]


def test_an_operation_stands_before_and_after_unless_the_case_is_bare():
    usual, bare = [looked_at("nn-conv2d", "g4-k3{}/bias_relu/f32/nhwc".format(name)) for name in ("", "-bare")]
    assert [found["after"].count("StridedSlice") for found in (usual, bare)] == [2, 0]


def test_a_padding_is_an_operation_of_the_program():
    padded, explicit = [looked_at("nn-conv2d", "g4-k3-{}/none/f32/nhwc".format(name)) for name in ("pad", "explicit")]
    assert "Pad" in padded["before"] and "Pad" not in explicit["before"]
    assert any("Pad" in op for op in padded["after"])
    assert "Pad" in looked_at("keras-groups", "g4-k3-pad/none/f32/nhwc")["before"]


def test_a_normalised_filter_is_computed_in_every_call():
    assert {"Rsqrt", "Sqrt", "RealDiv"} & set(looked_at("nn-conv2d", "g4-k3-wn/bias_relu/f32/nhwc")["after"])
