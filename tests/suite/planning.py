"""Observations without the device: what a GPU build's own optimizer plans for a virtual one, and which kernels it has.

`python -m suite --planned '{"type": "GPU", "vendor": "NVIDIA", "model": "NVIDIA A100", "architecture": "8.0"}'`
observes the catalog's planned cells. A plan is believed only where the control is planned as it must be.
"""

from typing import Any, Dict, Sequence, Tuple

import tensorflow as tf

from . import epilogue
from .approaches.fused_kernel import FUSED_OPS, OP
from .catalog import Cell
from .evidence import grappler_plan, kernel_registry, rules
from .evidence.partition_graphs import nodes
from .modes.session import fresh_session, placeholders
from .observe import Finding, asked, attempt
from .problem import Problem, pose
from .programs import Program, make_program
from .runtime import V1, Absent
from .tensors import DTYPES, constant, given

# Without groups, and a batch norm follows: for a GPU it is fused in every build that has the fused kernel there, for a
# CPU in every one since 1.14. Without the batch norm the oldest releases do not infer shapes, and fuse for no GPU.
CONTROL = Cell("nn-conv2d", "graph", "fusion", "g1-k3/bias_relu/f32/nhwc")
FOLLOWS = ("bn",)
CPU = {"type": "CPU"}


class Planner:
    """Called with a cell, answers what is observed of it for the virtual device."""

    def __init__(self, device: Dict[str, str]) -> None:
        self.device = device
        try:
            self.kernels = kernel_registry.kernels()
        except ImportError:
            raise Absent("this release does not show its kernel registry")
        self._doubt = None

    def __call__(self, cell: Cell) -> Finding:
        problem = pose(cell.approach, cell.case)
        if cell.approach == "fused-kernel":
            return dict(cell._asdict(), evidence="registered", **self._registered(problem))
        return dict(cell._asdict(), evidence="planned", **self._planned(cell, problem))

    def _planned(self, cell: Cell, problem: Problem) -> Finding:
        fusion, failure = attempt(lambda: _plan(cell.approach, problem, self.device))
        if failure:
            return failure
        if self._doubt is None:  # once a process, and not before it has planned for the device: see _run_control
            self._doubt = self._run_control()
        return {"outcome": "skipped", "reason": self._doubt} if self._doubt else {"outcome": "pass", "fusion": fusion}

    def _run_control(self) -> str:
        """Why no plan of this process is to be believed; "" where there is no doubt.

        A device without the fused kernel has nothing fused by right. There the CPU shows whether Grappler was at work,
        asked last: the first cluster that Grappler sees decides for a process about cuDNN's runtime fusion.
        """
        device = self.device if self._has_kernel("f32") else CPU
        fusion = _plan(CONTROL.approach, pose(CONTROL.approach, CONTROL.case), device, FOLLOWS)
        if fusion["epilogue"] == "fused":
            return ""
        return "not believed: the control, {} for {}, is planned as {}".format(
            CONTROL.case, device["type"], ", ".join(sorted(fusion["ops"]))
        )

    def _registered(self, problem: Problem) -> Finding:
        """The fused node is placed by hand: there is nothing to plan, only the question whether it has a kernel."""
        case = problem.case
        if not self._has_kernel(case.dtype):
            reason = "this build registers no {} kernel of {} for {}".format(self.device["type"], OP, case.dtype)
            return {"outcome": "absent", "reason": reason}
        node = rules.Node(OP, tuple(FUSED_OPS[step] for step in case.steps))
        return {"outcome": "pass", "fusion": dict(rules.from_graphs([node], asked(problem)), source="kernel_registry")}

    def _has_kernel(self, dtype: str) -> bool:
        return DTYPES[dtype].name in self.kernels.get(OP, {}).get(self.device["type"], [])


def without_death(observation: Finding) -> Finding:
    """Where planning itself died, nothing is known of the device's kernels: not a crash of theirs."""
    outcome = observation["outcome"]
    if observation["evidence"] != "executed":
        return observation
    told = " ".join(str(observation[key]) for key in ("signal", "reason") if key in observation)
    cell = {key: observation[key] for key in Cell._fields}
    return dict(cell, evidence="planned", outcome="skipped", reason="planning it ended as {}: {}".format(outcome, told))


def _plan(approach: str, problem: Problem, device: Dict[str, str], follows: Tuple[str, ...] = ()) -> Finding:
    graph, output = (_session_graph if V1 else _function_graph)(approach, problem, follows)
    planned = nodes([grappler_plan.optimize(graph, output, device)], device["type"])
    return dict(rules.from_graphs(planned, asked(problem)), source="grappler_plan")


def _session_graph(approach: str, problem: Problem, follows: Tuple[str, ...]) -> Tuple[Any, str]:
    with fresh_session() as opened:
        inputs, _ = placeholders(problem)
        output = tf.identity(_compute(make_program(approach, problem), inputs, follows))
        return opened.graph.as_graph_def(), output.op.name


def _compute(program: Program, inputs: Sequence[Any], follows: Tuple[str, ...]) -> Any:
    case, parameters = program.problem.case, program.problem.parameters
    held = {name: constant(parameters[name], case) for name in epilogue.weights(follows)}
    return epilogue.apply(program(inputs, program.inside()), follows, case, held)


def _function_graph(approach: str, problem: Problem, follows: Tuple[str, ...]) -> Tuple[Any, str]:
    program = make_program(approach, problem)
    signature = [tf.TensorSpec(one.shape, DTYPES[problem.case.dtype], one.name) for one in given(problem)]
    function = tf.function(
        lambda *inputs: _compute(program, inputs, follows), input_signature=signature, autograph=False
    )
    concrete = function.get_concrete_function()
    graph = concrete.graph.as_graph_def()
    _hold_variables(graph, concrete)
    return graph, concrete.graph.outputs[0].op.name


def _hold_variables(graph: Any, function: Any) -> None:
    """A variable is an argument of its function, with a handle that tells dtype and shape. In a graph without a caller
    the variable itself tells them.
    """
    by_name = {node.name: node for node in graph.node}
    by_handle = {id(variable.handle): variable for variable in function.variables}
    for captured, placeholder in zip(function.captured_inputs, function.graph.internal_captures):
        variable, node = by_handle[id(captured)], by_name[placeholder.op.name]
        node.op = "VarHandleOp"
        node.attr.clear()
        node.attr["dtype"].type = variable.dtype.as_datatype_enum
        node.attr["shape"].shape.CopyFrom(variable.shape.as_proto())
        node.attr["shared_name"].s = node.name.encode()
