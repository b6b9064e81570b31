"""Converted to TensorFlow Lite and run by its interpreter, on one thread."""

import os
import sys
from typing import Any

from ..approaches import LAYERS
from ..evidence import Evidence
from ..programs import make_program
from ..reference import Problem
from ..runtime import V1, first_api
from ..tensors import feature_map
from .keras_model import make_model
from .saved_model import module
from .session import fresh_session, initialize, placeholder


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    # until 2.1 the converter is a program of the environment, found as where the environment is activated
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", os.defpath)
    x = feature_map(problem.x, problem.case)
    interpreter = _interpreter(_of_session(approach, problem) if V1 else _converter(approach, problem).convert())
    number = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(number, x.shape)  # a Keras model leaves the batch open
    interpreter.allocate_tensors()
    interpreter.set_tensor(number, x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _converter(approach: str, problem: Problem) -> Any:
    """Layers are converted as a model: of a function around them, 2.16 and later take the variables without values."""
    converter = first_api("lite.TFLiteConverter")
    if approach in LAYERS:
        model, _ = make_model(approach, problem, range(len(problem.filters)))
        return converter.from_keras_model(model)
    held = module(make_program(approach, problem))
    functions = [held.call.get_concrete_function()]
    try:
        return converter.from_concrete_functions(functions, held)
    except TypeError as error:  # until 2.6 the module was not asked for
        if "positional argument" not in str(error):
            raise
        return converter.from_concrete_functions(functions)


def _of_session(approach: str, problem: Problem) -> bytes:
    converter = first_api("lite.TFLiteConverter", "contrib.lite.TFLiteConverter", "contrib.lite.TocoConverter")
    with fresh_session() as session:
        x, _ = placeholder(problem.x, problem)
        program = make_program(approach, problem)
        y = program(x, program.filters())
        initialize(session, program)
        return converter.from_session(session, [x], [y]).convert()


def _interpreter(model: bytes) -> Any:
    interpreter = first_api("lite.Interpreter", "contrib.lite.Interpreter")
    try:
        return interpreter(model_content=model, num_threads=1)
    except TypeError as error:  # one thread was all there was before 2.3
        if "num_threads" not in str(error):
            raise
        return interpreter(model_content=model)
