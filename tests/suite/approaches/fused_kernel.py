"""`_FusedConv2D` placed by hand, as grappler's remapper would place it. It has no Python wrapper, only a graph node."""

from typing import Any, Dict, List

import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import op_def_registry

from .. import epilogue
from ..cases import Case
from ..reference import BN_EPSILON, LEAKY_ALPHA
from ..runtime import Absent, tf1
from ..tensors import DTYPES, data_format, per_dimension

OP = "_FusedConv2D"
FUSED_OPS = {
    "bias": "BiasAdd",
    "bn": "FusedBatchNorm",
    "add": "Add",
    "relu": "Relu",
    "relu6": "Relu6",
    "elu": "Elu",
    "leaky_relu": "LeakyRelu",
}


def whole(x: Any, filters: List[Any], case: Case, weights: Dict[str, Any], residual: Any) -> Any:
    """The node in a graph of its own, imported into the program's: the public way to an operation without a wrapper."""
    known = {attribute.name for attribute in _definition().attr}
    arguments: List[Any] = []
    for step in case.steps:
        if step == "add":
            arguments.append(residual)
        else:
            arguments += [tf.cast(weights[name], x.dtype) for name in epilogue.WEIGHTS.get(step, ())]
    inputs = [tf.convert_to_tensor(value) for value in [x, filters[0]] + arguments]
    graph = graph_pb2.GraphDef()
    names = ["input_{}".format(index) for index in range(len(inputs))]
    for name in names:
        graph.node.add(name=name, op="Placeholder").attr["dtype"].type = DTYPES[case.dtype].as_datatype_enum
    node = graph.node.add(name=case.name, op=OP, input=names)
    _set_attributes(node, case, len(inputs) - 2, known)
    return tf1.import_graph_def(graph, dict(zip(names, inputs)), ["convolution:0"], name="fused")[0]


def _definition() -> Any:
    """What this build says of the operation: it gained attributes over time."""
    if hasattr(op_def_registry, "get"):
        return op_def_registry.get(OP)
    try:  # until 2.0 operations without a wrapper are in the C++ registry alone
        return tf1.get_default_graph()._get_op_def(OP)
    except (AttributeError, KeyError, tf.errors.NotFoundError):
        raise Absent("no operation {}".format(OP))


def _set_attributes(node: Any, case: Case, arguments: int, known: Any) -> None:
    dtype = DTYPES[case.dtype].as_datatype_enum
    node.attr["T"].type = dtype
    node.attr["num_args"].i = arguments
    node.attr["strides"].list.i.extend(per_dimension(case.strides, case))
    node.attr["dilations"].list.i.extend(per_dimension(case.dilation, case))
    node.attr["padding"].s = case.padding.encode()
    node.attr["data_format"].s = data_format(case).encode()
    node.attr["fused_ops"].list.s.extend(FUSED_OPS[step].encode() for step in case.steps)
    node.attr["epsilon"].f = BN_EPSILON
    if "TArgs" in known:
        node.attr["TArgs"].list.type.extend([dtype] * arguments)
    if "leakyrelu_alpha" in known:
        node.attr["leakyrelu_alpha"].f = LEAKY_ALPHA
