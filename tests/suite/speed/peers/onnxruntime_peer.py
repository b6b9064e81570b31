"""ONNX Runtime, which infers and does not train: `python -m suite.speed.peers.onnxruntime_peer`.

Its tensors are channels first; filter and bias are constants of the model, as an exported model has them.
"""

import importlib
import sys
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from ..problems import OUTPUT
from .running import run

NAME, MODE, DIRECTIONS = "onnxruntime", "graph", ("forward",)
VARIANTS = ("onnxruntime-conv",)
OPSET, FORMAT = 17, 8  # of operators, and of the file: what every version of the last years reads


def prepare() -> Callable[[int], Any]:
    importlib.import_module("onnxruntime")
    importlib.import_module("onnx")
    calls: Dict[int, Any] = {}

    def multiply(size: int) -> Any:
        if size not in calls:
            matrix = np.random.RandomState(0).uniform(size=(size, size)).astype(np.float32)
            calls[size] = _call([("MatMul", ["x", "w"], "y", {})], {"w": matrix}, matrix)
        return calls[size]()

    return multiply


def make(variant: str, problem: Any, direction: str) -> Tuple[Callable[[], Any], Callable[[Any], Dict[str, Any]]]:
    case = problem.case
    constants = {"w": problem.filters[0].transpose(3, 2, 0, 1), "b": problem.parameters["bias"]}
    options = {"group": case.groups, "kernel_shape": list(case.kernel), "pads": [case.kernel[0] // 2] * 4}
    nodes = [("Conv", ["x", "w", "b"], "z", options), ("Relu", ["z"], "y", {})]
    call = _call(nodes, constants, problem.x.transpose(0, 3, 1, 2))
    return call, lambda binding: {OUTPUT: binding.get_outputs()[0].numpy().transpose(0, 2, 3, 1)}


def _call(nodes: List[Tuple[str, List[str], str, Dict[str, Any]]], constants: Dict[str, Any], x: Any) -> Any:
    """The model of these nodes (operator, inputs, output, attributes) from x to y, its input put in place."""
    onnx, onnxruntime = importlib.import_module("onnx"), importlib.import_module("onnxruntime")
    helper, numpy_helper = importlib.import_module("onnx.helper"), importlib.import_module("onnx.numpy_helper")
    given, made = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in "xy"]
    weights = [numpy_helper.from_array(np.ascontiguousarray(v, np.float32), name) for name, v in constants.items()]
    placed = [helper.make_node(name, inputs, [output], **options) for name, inputs, output, options in nodes]
    graph = helper.make_graph(placed, "layer", [given], [made], weights)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=FORMAT)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input("x", np.ascontiguousarray(x, np.float32))
    binding.bind_output("y")

    def call() -> Any:
        session.run_with_iobinding(binding)
        return binding

    return call


if __name__ == "__main__":
    run(sys.modules[__name__])
