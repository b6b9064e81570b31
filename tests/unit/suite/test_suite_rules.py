"""The rules on real evidence: nodes of partition graphs, and the optimized HLO that lies in data/hlo, metadata cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from suite.evidence import hlo
from suite.evidence.primitive import Primitive
from suite.evidence.rules import Asked, Node, from_graphs, from_hlo, is_shown

HLO = Path(__file__).parents[1] / "data" / "hlo"
BIAS_RELU = ("bias", "relu")
BASE = Asked(groups=4, cin=16, taps=9, steps=BIAS_RELU)
DEPTHWISE = Asked(groups=16, cin=16, taps=9, steps=BIAS_RELU)


def conclude(asked: Asked, *nodes: Node) -> tuple[str, str]:
    fusion = from_graphs(nodes, asked)
    return fusion["kernel"], fusion["epilogue"]


def test_one_convolution_with_the_epilogue_inside_is_fused_by_a_kernel_unknown() -> None:
    node = Node("_MklNativeFusedConv2D", ("BiasAdd", "Relu"), filter_channels=4)
    assert conclude(BASE, node) == ("unknown", "fused")


def test_a_plain_convolution_says_nothing_about_its_kernel() -> None:
    assert conclude(BASE, Node("Conv2D", (), 4), Node("BiasAdd"), Node("Relu")) == ("unknown", "separate")


def test_what_stands_outside_makes_a_fusion_partial() -> None:
    assert conclude(BASE, Node("_FusedConv2D", ("BiasAdd",), 4), Node("Relu")) == ("unknown", "partly")


@pytest.mark.parametrize("inside", [("BiasAdd", "Relu"), ("BiasAdd",)])
def test_a_bias_that_is_added_is_fused_as_a_bias(inside) -> None:
    """The optimizer makes a BiasAdd of y + b, and takes it in."""
    steps = ("plus", "relu")[: len(inside)]
    assert conclude(BASE._replace(steps=steps), Node("_FusedConv2D", inside, 4)) == ("unknown", "fused")


def test_a_bias_that_is_added_after_the_convolution_is_separate() -> None:
    asked = BASE._replace(steps=("plus", "relu"))
    assert conclude(asked, Node("Conv2D", (), 4), Node("AddV2"), Node("Relu")) == ("unknown", "separate")


@pytest.mark.parametrize(
    ("activation", "name"), [("hard_swish", "_FusedHardSwish"), ("sigmoid", "Sigmoid"), ("gelu", "GeluExact")]
)
def test_activations_of_newer_networks_inside_of_a_convolution(activation, name) -> None:
    asked = BASE._replace(steps=("bias", activation))
    assert conclude(asked, Node("_MklNativeFusedConv2D", ("BiasAdd", name))) == ("unknown", "fused")


def test_activations_outside_of_a_convolution_are_listed() -> None:
    nodes = [Node("_FusedConv2D", ("BiasAdd",), 4), *map(Node, ("Sigmoid", "_MklSwish", "Erf", "Erfc", "Tanh"))]
    assert set(from_graphs(nodes, BASE)["ops"]) == {"_FusedConv2D[BiasAdd]", "Sigmoid", "_MklSwish", "Erf", "Erfc"}


def test_the_layout_pass_joins_a_bias_without_fused_ops() -> None:
    asked = BASE._replace(steps=("bias",))
    assert conclude(asked, Node("_MklNativeConv2DWithBias")) == ("unknown", "fused")


def test_fused_only_with_each_other_is_separate() -> None:
    asked = BASE._replace(steps=("bn", "relu"))
    assert conclude(asked, Node("_MklNativeConv2D"), Node("_MklNativeFusedBatchNormEx")) == ("unknown", "separate")


def test_without_an_epilogue_there_is_none_to_fuse() -> None:
    assert conclude(BASE._replace(steps=()), Node("Conv2D"))[1] == "none"


def test_a_convolution_a_group() -> None:
    parts = [Node("_MklNativeConv2D", (), 4)] * 4
    assert conclude(BASE, *parts, Node("BiasAdd"), Node("Relu")) == ("per-group", "separate")


def test_without_groups_one_convolution_is_not_one_a_group() -> None:
    assert conclude(BASE._replace(groups=1), Node("Conv2D", (), 16))[0] == "unknown"


def test_a_filter_over_all_input_channels_is_dense() -> None:
    assert conclude(BASE, Node("_FusedConv2D", ("BiasAdd", "Relu"), 16)) == ("dense-expanded", "fused")


def test_depthwise_operations_know_nothing_else() -> None:
    node = Node("_MklNativeFusedDepthwiseConv2dNative", ("BiasAdd", "Relu"))
    assert conclude(DEPTHWISE, node) == ("depthwise", "fused")


def test_the_pointwise_half_carries_the_epilogue() -> None:
    nodes = [Node("DepthwiseConv2dNative"), Node("_FusedConv2D", ("BiasAdd", "Relu"), 16)]
    assert conclude(DEPTHWISE, *nodes) == ("depthwise", "fused")


@pytest.mark.parametrize("op", ["MatMul", "BatchMatMulV2", "Einsum", "_MklBatchMatMulV2"])
def test_without_convolutions_products_do_it(op) -> None:
    assert conclude(BASE, Node(op), Node("BiasAdd"), Node("Relu")) == ("matmul", "separate")


def test_what_xla_compiles_is_not_judged_by_its_nodes() -> None:
    nodes = [Node("DepthwiseConv2dNative", compiled=True), Node("BiasAdd"), Node("Relu")]
    assert conclude(DEPTHWISE, *nodes) == ("unknown", "separate")


@pytest.mark.parametrize("nodes", [[], [Node("Conv2D", compiled=True)], [Node("Conv2D", elsewhere="XLA_CPU")]])
def test_what_xla_compiles_as_a_whole_shows_no_epilogue(nodes) -> None:
    assert not is_shown(from_graphs(nodes, BASE), BASE)


def test_without_an_epilogue_a_convolution_is_all_there_is_to_show() -> None:
    asked = BASE._replace(steps=())
    assert is_shown(from_graphs([Node("Conv2D", compiled=True)], asked), asked)
    assert not is_shown(from_graphs([], asked), asked)


def test_an_epilogue_outside_of_what_xla_compiles_is_shown() -> None:
    assert is_shown(from_graphs([Node("Conv2D", compiled=True), Node("BiasAdd")], BASE), BASE)


def test_depthwise_operations_on_a_part_of_the_channels_are_depthwise() -> None:
    """MixConv: oneDNN says four groups of four channels, as many as the whole has."""
    told = Primitive("oneDNN", "jit_dw:avx512_core", 4, 4)
    found = from_graphs([Node("_MklNativeDepthwiseConv2dNative")] * 4, BASE, [told] * 4)
    assert found["kernel"] == "depthwise"


def test_only_what_tells_something_is_listed() -> None:
    nodes = [Node("IteratorGetNext"), Node("Conv2D", compiled=True), Node("BiasAdd"), Node("BiasAdd"), Node("Identity")]
    nodes.append(Node("_FusedConv2D", ("BiasAdd", "Relu")))
    ops = from_graphs(nodes, BASE)["ops"]
    assert ops == {"XLA:Conv2D": 1, "BiasAdd": 2, "_FusedConv2D[BiasAdd,Relu]": 1}


@pytest.mark.parametrize(
    ("text", "asked", "kernel", "convolutions"),
    [
        # groups became a dimension of the window, with holes in it
        ("2.4.4-nn-conv2d", BASE, "dense-expanded", {"convolution": 1}),
        ("2.4.4-depthwise", DEPTHWISE, "dense-expanded", {"convolution": 1}),
        ("2.4.4-patches-einsum", BASE, "matmul", {"convolution": 1, "dot": 1}),
        ("2.21.0-nn-conv2d", BASE, "grouped", {"convolution[feature_group_count=4]": 1}),
        ("2.21.0-depthwise-pointwise", DEPTHWISE, "depthwise", {"convolution[feature_group_count=16]": 1, "dot": 1}),
        ("2.21.0-split-concat", BASE, "per-group", {"convolution": 4}),
        ("2.21.0-masked-dense", BASE, "dense-expanded", {"convolution": 1}),
        ("2.21.0-patches-einsum", BASE, "matmul", {"convolution[feature_group_count=16]": 1, "dot": 1}),
        # tf.while_loop over the groups
        ("2.21.0-while-loop", BASE, "loop-inside", {"convolution": 1, "while": 1}),
    ],
)
def test_optimized_hlo(text, asked, kernel, convolutions) -> None:
    fusion = from_hlo(hlo.parse((HLO / f"{text}.txt").read_text(encoding="utf-8")), asked)
    assert (fusion["kernel"], fusion["epilogue"], fusion["source"]) == (kernel, "separate", "optimized_hlo")
    assert convolutions.items() <= fusion["ops"].items()
    assert any("maximum" in op for op in fusion["ops"])


@pytest.mark.parametrize("dtype", ["f32", "f16"])
def test_optimized_hlo_of_a_gpu(dtype) -> None:
    """2.21.0 on an H200: one call of cuDNN with the groups, the bias and the activation inside."""
    fusion = from_hlo(hlo.parse((HLO / f"2.21.0-cuda-bias_relu-{dtype}.txt").read_text(encoding="utf-8")), BASE)
    assert (fusion["kernel"], fusion["epilogue"]) == ("grouped", "fused")
    assert fusion["ops"] == {"custom-call[__cudnn$convBiasActivationForward,feature_group_count=4]": 1}


def test_a_short_text_says_the_same() -> None:
    """As XLA writes it to a file from 2.7 on: operands without shapes and signs."""
    fusion = from_hlo(hlo.parse((HLO / "2.9.3-short.txt").read_text(encoding="utf-8")), BASE)
    assert fusion == {
        "kernel": "grouped",
        "epilogue": "separate",
        "ops": {"convolution[feature_group_count=4]": 1, "fusion[add,maximum]": 1},
        "source": "optimized_hlo",
    }


def test_without_groups_hlo_proves_nothing_about_groups() -> None:
    instructions = hlo.parse((HLO / "2.21.0-masked-dense.txt").read_text(encoding="utf-8"))
    assert from_hlo(instructions, BASE._replace(groups=1))["kernel"] == "unknown"


def test_hlo_with_the_convolution_inside_of_a_fusion() -> None:
    """Made by hand: no XLA that was run here fuses into convolutions."""
    text = """
