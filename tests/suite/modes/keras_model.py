"""A Keras model that holds the approach: forward is `predict`, the gradient is what one SGD step of `fit` changes."""

from contextlib import contextmanager
from typing import Any, Iterator, List, Sequence, Tuple

import numpy as np
import tensorflow as tf

from ..evidence import Evidence
from ..evidence.partition_graphs import recorded
from ..keras_layers import HAS_KERAS
from ..problem import Problem
from ..programs import Held, load, make_program
from ..runtime import V1, Absent
from ..tensors import dtype, feature_map, given
from .session import fresh_session, run_recorded


def forward(approach: str, problem: Problem, evidence: Evidence) -> Any:
    filters = range(len(problem.filters))
    x = inputs(problem)
    if not V1:
        model, _ = make_model(approach, problem, filters)
        with recorded(evidence):
            return model.predict(x, batch_size=len(problem.x), verbose=0)
    with fresh_session() as session:
        model, _ = make_model(approach, problem, filters)
        y = model.predict(x, batch_size=len(problem.x), verbose=0)
        # not every 1.x Keras can be asked what its predict ran: run the model's graph once more
        feed = dict(zip(model.inputs, [one.array for one in given(problem)]))
        run_recorded(session, model.outputs[0], feed, evidence)
        return y


def inputs(problem: Problem) -> Any:
    """What a model is called with: its one input, or a list."""
    arrays = [one.array for one in given(problem)]
    return arrays if len(arrays) > 1 else arrays[0]


def gradient(approach: str, problem: Problem, evidence: Evidence) -> Tuple[Any, List[Any]]:
    """All filters in one step; on 1.x one at a time, as a gradient there may see what the same step has already made
    of another filter (Keras' variables were not resources yet).
    """
    numbers = range(len(problem.filters))
    steps: List[Sequence[int]] = [[number] for number in numbers] if V1 else [numbers]
    return None, [change for trained in steps for change in _change(approach, problem, trained, evidence)]


def _change(approach: str, problem: Problem, trained: Sequence[int], evidence: Evidence) -> List[Any]:
    """Of these filters, in one step of SGD.

    The loss is the mean over the batch of sum(y * cotangent), and the learning rate the batch's size: the weights
    change by the gradient itself, which is larger than the weights are, so that little is lost in the difference.
    """
    with _session():
        model, layers = make_model(approach, problem, trained)
        filters = {number: made for held in layers for number, made in zip(held.filters, held.layer.weights)}
        if V1:
            _train_only([filters[number] for number in trained], layers)
        size, cotangent = len(problem.x), feature_map(problem.cotangent, problem.case)
        model.compile(tf.keras.optimizers.SGD(float(size)), weighted_sum)
        with _recorded(evidence):
            model.fit(inputs(problem), cotangent, batch_size=size, epochs=1, shuffle=False, verbose=0)
        read = tf.keras.backend.get_value if V1 else lambda variable: variable.numpy()
        return [problem.filters[number] - np.asarray(read(filters[number]), np.float64) for number in trained]


def _train_only(chosen: List[Any], layers: List[Held]) -> None:
    """Of the weights of a layer that holds two filters; a layer itself is trained or not."""
    for held in layers:
        if len(held.filters) > 1 and held.layer.trainable_weights:
            weights = held.layer.weights
            held.layer._trainable_weights = [one for one in weights if any(one is other for other in chosen)]
            held.layer._non_trainable_weights = [one for one in weights if not any(one is other for other in chosen)]


@contextmanager
def _recorded(evidence: Evidence) -> Iterator[None]:
    if V1:
        yield
    else:
        with recorded(evidence):
            yield


@contextmanager
def _session() -> Iterator[None]:
    if V1:
        with fresh_session():
            yield
    else:
        yield


def make_model(approach: str, problem: Problem, trained: Sequence[int]) -> Tuple[Any, List[Held]]:
    """The model, and the layers that hold weights. `trained`: the numbers of the filters that an optimizer changes."""
    if not HAS_KERAS:
        raise Absent("no tf.keras")
    own = dtype(problem.case).name
    made = [tf.keras.layers.Input(shape=tuple(one.shape[1:]), dtype=own, name=one.name) for one in given(problem)]
    y, layers = make_program(approach, problem).connect(made, trained)
    load(layers)
    return tf.keras.models.Model(made if len(made) > 1 else made[0], y), layers


def weighted_sum(cotangent: Any, y: Any) -> Any:
    return tf.reduce_sum(tf.cast(cotangent, y.dtype) * y, axis=list(range(1, len(y.shape))))
