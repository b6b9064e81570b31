"""A graph in a session of TensorFlow 1, run by the executor (graph) or compiled by XLA (jit)."""

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, Tuple

import tensorflow as tf

from ..evidence import Evidence
from ..programs import make_program
from ..reference import Problem
from ..runtime import first_api, session_config, tf1
from ..tensors import DTYPES, feature_map, shape


@contextmanager
def fresh_session() -> Iterator[Any]:
    """A session of its own graph, which Keras, where there is one, uses as well."""
    with tf.Graph().as_default(), tf1.Session(config=session_config()) as session:
        if hasattr(tf, "keras"):
            tf.keras.backend.set_session(session)
        yield session


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    with fresh_session() as session:
        x, feed = _placeholder(problem.x, problem)
        program = make_program(approach, problem)
        y = program(x, program.filters())
        _initialize(session, program)
        options = tf1.RunOptions(output_partition_graphs=True)
        metadata = tf1.RunMetadata()
        result = session.run(y, {x: feed}, options, metadata)
        evidence.graphs.extend(metadata.partition_graphs)
    return result


def gradient(approach: str, problem: Problem) -> Tuple[Any, List[Any]]:
    with fresh_session() as session:
        x, feed = _placeholder(problem.x, problem)
        program = make_program(approach, problem)
        gradients = _gradients(program, x, problem)
        _initialize(session, program)
        return _run(session, gradients, {x: feed})


def jit_forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    compile_ = _xla_compile()
    with fresh_session() as session:
        x, feed = _placeholder(problem.x, problem)
        program = make_program(approach, problem)
        (y,) = compile_(lambda x: program(x, program.filters()), [x])
        _initialize(session, program)
        return session.run(y, {x: feed})


def jit_gradient(approach: str, problem: Problem) -> Tuple[Any, List[Any]]:
    compile_ = _xla_compile()
    with fresh_session() as session:
        x, feed = _placeholder(problem.x, problem)
        program = make_program(approach, problem)
        gradients = compile_(lambda x: _gradients(program, x, problem), [x])
        _initialize(session, program)
        return _run(session, gradients, {x: feed})


def _placeholder(values: Any, problem: Problem) -> Tuple[Any, Any]:
    return tf1.placeholder(DTYPES[problem.case.dtype], shape(values, problem.case)), feature_map(values, problem.case)


def _initialize(session: Any, program: Any) -> None:
    """Only what is the program's own: Keras initializes the variables of its layers itself."""
    session.run([variable.initializer for variable in program.variables])


def _gradients(program: Any, x: Any, problem: Problem) -> List[Any]:
    filters = program.filters()
    cotangent = tf.constant(feature_map(problem.cotangent, problem.case))
    return tf.gradients(program(x, filters), [x] + filters, grad_ys=cotangent)


def _run(session: Any, gradients: List[Any], feed: Any) -> Tuple[Any, List[Any]]:
    """A gradient that does not exist is None, which a session does not fetch."""
    values = iter(session.run([tensor for tensor in gradients if tensor is not None], feed))
    dx, *dfilters = [tensor if tensor is None else next(values) for tensor in gradients]
    return dx, dfilters


def _xla_compile() -> Callable[..., Any]:
    return first_api("xla.experimental.compile", "contrib.compiler.xla.compile")
