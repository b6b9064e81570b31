"""A variant at a point as a call without arguments, which answers when the device is done: `make(point, variant)`.

The programs, and how a mode executes them, are the suite's.
"""

import collections
import tempfile
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Tuple

import numpy as np
import tensorflow as tf

from ..modes import eager, function, keras_model, lite, saved_model
from ..problem import Problem
from ..programs import make_program
from ..runtime import first_api
from ..tensors import channels_last, feature_map
from . import networks
from .layers import NETWORKS, Point
from .problems import FILTER_GRADIENT, INPUT_GRADIENT, OUTPUT, as_grouped, pose, pose_dense, trusted


class Made(NamedTuple):
    """`call()` computes and waits for the device; `answers` makes of what it answered arrays, by what they are."""

    call: Callable[[], Any]
    answers: Callable[[Any], Dict[str, Any]]


def make(point: Point, variant: str) -> Made:
    """Of an approach of the suite, of one with constants as weights (`nn-conv2d-const`), or `dense`. Nothing is traced
    or compiled before the first call.
    """
    if variant.endswith("-const"):
        approach = variant[: -len("-const")]
        problem = pose(point, approach)
        made = _function(approach, problem._replace(case=problem.case._replace(constant=True)))
        return made._replace(call=_waiting(made.call))
    if point.layer in NETWORKS:
        call, answers = networks.make(point, variant)
        return Made(_waiting(call), answers)
    approach, problem = ("nn-conv2d", pose_dense(point)) if variant == "dense" else (variant, pose(point, variant))
    made = _MAKERS[point.mode, point.direction](approach, problem)
    return made._replace(call=_waiting(made.call))


def expected(point: Point) -> Dict[str, Any]:
    """All answers of the layer, by an ordinary convolution executed operation by operation; those of a network in a
    graph, by ordinary convolutions as well.
    """
    if point.layer in NETWORKS:
        made = make(point, "dense")
        return made.answers(made.call())
    made = make(point._replace(mode="eager", direction="train"), "dense")
    return trusted(point, made.answers(made.call()))


def _waiting(call: Callable[[], Any]) -> Callable[[], Any]:
    """On a CPU TensorFlow returns when it has computed (its execution is synchronous unless a program asks otherwise).
    A GPU computes in order: when one element of each result has come back, all before it is done.
    """
    if not first_api("config.list_physical_devices", "config.experimental.list_physical_devices")("GPU"):
        return call

    def wait_too() -> Any:
        answer = call()
        for part in [tf.reshape(value, [-1])[:1] for value in tf.nest.flatten(answer) if tf.is_tensor(value)]:
            part.numpy()
        return answer

    return wait_too


class Input(NamedTuple):
    """Of a point, in its layout, as it is given to a program."""

    array: Any  # to Keras
    tensor: Any  # to all others


_SHARED: Deque[Tuple[Any, Input]] = collections.deque(maxlen=4)  # what is posed and what was made of it, the last ones


def _input(values: Any, problem: Problem) -> Input:
    """The same one for all variants of a point: where it lies in memory decides how well it fits the caches. With one
    for each, the very same program took 20% longer when it was made later (2.21.0, resnext50-56 to train: 4.6 ms in
    place of 3.8); with the same one 0.4% at most.
    """
    for posed, made in _SHARED:
        if posed is values:
            return made
    array = feature_map(values, problem.case)
    _SHARED.append((values, Input(array, tf.constant(array))))
    return _SHARED[-1][1]


def _tensors(values: List[Any], approach: str, problem: Problem) -> Dict[str, Any]:
    """Of [output, input gradient, filter gradients ...], as far as there are."""
    arrays = [None if value is None else value.numpy() for value in values]
    maps = [None if array is None else channels_last(array, problem.case) for array in arrays[:2]]
    answers = dict(zip((OUTPUT, INPUT_GRADIENT), maps))
    if arrays[2:]:
        answers[FILTER_GRADIENT] = as_grouped(approach, arrays[2:], problem.case)
    return answers


def _function(approach: str, problem: Problem, **options: Any) -> Made:
    traced, _ = function.forward_function(make_program(approach, problem), problem, **options)
    x = _input(problem.x, problem).tensor
    return Made(lambda: [traced(x)], lambda values: _tensors(values, approach, problem))


