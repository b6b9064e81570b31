"""What may be concluded from evidence: from nodes and HLO to the `fusion` of an observation. No TensorFlow here.

An operation's name is no proof of how it computes. A `Conv2D` with a grouped filter may loop over the groups in its
kernel or compute them in one go, and so may oneDNN's: their kernel is `unknown` here. What a graph does prove is a
convolution a group, an operation that knows nothing but one channel a group, a filter over all input channels, and
that there is no convolution at all. HLO and oneDNN's own words prove more: a convolution that names its groups there
has kept them.
"""

import collections
import re
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from .hlo import Convolution, Instruction, convolutions, loop_bodies
from .primitive import Primitive


class Asked(NamedTuple):
    """What the case asks for: its groups and input channels, the positions of its filter, the epilogue's steps."""

    groups: int
    cin: int
    taps: int
    steps: Tuple[str, ...]


class Node(NamedTuple):
    """An operation of a graph that ran; `compiled`: it stands in a function that XLA compiles; `elsewhere`: the kind of
    device that it ran on where that is not the run's own, as what has no kernel on a GPU runs on the CPU.
    """

    op: str
    fused_ops: Tuple[str, ...] = ()
    filter_channels: Optional[int] = None
    compiled: bool = False
    elsewhere: str = ""


VENDOR = r"_?(Mkl)?(Native)?_?(Fused)?"
DEPTHWISE = re.compile(VENDOR + r"DepthwiseConv2dNative(WithBias)?$")
CONVOLUTION = re.compile(VENDOR + r"(Pad(With(Fused)?)?)?Conv([23]D)?(WithBias|BackpropInput(V2)?)?$")
PRODUCT = re.compile(VENDOR + r"(Batch)?(MatMul|Einsum)(V[23])?$")
LOGS = {"oneDNN": "onednn_verbose", "cuDNN": "cudnn_log", "MIOpen": "miopen_log"}
# what an epilogue's operation computes, by its name in `fused_ops`
STEPS = {
    "BiasAdd": "bias",
    "FusedBatchNorm": "bn",
    "Add": "add",
    "AddV2": "add",
    "Relu": "relu",
    "Relu6": "relu6",
    "Elu": "elu",
    "LeakyRelu": "leaky_relu",
    "Sigmoid": "sigmoid",
    "GeluExact": "gelu",
    "_FusedHardSwish": "hard_swish",
}
# An activation without an operation of its own is made of some of these, and so is a batch norm.
AROUND = re.compile(
    VENDOR + r"(BiasAdd|BatchNorm|Add|Mul|Relu|Relu6|Elu|LeakyRelu|Sigmoid|Swish|Gelu|Erfc?|HardSwish)(V[23]|Ex)?$"
)


def from_graphs(nodes: Iterable[Node], asked: Asked, primitives: Sequence[Primitive] = ()) -> Dict[str, Any]:
    """By the operations that ran; what oneDNN said of its own `primitives` tells more of how they computed."""
    relevant = [node for node in nodes if _is_kernel(node) or AROUND.match(node.op)]
    kernels = [node for node in relevant if _is_kernel(node)]
    inside = {STEPS[name] for node in kernels for name in node.fused_ops if name in STEPS}
    inside |= {"bias" for node in kernels if node.op.endswith("WithBias")}
    inside |= {"plus"} if "bias" in inside else set()  # the optimizer takes a bias that is added for a BiasAdd
    by_graph, told = _graph_kernel(kernels, asked), _primitive_kernel(primitives, asked)
    names = [_node_name(node) for node in relevant] + _primitive_names(primitives)
    return {
        "kernel": by_graph if told == "unknown" or by_graph == "depthwise" else told,
        "epilogue": _graph_epilogue(inside, asked.steps),
        "ops": dict(collections.Counter(names)),
        "source": LOGS[primitives[0].library] if primitives else "partition_graphs",
    }


def is_shown(fusion: Dict[str, Any], asked: Asked) -> bool:
    """Whether the operations show where the epilogue ran: of what XLA compiles as a whole nothing is seen outside."""
    outside = [name for name in fusion["ops"] if not name.startswith("XLA")]
    return bool(outside) or bool(fusion["ops"] and not asked.steps)


def _is_kernel(node: Node) -> bool:
    return any(pattern.match(node.op) for pattern in (DEPTHWISE, CONVOLUTION, PRODUCT))


def _node_name(node: Node) -> str:
    fused = "[{}]".format(",".join(node.fused_ops)) if node.fused_ops else ""
    return (node.elsewhere + ":" if node.elsewhere else "") + "XLA:" * node.compiled + node.op + fused


def _graph_kernel(kernels: List[Node], asked: Asked) -> str:
    found = [node for node in kernels if not PRODUCT.match(node.op)]
    if any(node.compiled for node in kernels):
        return "unknown"  # XLA makes its own kernels of these
    if not found:
        return "matmul" if kernels else "unknown"
    if any(DEPTHWISE.match(node.op) for node in found):
        return "depthwise"
    if asked.groups > 1 and len(found) == asked.groups:
        return "per-group"
    if asked.groups > 1 and all(node.filter_channels == asked.cin for node in found):
        return "dense-expanded"
    return "unknown"


