"""Operation by operation, as called from Python."""

from typing import Any, List, Tuple

import tensorflow as tf

from ..evidence import Evidence
from ..problem import Problem
from ..programs import Program, make_program
from ..runtime import V1, Absent, first_api
from ..tensors import feature_map, given


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    _demand_eager()
    program = make_program(approach, problem)
    return program(tensors(problem), program.inside()).numpy()


def gradient(approach: str, problem: Problem, evidence: Evidence) -> Tuple[Any, List[Any]]:
    _demand_eager()
    program = make_program(approach, problem)
    cotangent = tf.constant(feature_map(problem.cotangent, problem.case))
    _, gradients = taped(program, tensors(problem), cotangent)
    dx, *dfilters = [value if value is None else value.numpy() for value in gradients]
    return dx, dfilters


def taped(program: Program, inputs: List[Any], cotangent: Any) -> Tuple[Any, List[Any]]:
    """The output, and the gradients of sum(output * cotangent) by the input and by each filter."""
    with first_api("GradientTape", "contrib.eager.GradientTape")() as tape:
        for x in inputs:
            tape.watch(x)
        weights = program.inside()
        if program.problem.case.constant:
            tape.watch(list(weights.values()))
        y = program(inputs, weights)
        by = [inputs[0]] + program.filters(inputs, weights)
    return y, tape.gradient(y, by, output_gradients=[tf.cast(cotangent, y.dtype)])


def tensors(problem: Problem) -> List[Any]:
    return [tf.constant(one.array) for one in given(problem)]


def _demand_eager() -> None:
    if V1 and not hasattr(tf, "enable_eager_execution"):
        raise Absent("no tf.enable_eager_execution")
