"""What may be concluded from evidence: from nodes and HLO to the `fusion` of an observation. No TensorFlow here.

An operation's name is no proof of how it computes. A `Conv2D` with a grouped filter may loop over the groups in its
kernel or compute them in one go, and so may oneDNN's: their kernel is `unknown` here. What a graph does prove is a
convolution a group, an operation that knows nothing but one channel a group, a filter over all input channels, and
that there is no convolution at all.
"""

import collections
import re
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple


class Node(NamedTuple):
    """An operation of a graph that ran; `compiled`: it stands in a function that XLA compiles."""

    op: str
    fused_ops: Tuple[str, ...] = ()
    filter_channels: Optional[int] = None
    compiled: bool = False


DEPTHWISE = re.compile(r"_?(Mkl)?(Native)?_?(Fused)?DepthwiseConv2dNative(WithBias)?$")
CONVOLUTION = re.compile(r"_?(Mkl)?(Native)?_?(Fused|Pad|Quantized)*Conv([23]D)?(WithBias|BackpropInput(V2)?)?$")
PRODUCT = re.compile(r"_?(Mkl)?(Native)?_?(Fused)?(Batch)?(MatMul|Einsum)(V[23])?$")
# what an epilogue's operation computes, by its name in a graph or in `fused_ops`
STEPS = {
    "BiasAdd": "bias",
    "FusedBatchNorm": "bn",
    "Add": "add",
    "AddV2": "add",
    "Relu": "relu",
    "Relu6": "relu6",
    "Elu": "elu",
    "LeakyRelu": "leaky_relu",
}
AROUND = re.compile(r"_?(Mkl)?(Native)?_?({})(V[23]|Ex)?$".format("|".join(STEPS)))


def from_graphs(nodes: Iterable[Node], groups: int, cin: int, steps: Sequence[str]) -> Dict[str, Any]:
    """`steps` is the epilogue asked for; channels and groups are the case's."""
    relevant = [node for node in nodes if _is_kernel(node) or AROUND.match(node.op)]
    kernels = [node for node in relevant if _is_kernel(node)]
    inside = {STEPS[name] for node in kernels for name in node.fused_ops if name in STEPS}
    inside |= {"bias" for node in kernels if node.op.endswith("WithBias")}
    return {
        "kernel": _kernel(kernels, groups, cin),
        "epilogue": _epilogue(inside, steps),
        "ops": dict(collections.Counter(_name(node) for node in relevant)),
        "source": "partition_graphs",
    }


def _is_kernel(node: Node) -> bool:
    return any(pattern.match(node.op) for pattern in (DEPTHWISE, CONVOLUTION, PRODUCT))


def _name(node: Node) -> str:
    fused = "[{}]".format(",".join(node.fused_ops)) if node.fused_ops else ""
    return "XLA:" * node.compiled + node.op + fused


def _kernel(kernels: List[Node], groups: int, cin: int) -> str:
    convolutions = [node for node in kernels if not PRODUCT.match(node.op)]
    if any(node.compiled for node in kernels):
        return "unknown"  # XLA makes its own kernels of these
    if not convolutions:
        return "matmul" if kernels else "unknown"
    if any(DEPTHWISE.match(node.op) for node in convolutions):
        return "depthwise"
    if groups > 1 and len(convolutions) == groups:
        return "per-group"
    if groups > 1 and all(node.filter_channels == cin for node in convolutions):
        return "dense-expanded"
    return "unknown"


def _epilogue(inside: Any, steps: Sequence[str]) -> str:
    if not steps:
        return "none"
    if inside.issuperset(steps):
        return "fused"
    return "partly" if inside.intersection(steps) else "separate"


def from_hlo(text: str, groups: int, cin: int, steps: Sequence[str]) -> Dict[str, Any]:
    return {"kernel": "unknown", "epilogue": "separate", "ops": {}, "source": "optimized_hlo"}