def _primitive_kernel(found: Sequence[Primitive], asked: Asked) -> str:
    if asked.groups == 1 or not found:
        return "unknown"
    if any(one.groups == asked.groups for one in found):
        return "depthwise" if asked.groups == asked.cin else "grouped"
    if any(one.groups > 1 for one in found):
        return "unknown"
    if len(found) == asked.groups and found[0].library == "oneDNN":  # the others time algorithms by executing them
        return "per-group"
    return "dense-expanded" if all(one.inputs == asked.cin for one in found) else "unknown"


def _primitive_names(primitives: Sequence[Primitive]) -> List[str]:
    """How often cuDNN and MIOpen execute one depends on which algorithms they time: once each tells enough."""
    repeats = all(one.library == "oneDNN" for one in primitives)
    return [_primitive_name(one) for one in (primitives if repeats else dict.fromkeys(primitives))]


def _primitive_name(one: Primitive) -> str:
    groups = ["g{}".format(one.groups)] if one.groups > 1 else []
    return "{}:convolution[{}]".format(one.library, ",".join([one.implementation] + groups + list(one.post_ops)))


def _graph_epilogue(inside: Set[str], steps: Sequence[str]) -> str:
    if not steps:
        return "none"
    if inside.issuperset(steps):
        return "fused"
    return "partly" if inside.intersection(steps) else "separate"


# the arithmetic of epilogues
ELEMENTWISE = frozenset("add multiply subtract divide maximum minimum clamp select exponential-minus-one".split())


def from_hlo(instructions: Sequence[Instruction], asked: Asked) -> Dict[str, Any]:
    return {
        "kernel": _hlo_kernel(convolutions(instructions), any(one.opcode == "dot" for one in instructions), asked),
        "epilogue": _hlo_epilogue(instructions, asked.steps),
        "ops": _hlo_operations(instructions),
        "source": "optimized_hlo",
    }


def _hlo_kernel(found: Sequence[Convolution], has_dot: bool, asked: Asked) -> str:
    """A fused call of a library is named as such only where it does not say that it has kept the groups."""
    # XLA takes patches by a convolution with ones and zeros: the products of the case are in the dot that follows
    computing = [one for one in found if not (has_dot and one.outputs == one.taps * one.inputs * one.feature_groups)]
    if not computing:
        return "matmul" if has_dot else "unknown"
    if asked.groups == 1:
        return "unknown"
    if any(one.feature_groups == asked.groups for one in computing):
        return "depthwise" if asked.groups == asked.cin else "grouped"
    # also where the groups became a dimension of the window, with holes: it has as many positions as a dense one
    dense = all(one.feature_groups == 1 and one.taps * one.inputs == asked.taps * asked.cin for one in computing)
    signs = (
        ("loop-inside", any(one.looped for one in computing)),
        ("custom-fusion", any(one.fused for one in computing)),
        ("per-group", len(computing) == asked.groups),
        ("dense-expanded", dense),
    )
    return next((kernel for kernel, shown in signs if shown), "unknown")


def _hlo_epilogue(instructions: Sequence[Instruction], steps: Sequence[str]) -> str:
    """What XLA fuses it puts into one computation: is there arithmetic in those of the products, and elsewhere?"""
    if not steps:
        return "none"
    if any(one.is_fused for one in instructions):
        return _call_epilogue(instructions)
    apart = {instructions[-1].computation} | loop_bodies(instructions)  # these only call what is fused
    fused = {one.computation for one in instructions if one.opcode in ("convolution", "dot")} - apart
    arithmetic = {one.computation for one in instructions if one.opcode in ELEMENTWISE}
    if not arithmetic & fused:
        return "separate"
    return "partly" if arithmetic - fused else "fused"


def _call_epilogue(instructions: Sequence[Instruction]) -> str:
    """A library's fused call takes bias and ReLU in; arithmetic that is left in XLA's own fusions is the rest."""
    left = any(one.opcode in ELEMENTWISE for one in instructions)
    return "partly" if left else "fused"


def _hlo_operations(instructions: Sequence[Instruction]) -> Dict[str, int]:
    """Products wherever they are, calls out of XLA, and arithmetic: by the fusion that holds it, or by itself."""
    arithmetic: Dict[str, Set[str]] = collections.defaultdict(set)
    for one in instructions:
        if one.opcode in ELEMENTWISE:
            arithmetic[one.computation].add(one.opcode)
    names = [_hlo_name(one, arithmetic, one.computation == instructions[-1].computation) for one in instructions]
    return dict(collections.Counter(name for name in names if name))


def _hlo_name(one: Instruction, arithmetic: Dict[str, Set[str]], in_entry: bool) -> str:
    if one.opcode == "convolution":
        groups = one.attribute(r"feature_group_count=(\d+)")
        return "convolution[feature_group_count={}]".format(groups) if groups else "convolution"
    if one.opcode == "custom-call":
        groups = one.attribute(r"(,? ?feature_group_count=\d+)").replace(" ", "")
        return "custom-call[{}]".format(one.attribute(r'custom_call_target="([^"]*)"') + groups)
    if one.opcode == "fusion":
        held = arithmetic.get(one.attribute(r"calls=%?([\w.-]+)"))
        return "fusion[{}]".format(",".join(sorted(held))) if held else ""
    return one.opcode if one.opcode in ("dot", "while") or (in_entry and one.opcode in ELEMENTWISE) else ""
