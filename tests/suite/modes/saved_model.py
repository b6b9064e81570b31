"""Saved, loaded again from disk and called: what export keeps of a program."""

import tempfile
from typing import Any

import tensorflow as tf

from ..evidence import Evidence
from ..evidence.partition_graphs import recorded
from ..programs import Program, make_program
from ..reference import Problem
from ..runtime import V1, tf1
from ..tensors import feature_map
from .function import signature_function
from .session import fresh_session, initialize, placeholder, run_recorded

TAG = "serve"


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        # a builder makes its own folder
        return (_through_session if V1 else _through_module)(approach, problem, evidence, folder + "/model")


def _through_module(approach: str, problem: Problem, evidence: Evidence, folder: str) -> Any:
    program = make_program(approach, problem)
    tf.saved_model.save(module(program), folder)
    loaded = tf.saved_model.load(folder)
    with recorded(evidence):
        return loaded.call(tf.constant(feature_map(problem.x, problem.case))).numpy()


def module(program: Program) -> Any:
    """The program as `call` of a module that holds its variables."""
    held = tf.Module()
    held.held = program.held
    held.call, _ = signature_function(lambda x: program(x, program.filters()), program.problem, [program.problem.x])
    return held


def _through_session(approach: str, problem: Problem, evidence: Evidence, folder: str) -> Any:
    with fresh_session() as session:
        x, feed = placeholder(problem.x, problem)
        program = make_program(approach, problem)
        y = tf.identity(program(x, program.filters()))
        initialize(session, program)
        builder = tf1.saved_model.builder.SavedModelBuilder(folder)
        builder.add_meta_graph_and_variables(session, [TAG])
        builder.save()
        names = x.name, y.name
    with fresh_session() as session:
        tf1.saved_model.loader.load(session, [TAG], folder)
        return run_recorded(session, names[1], {names[0]: feed}, evidence)
