"""The rules on real plans of Grappler's for a virtual A100, in data/plans by the GPU build that made them. Of a node
they keep what the rules see: [operation, fused_ops, input channels of a constant filter, compiled by XLA].
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from suite.catalog import Cell, parse_case
from suite.evidence.rules import Asked, Node, from_graphs

PLANS = Path(__file__).parents[1] / "data" / "plans"
BASE = "g4-k3/bias_relu/f32/nhwc"


def conclude(release: str, approach: str, case_id: str) -> tuple[str, str]:
    plans = json.loads((PLANS / f"{release}.json").read_text(encoding="utf-8"))
    case = parse_case(case_id)
    nodes = [
        Node(op, tuple(fused_ops), channels, compiled)
        for op, fused_ops, channels, compiled in plans[Cell(approach, "graph", "fusion", case_id).id]
    ]
    taps = case.kernel[0] * case.kernel[1]
    fusion = from_graphs(nodes, Asked(case.groups, case.cin, taps, case.steps))
    return fusion["kernel"], fusion["epilogue"]


@pytest.mark.parametrize("release", ["2.12.1", "2.21.0"])
@pytest.mark.parametrize(
    ("approach", "case", "concluded"),
    [
        ("nn-conv2d", BASE, ("unknown", "fused")),
        ("nn-conv2d", "g4-k1/bias_relu/f32/nhwc", ("unknown", "separate")),
        ("nn-conv2d", "g4-k3/bn_relu/f32/nhwc", ("unknown", "separate")),  # bn and relu with each other only
        ("nn-conv2d", "g4-k3/bias_relu6/f16/nhwc", ("unknown", "separate")),
        ("masked-dense", BASE, ("dense-expanded", "fused")),
        ("split-concat", BASE, ("per-group", "separate")),
        ("depthwise", "g16-k3-cm1/bias_relu/f32/nhwc", ("depthwise", "separate")),
        ("keras-groups", BASE, ("unknown", "separate")),  # its convolution is left to XLA
    ],
)
def test_what_a_gpu_build_plans(release, approach, case, concluded):
    assert conclude(release, approach, case) == concluded


def test_the_oldest_fuses_for_no_gpu():
    assert conclude("1.15.5", "nn-conv2d", BASE) == ("unknown", "separate")


def test_half_precision_is_left_alone_where_onednn_is_on_and_cannot_take_it():
    """The plan of 2.21.0 for a GPU was made on a processor without AVX512_FP16, oneDNN on as by default."""
    case = "g4-k3/bias_relu/f16/nhwc"
    assert conclude("2.12.1", "nn-conv2d", case)[1] == "fused"
    assert conclude("2.21.0", "nn-conv2d", case)[1] == "separate"
