"""What follows the convolution, written with TensorFlow's own operations: bias, batch norm, addition, activation."""

from typing import Any, Dict, Tuple

import tensorflow as tf

from .catalog import Case
from .reference import BN_EPSILON, LEAKY_ALPHA
from .runtime import RELEASE, api, tf1
from .tensors import constant, data_format, feature_map


def apply(y: Any, steps: Tuple[str, ...], case: Case, parameters: Dict[str, Any]) -> Any:
    for step in steps:
        y = _STEPS[step](y, case, parameters) if step in _STEPS else activate(step, y)
    return y


def activate(name: str, y: Any) -> Any:
    function = api("nn." + name)
    return function(y, alpha=LEAKY_ALPHA) if name == "leaky_relu" else function(y)


def _bias(y: Any, case: Case, parameters: Dict[str, Any]) -> Any:
    return tf.nn.bias_add(y, constant(parameters["bias"], case), data_format=data_format(case))


def _add(y: Any, case: Case, parameters: Dict[str, Any]) -> Any:
    return tf.add(y, tf.constant(feature_map(parameters["add"], case)))


def _batch_norm(y: Any, case: Case, parameters: Dict[str, Any]) -> Any:
    """In inference. The fused operation wants two spatial dimensions and not float64, and before 1.12 its gradient was
    that of training (until 1.3) or failed (eagerly). Elsewhere the formula in single operations, as in Keras' layer.
    """
    values = [parameters[name] for name in ("scale", "offset", "mean", "variance")]
    rank = parameters["add"].ndim - 2
    if rank == 2 and case.dtype != "f64" and RELEASE >= (1, 12):
        vectors = [tf.constant(value.astype("float32")) for value in values]
        return tf1.nn.fused_batch_norm(
            y, *vectors, epsilon=BN_EPSILON, data_format=data_format(case), is_training=False
        )[0]
    shape = (-1,) + (1,) * rank if case.layout == "nchw" else (-1,)
    scale, offset, mean, variance = [constant(value.reshape(shape), case) for value in values]
    return tf.nn.batch_normalization(y, mean, variance, offset, scale, BN_EPSILON)


def _batch_norm_in_training(y: Any, case: Case, parameters: Dict[str, Any]) -> Any:
    """By mean and variance of the batch."""
    scale, offset = [constant(parameters[name], case) for name in ("scale", "offset")]
    return tf1.nn.fused_batch_norm(y, scale, offset, epsilon=BN_EPSILON, data_format=data_format(case))[0]


_STEPS = {"bias": _bias, "add": _add, "bn": _batch_norm, "bn_training": _batch_norm_in_training}
