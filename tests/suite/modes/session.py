"""A graph in a session of TensorFlow 1, run by the executor (graph) or compiled by XLA (jit)."""

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import tensorflow as tf

from ..evidence import Evidence
from ..problem import Problem
from ..programs import Program, make_program
from ..runtime import first_api, session_config, tf1
from ..tensors import dtype, feature_map, given


@contextmanager
def fresh_session() -> Iterator[Any]:
    """A session of its own graph, which Keras, where there is one, uses as well."""
    with tf.Graph().as_default(), tf1.Session(config=session_config()) as session:
        if hasattr(tf, "keras"):
            tf.keras.backend.set_session(session)
        yield session


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    with fresh_session() as session:
        inputs, feed = placeholders(problem)
        program = make_program(approach, problem)
        y = program(inputs, program.inside())
        initialize(session, program)
        return run_recorded(session, y, feed, evidence)


def run_recorded(session: Any, fetch: Any, feed: Any, evidence: Evidence) -> Any:
    metadata = tf1.RunMetadata()
    result = session.run(fetch, feed, tf1.RunOptions(output_partition_graphs=True), metadata)
    evidence.graphs.extend(metadata.partition_graphs)
    return result


def gradient(approach: str, problem: Problem, evidence: Evidence) -> Tuple[Any, List[Any]]:
    with fresh_session() as session:
        inputs, feed = placeholders(problem)
        program = make_program(approach, problem)
        wanted = gradients(program, inputs, _cotangent(problem))
        initialize(session, program)
        return _run(session, wanted, feed)


def jit_forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    compile_ = _xla_compile()
    with fresh_session() as session:
        inputs, feed = placeholders(problem)
        program = make_program(approach, problem)
        (y,) = compile_(lambda *inputs: program(inputs, program.inside()), inputs)
        initialize(session, program)
        return session.run(y, feed)


def jit_gradient(approach: str, problem: Problem, evidence: Evidence) -> Tuple[Any, List[Any]]:
    compile_ = _xla_compile()
    with fresh_session() as session:
        inputs, feed = placeholders(problem)
        program = make_program(approach, problem)
        wanted = compile_(lambda *inputs: gradients(program, inputs, _cotangent(problem)), inputs)
        initialize(session, program)
        return _run(session, wanted, feed)


def placeholders(problem: Problem) -> Tuple[List[Any], Dict[Any, Any]]:
    """The inputs' placeholders, and what is to be fed."""
    own = dtype(problem.case)
    inputs = [(tf1.placeholder(own, one.shape, one.name), one.array) for one in given(problem)]
    return [placeholder for placeholder, _ in inputs], dict(inputs)


def _cotangent(problem: Problem) -> Any:
    return tf.constant(feature_map(problem.cotangent, problem.case))


def initialize(session: Any, program: Program) -> None:
    """Only what is the program's own: Keras initializes the variables of its layers itself."""
    session.run([variable.initializer for variable in program.variables])


def gradients(program: Program, inputs: Sequence[Any], cotangent: Any) -> List[Any]:
    """Of sum(y * cotangent), by the input and by each filter, in the graph of the caller."""
    weights = program.inside()
    y = program(inputs, weights)
    by = [inputs[0]] + program.filters(inputs, weights)
    return tf.gradients([y], by, grad_ys=[tf.cast(cotangent, y.dtype)])


def _run(session: Any, wanted: List[Any], feed: Any) -> Tuple[Any, List[Any]]:
    """A gradient that does not exist is None, which a session does not fetch."""
    values = iter(session.run([tensor for tensor in wanted if tensor is not None], feed))
    dx, *dfilters = [tensor if tensor is None else next(values) for tensor in wanted]
    return dx, dfilters


def _xla_compile() -> Callable[..., Any]:
    """XLA compiles what reads resource variables alone."""
    compile_ = first_api("xla.experimental.compile", "contrib.compiler.xla.compile")
    tf1.get_variable_scope().set_use_resource(True)
    return compile_
