"""A Keras model that holds the approach: forward is `predict`, the gradient is what one SGD step of `fit` changes."""

from contextlib import contextmanager
from typing import Any, Iterator, List, Sequence, Tuple

import numpy as np
import tensorflow as tf

from ..evidence import Evidence
from ..evidence.partition_graphs import recorded
from ..programs import HoldingLayer, load, make_program
from ..reference import Problem
from ..runtime import V1, Absent
from ..tensors import DTYPES, feature_map, shape
from .session import fresh_session, run_recorded

# TensorFlow imports Keras at the first look into it: here, once, and not anew in every forked worker
HAS_KERAS = hasattr(tf, "keras") and hasattr(tf.keras, "layers")


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    x, filters = feature_map(problem.x, problem.case), range(len(problem.filters))
    if not V1:
        model, _ = make_model(approach, problem, filters)
        with recorded(evidence):
            return model.predict(x, batch_size=len(x), verbose=0)
    with fresh_session() as session:
        model, _ = make_model(approach, problem, filters)
        y = model.predict(x, batch_size=len(x), verbose=0)
        # not every 1.x Keras can be asked what its predict ran: run the model's graph once more
        run_recorded(session, model.outputs[0], {model.inputs[0]: x}, evidence)
        return y


def gradient(approach: str, problem: Problem) -> Tuple[Any, List[Any]]:
    """All filters in one step; on 1.x one at a time, as a gradient there may see what the same step has already made
    of another filter (Keras' variables were not resources yet).
    """
    numbers = range(len(problem.filters))
    steps = [[number] for number in numbers] if V1 else [numbers]
    return None, [change for trained in steps for change in _change(approach, problem, trained)]


def _change(approach: str, problem: Problem, trained: Sequence[int]) -> List[Any]:
    """Of these filters, in one step of SGD.

    The loss is the mean over the batch of sum(y * cotangent), and the learning rate the batch's size: the weights
    change by the gradient itself, which is larger than the weights are, so that little is lost in the difference.
    """
    with _session():
        model, layers = make_model(approach, problem, trained)
        x, cotangent = [feature_map(values, problem.case) for values in (problem.x, problem.cotangent)]
        model.compile(tf.keras.optimizers.SGD(float(len(x))), _weighted_sum)
        model.fit(x, cotangent, batch_size=len(x), epochs=1, shuffle=False, verbose=0)
        after = {number: values for held in layers for number, values in zip(held.filters, held.layer.get_weights())}
    return [problem.filters[number] - np.asarray(after[number], np.float64) for number in trained]


@contextmanager
def _session() -> Iterator[None]:
    if V1:
        with fresh_session():
            yield
    else:
        yield


def make_model(approach: str, problem: Problem, trained: Sequence[int]) -> Tuple[Any, List[HoldingLayer]]:
    if not HAS_KERAS:
        raise Absent("no tf.keras")
    sizes = tuple(shape(problem.x, problem.case, batch=False))
    inputs = y = tf.keras.layers.Input(shape=sizes, dtype=DTYPES[problem.case.dtype].name)
    layers = make_program(approach, problem).layers(trained)
    for held in layers:
        y = held.layer(y)
    load(layers)
    return tf.keras.models.Model(inputs, y), layers


def _weighted_sum(cotangent: Any, y: Any) -> Any:
    return tf.reduce_sum(cotangent * y, axis=list(range(1, len(y.shape))))
