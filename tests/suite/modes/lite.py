"""Converted to TensorFlow Lite and run by its interpreter, on one thread."""

import os
import sys
from typing import Any

from ..catalog import APPROACHES
from ..evidence import Evidence
from ..problem import Problem
from ..programs import make_program
from ..runtime import V1, first_api
from ..tensors import given
from .keras_model import make_model
from .saved_model import module
from .session import fresh_session, initialize, placeholders


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    # until 2.1 the converter is a program of the environment, found as where the environment is activated
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", os.defpath)
    model = _of_session(approach, problem) if V1 else converted(approach, problem)
    interpreter = prepared(model, problem)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def prepared(model: bytes, problem: Problem) -> Any:
    """The interpreter with its inputs set. A Keras model leaves the batch open."""
    made, arrays = interpreter(model), {one.name: one.array for one in given(problem)}
    details = made.get_input_details()
    values = {one["index"]: next((arrays[name] for name in arrays if name in one["name"]), None) for one in details}
    if len(details) == 1:
        values = {details[0]["index"]: arrays["x"]}
    for number, array in values.items():
        made.resize_tensor_input(number, array.shape)
    made.allocate_tensors()
    for number, array in values.items():
        made.set_tensor(number, array)
    return made


def converted(approach: str, problem: Problem) -> bytes:
    """Layers are converted as a model: of a function around them, 2.16 and later take the variables without values."""
    converter = first_api("lite.TFLiteConverter")
    if APPROACHES[approach].layer:
        model, _ = make_model(approach, problem, range(len(problem.filters)))
        return converter.from_keras_model(model).convert()
    held = module(make_program(approach, problem))
    functions = [held.call.get_concrete_function()]
    try:
        return converter.from_concrete_functions(functions, held).convert()
    except TypeError as error:  # until 2.6 the module was not asked for; its variables must live until the conversion
        if "positional argument" not in str(error):
            raise
        return converter.from_concrete_functions(functions).convert()


def _of_session(approach: str, problem: Problem) -> bytes:
    converter = first_api("lite.TFLiteConverter", "contrib.lite.TFLiteConverter", "contrib.lite.TocoConverter")
    with fresh_session() as session:
        inputs, _ = placeholders(problem)
        program = make_program(approach, problem)
        y = program(inputs, program.inside())
        initialize(session, program)
        return converter.from_session(session, inputs, [y]).convert()


def interpreter(model: bytes) -> Any:
    made = first_api("lite.Interpreter", "contrib.lite.Interpreter")
    try:
        return made(model_content=model, num_threads=1)
    except TypeError as error:  # one thread was all there was before 2.3
        if "num_threads" not in str(error):
            raise
        return made(model_content=model)
