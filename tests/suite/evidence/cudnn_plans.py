"""What cuDNN logs of the plans that it executes, on standard output: TensorFlow asks it so from cuDNN 8 on.

A call of `cudnnBackendExecute` is logged with its whole plan: the engine, and the graph, an `operation:` each. The
convolution's has its tensors with `dimA: ... val=[n,c,h,w]` and no count of groups: that is the input's channels over
the filter's. What follows it in the graph is inside of the same kernel. No TensorFlow here.
"""

import re
from typing import Dict, Iterator, List, Optional, Tuple

from .primitive import Primitive

VARIABLES: Dict[str, str] = {}  # cudnn_log's
CALL = re.compile(
    r"^I! CuDNN \(v[^)]*\) function cudnnBackendExecute\(\) called:\n((?:i!.*\n)*)",
    re.MULTILINE,
)
PLAN = "executionPlan:"
FAILED = re.compile(r"^i! +status: type=cudnnStatus_t; val=(?!CUDNN_STATUS_SUCCESS)", re.MULTILINE)
OPERATION = re.compile(r"^i! +operation: type=CUDNN_BACKEND_OPERATION_(\w+)_DESCRIPTOR:\n", re.MULTILINE)
SIZES = re.compile(
    r"^i! +(\w+)Desc: type=CUDNN_BACKEND_TENSOR_DESCRIPTOR:\n(?:i!.*\n){2}i! +dimA: .*val=\[([\d,]+)\]", re.MULTILINE
)
MODE = re.compile(r"^i! +mode: type=cudnnPointwiseMode_t; val=CUDNN_POINTWISE_(\w+) ", re.MULTILINE)
# an addition of nothing: the graph has a place for a second input whether or not there is one
NOTHING = re.compile(r"^i! +alpha2: type=double; val=0;", re.MULTILINE)
# the tensor that is read, and the one with all channels of the filter's narrow side; backwards is a transpose's forward
CONVOLUTIONS = {"CONVOLUTION_FORWARD": ("x", "x"), "CONVOLUTION_BACKWARD_DATA": ("dy", "dx")}


def parse(text: str) -> List[Primitive]:
    """Of the calls that succeeded: cuDNN 9 logs a call's status as another call."""
    found: List[Optional[Primitive]] = []
    for call in CALL.finditer(text):
        told = call.group(1)
        if FAILED.search(told):
            found.pop()
        elif PLAN in told:
            found.append(_primitive(list(_operations(told))))
    return [primitive for primitive in found if primitive]


def _operations(plan: str) -> Iterator[Tuple[str, str]]:
    """Name and description of each operation of the graph, in its order."""
    _, *parts = OPERATION.split(plan)
    return zip(parts[::2], parts[1::2])


def _primitive(operations: List[Tuple[str, str]]) -> Optional[Primitive]:
    for name, told in operations:
        if name in CONVOLUTIONS:
            sizes = {tensor: [int(size) for size in val.split(",")] for tensor, val in SIZES.findall(told)}
            read, whole = (sizes[tensor][1] for tensor in CONVOLUTIONS[name])
            post_ops = tuple(mode for step in operations for mode in _post_ops(*step))
            return Primitive("cuDNN", "cudnnBackendExecute", whole // sizes["w"][1], read, post_ops)
    return None


def _post_ops(name: str, told: str) -> List[str]:
    """Besides a bias, which is one number a channel."""
    if name != "POINTWISE" or NOTHING.search(told):
        return []
    added = dict(SIZES.findall(told)).get("b", "").split(",")
    is_bias = len(added) > 2 and set(added[:1] + added[2:]) == {"1"}
    return [] if is_bias else [mode.lower() for mode in MODE.findall(told)]
