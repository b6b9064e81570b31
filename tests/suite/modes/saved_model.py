"""Saved, loaded again from disk and called: what export keeps of a program."""

import tempfile
from typing import Any

import tensorflow as tf

from ..evidence import Evidence
from ..evidence.partition_graphs import recorded
from ..problem import Problem
from ..programs import Program, make_program
from ..runtime import V1, tf1
from . import eager
from .function import forward_function
from .session import fresh_session, initialize, placeholders, run_recorded

TAG = "serve"


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        # a builder makes its own folder
        return (_through_session if V1 else _through_module)(approach, problem, evidence, folder + "/model")


def _through_module(approach: str, problem: Problem, evidence: Evidence, folder: str) -> Any:
    tf.saved_model.save(module(make_program(approach, problem)), folder)
    loaded = tf.saved_model.load(folder)
    inputs = eager.tensors(problem)
    with recorded(evidence):
        return loaded.call(*inputs).numpy()


def module(program: Program) -> Any:
    """The program as `call` of a module that holds its variables."""
    held = tf.Module()
    held.held = program.variables + [part.layer for part in getattr(program, "parts", [])]
    held.call, _ = forward_function(program, program.problem)
    return held


def _through_session(approach: str, problem: Problem, evidence: Evidence, folder: str) -> Any:
    with fresh_session() as session:
        inputs, feed = placeholders(problem)
        program = make_program(approach, problem)
        y = tf.identity(program(inputs, program.inside()))
        initialize(session, program)
        builder = tf1.saved_model.builder.SavedModelBuilder(folder)
        builder.add_meta_graph_and_variables(session, [TAG])
        builder.save()
        fetched, fed = y.name, {placeholder.name: values for placeholder, values in feed.items()}
    with fresh_session() as session:
        tf1.saved_model.loader.load(session, [TAG], folder)
        return run_recorded(session, fetched, fed, evidence)