%fused_computation (p0: f32[2,9,9,16], p1: f32[3,3,4,32]) -> f32[2,9,9,32] {
  %p0 = f32[2,9,9,16]{3,2,1,0} parameter(0)
  %p1 = f32[3,3,4,32]{3,2,1,0} parameter(1)
  %c = f32[2,9,9,32]{3,2,1,0} convolution(%p0, %p1), window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_01io->b01f, feature_group_count=4
  %z = f32[2,9,9,32]{3,2,1,0} constant({...})
  ROOT %m = f32[2,9,9,32]{3,2,1,0} maximum(%c, %z)
}

ENTRY %main (a: f32[2,9,9,16], b: f32[3,3,4,32]) -> f32[2,9,9,32] {
  %a = f32[2,9,9,16]{3,2,1,0} parameter(0)
  %b = f32[3,3,4,32]{3,2,1,0} parameter(1)
  ROOT %f = f32[2,9,9,32]{3,2,1,0} fusion(%a, %b), kind=kOutput, calls=%fused_computation
}
"""  # noqa: E501  a line of HLO is a line
    fusion = from_hlo(hlo.parse(text), BASE)
    assert (fusion["kernel"], fusion["epilogue"]) == ("grouped", "fused")


CUDNN_CALL = """
ENTRY %main (a: f32[2,16,9,9], b: f32[32,4,3,3], c: f32[32]) -> f32[2,32,9,9] {{
  %a = f32[2,16,9,9]{{3,2,1,0}} parameter(0)
  %b = f32[32,4,3,3]{{3,2,1,0}} parameter(1)
  %c = f32[32]{{0}} parameter(2)
  %cudnn-conv = (f32[2,32,9,9]{{3,2,1,0}}, u8[0]{{0}}) custom-call(%a, %b, %c), window={{size=3x3 pad=1_1x1_1}}, dim_labels=bf01_oi01->bf01{groups}, custom_call_target="__cudnn$convBiasActivationForward", backend_config={{"activation_mode":"kRelu"}}
  ROOT %y = f32[2,32,9,9]{{3,2,1,0}} get-tuple-element(%cudnn-conv), index=0
}}
"""  # noqa: E501


@pytest.mark.parametrize(("groups", "kernel"), [(", feature_group_count=4", "grouped"), ("", "custom-fusion")])
def test_a_fused_call_of_cudnn(groups, kernel) -> None:
    """Made by hand after the calls in XLA's own tests: no GPU was here."""
    fusion = from_hlo(hlo.parse(CUDNN_CALL.format(groups=groups)), BASE)
    assert (fusion["kernel"], fusion["epilogue"]) == (kernel, "fused")
    assert fusion["ops"] == {f"custom-call[__cudnn$convBiasActivationForward{groups.replace(' ', '')}]": 1}


def test_what_has_no_kernel_on_the_device_shows_where_it_ran() -> None:
    nodes = [Node("Conv2D", (), 4, elsewhere="CPU"), Node("BiasAdd"), Node("Relu")]
    assert from_graphs(nodes, BASE)["ops"] == {"CPU:Conv2D": 1, "BiasAdd": 1, "Relu": 1}


def test_a_padding_that_onednn_takes_in_hides_no_fusion() -> None:
    node = Node("_MklNativePadWithFusedConv2D", ("BiasAdd", "Relu"), 4)
    found = from_graphs([node], BASE)
    assert (found["epilogue"], found["ops"]) == ("fused", {"_MklNativePadWithFusedConv2D[BiasAdd,Relu]": 1})