def _training_function(approach: str, problem: Problem, **options: Any) -> Made:
    program = make_program(approach, problem)

    def step(x: Any, cotangent: Any) -> List[Any]:
        weights = program.inside()
        y = program([x], weights)
        return [y] + tf.gradients([y], [x] + program.filters([x], weights), grad_ys=[cotangent])

    traced = tf.function(step, autograph=False, **options)
    inputs = [_input(values, problem).tensor for values in (problem.x, problem.cotangent)]
    return Made(lambda: traced(*inputs), lambda values: _tensors(values, approach, problem))


def _compiled(approach: str, problem: Problem) -> Made:
    return _function(approach, problem, **function.jit_option())


def _training_compiled(approach: str, problem: Problem) -> Made:
    return _training_function(approach, problem, **function.jit_option())


def _eager(approach: str, problem: Problem) -> Made:
    program, x = make_program(approach, problem), _input(problem.x, problem).tensor
    return Made(lambda: [program([x], program.inside())], lambda values: _tensors(values, approach, problem))


def _training_eager(approach: str, problem: Problem) -> Made:
    program = make_program(approach, problem)
    x, cotangent = [_input(values, problem).tensor for values in (problem.x, problem.cotangent)]

    def step() -> List[Any]:
        y, gradients = eager.taped(program, [x], cotangent)
        return [y] + gradients

    return Made(step, lambda values: _tensors(values, approach, problem))


def _predicting(approach: str, problem: Problem) -> Made:
    model, _ = keras_model.make_model(approach, problem, range(len(problem.filters)))
    x = _input(problem.x, problem).array
    return Made(lambda: model.predict_on_batch(x), lambda y: {OUTPUT: channels_last(np.asarray(y), problem.case)})


def _training_model(approach: str, problem: Problem) -> Made:
    """One step of SGD a call. As in the suite's own check, the first changes the filter by its gradient."""
    model, layers = keras_model.make_model(approach, problem, range(len(problem.filters)))
    x, cotangent = [_input(values, problem).array for values in (problem.x, problem.cotangent)]
    model.compile(tf.keras.optimizers.SGD(float(len(x))), keras_model.weighted_sum)

    def answers(_: Any) -> Dict[str, Any]:
        changed = {}
        for held in layers:
            for number, values in zip(held.filters, held.layer.get_weights()):
                changed[number] = problem.filters[number] - np.asarray(values, np.float64)
        return {FILTER_GRADIENT: as_grouped(approach, [changed[number] for number in sorted(changed)], problem.case)}

    return Made(lambda: model.train_on_batch(x, cotangent), answers)


def _loaded(approach: str, problem: Problem) -> Made:
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(saved_model.module(make_program(approach, problem)), folder)
        loaded = tf.saved_model.load(folder)
    x = _input(problem.x, problem).tensor
    return Made(lambda: [loaded.call(x)], lambda values: _tensors(values, approach, problem))


def _converted(approach: str, problem: Problem) -> Made:
    """What is timed is `invoke` alone: the input stays where it was put."""
    interpreter = lite.prepared(lite.converted(approach, problem), problem)
    output = interpreter.get_output_details()[0]["index"]
    return Made(interpreter.invoke, lambda _: {OUTPUT: channels_last(interpreter.get_tensor(output), problem.case)})


_MAKERS = {
    ("eager", "forward"): _eager,
    ("eager", "train"): _training_eager,
    ("graph", "forward"): _function,
    ("graph", "train"): _training_function,
    ("jit", "forward"): _compiled,
    ("jit", "train"): _training_compiled,
    ("keras", "forward"): _predicting,
    ("keras", "train"): _training_model,
    ("savedmodel", "forward"): _loaded,
    ("tflite", "forward"): _converted,
}


def peak_product(size: int) -> Callable[[], Any]:
    """A product of two square matrices, as a call."""
    matrix = tf.constant(np.random.RandomState(0).uniform(size=(size, size)).astype(np.float32))
    product = tf.function(tf.matmul)
    return _waiting(lambda: product(matrix, matrix))
