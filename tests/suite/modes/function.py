"""A tf.function of TensorFlow 2, run by the executor (graph) or compiled by XLA (jit)."""

from typing import Any, Callable, Dict, List, Tuple

import tensorflow as tf

from ..evidence import Evidence
from ..evidence.partition_graphs import recorded
from ..programs import make_program
from ..reference import Problem
from ..runtime import Absent
from ..tensors import DTYPES, feature_map, shape
from .session import gradients


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    program = make_program(approach, problem)
    function, inputs = signature_function(lambda x: program(x, program.filters()), problem, [problem.x])
    with recorded(evidence):
        y = function(*inputs)
    return y.numpy()


def gradient(approach: str, problem: Problem, **options: Any) -> Tuple[Any, List[Any]]:
    program = make_program(approach, problem)
    function, inputs = signature_function(
        lambda x, cotangent: gradients(program, x, cotangent), problem, [problem.x, problem.cotangent], **options
    )
    dx, *dfilters = [value if value is None else value.numpy() for value in function(*inputs)]
    return dx, dfilters


def jit_forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    program = make_program(approach, problem)
    function, inputs = signature_function(
        lambda x: program(x, program.filters()), problem, [problem.x], **_jit_option()
    )
    y = function(*inputs)
    evidence.optimized_hlo = lambda: _optimized_hlo(function, inputs)
    return y.numpy()


def jit_gradient(approach: str, problem: Problem) -> Tuple[Any, List[Any]]:
    return gradient(approach, problem, **_jit_option())


def signature_function(
    body: Callable[..., Any], problem: Problem, inputs: List[Any], **options: Any
) -> Tuple[Any, List[Any]]:
    """The function of feature maps, with the shapes that the case tells it, and the maps as tensors."""
    dtype = DTYPES[problem.case.dtype]
    signature = [tf.TensorSpec(shape(values, problem.case), dtype) for values in inputs]
    function = tf.function(body, input_signature=signature, autograph=False, **options)
    return function, [tf.constant(feature_map(values, problem.case)) for values in inputs]


def _jit_option() -> Dict[str, bool]:
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
