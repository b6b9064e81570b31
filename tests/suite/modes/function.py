"""A tf.function of TensorFlow 2, run by the executor (graph) or compiled by XLA (jit)."""

from typing import Any, Callable, Dict, List, Tuple

import tensorflow as tf

from ..evidence import Evidence
from ..evidence.partition_graphs import recorded
from ..problem import Problem
from ..programs import Program, make_program
from ..runtime import Absent
from ..tensors import dtype, feature_map, given, shape
from .session import gradients


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    function, inputs = forward_function(make_program(approach, problem), problem)
    with recorded(evidence):
        y = function(*inputs)
    return y.numpy()


def gradient(approach: str, problem: Problem, evidence: Evidence, **options: Any) -> Tuple[Any, List[Any]]:
    function, inputs = gradient_function(make_program(approach, problem), problem, **options)
    with recorded(evidence):
        values = function(*inputs)
    dx, *dfilters = [value if value is None else value.numpy() for value in values]
    return dx, dfilters


def jit_forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    function, inputs = forward_function(make_program(approach, problem), problem, **jit_option())
    y = function(*inputs)
    evidence.compile_hlo = lambda: _optimized_hlo(function, inputs)
    return y.numpy()


def jit_gradient(approach: str, problem: Problem, evidence: Evidence) -> Tuple[Any, List[Any]]:
    return gradient(approach, problem, evidence, **jit_option())


def forward_function(program: Program, problem: Problem, **options: Any) -> Tuple[Any, List[Any]]:
    """The function of the inputs, with the shapes that the case tells it, and the inputs as tensors."""
    return _function(lambda *inputs: program(inputs, program.inside()), problem, [], options)


def gradient_function(program: Program, problem: Problem, **options: Any) -> Tuple[Any, List[Any]]:
    """The same of the gradients; the cotangent is the last input."""
    case = problem.case
    cotangent = feature_map(problem.cotangent, case)
    added = [(tf.TensorSpec(shape(problem.cotangent, case), dtype(case), "cotangent"), cotangent)]
    return _function(lambda *inputs: gradients(program, inputs[:-1], inputs[-1]), problem, added, options)


def _function(
    body: Callable[..., Any], problem: Problem, added: List[Tuple[Any, Any]], options: Dict[str, Any]
) -> Tuple[Any, List[Any]]:
    own = dtype(problem.case)
    specified = [(tf.TensorSpec(one.shape, own, one.name), one.array) for one in given(problem)] + added
    signature = [specification for specification, _ in specified]
    function = tf.function(body, input_signature=signature, autograph=False, **options)
    return function, [tf.constant(values) for _, values in specified]


def jit_option() -> Dict[str, bool]:
    """What 2.5 calls jit_compile was experimental_compile before."""
    for name in ("jit_compile", "experimental_compile"):
        try:
            tf.function(lambda: None, **{name: True})
        except TypeError:
            continue
        return {name: True}
    raise Absent("no option jit_compile of tf.function")


def _optimized_hlo(function: Any, inputs: List[Any]) -> str:
    if not hasattr(function, "experimental_get_compiler_ir"):
        raise Absent("no experimental_get_compiler_ir of tf.function")
    return function.experimental_get_compiler_ir(*inputs)(stage="optimized_hlo")
