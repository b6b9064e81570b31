"""Operation by operation, as called from Python."""

from typing import Any, List, Tuple

import tensorflow as tf

from ..evidence import Evidence
from ..programs import Program, make_program
from ..reference import Problem
from ..runtime import V1, Absent, first_api
from ..tensors import feature_map


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    _demand_eager()
    program = make_program(approach, problem)
    return program(_tensor(problem.x, problem), program.filters()).numpy()


def gradient(approach: str, problem: Problem) -> Tuple[Any, List[Any]]:
    _demand_eager()
    program = make_program(approach, problem)
    gradients = taped_gradients(program, _tensor(problem.x, problem), _tensor(problem.cotangent, problem))
    dx, *dfilters = [value if value is None else value.numpy() for value in gradients]
    return dx, dfilters


def taped_gradients(program: Program, x: Any, cotangent: Any) -> List[Any]:
    """Of sum(y * cotangent), by the input and by each filter."""
    with first_api("GradientTape", "contrib.eager.GradientTape")() as tape:
        tape.watch(x)
        filters = program.filters()
        if not program.holds_variables:
            tape.watch(filters)
        y = program(x, filters)
    return tape.gradient(y, [x] + filters, output_gradients=[cotangent])


def _tensor(values: Any, problem: Problem) -> Any:
    return tf.constant(feature_map(values, problem.case))


def _demand_eager() -> None:
    if V1 and not hasattr(tf, "enable_eager_execution"):
        raise Absent("no tf.enable_eager_execution")
