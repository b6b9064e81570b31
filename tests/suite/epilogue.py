"""What follows the convolution, written with TensorFlow's own operations: bias, batch norm, addition, activation."""

from typing import Any, Dict, Optional, Sequence, Tuple

import tensorflow as tf

from .cases import Case
from .reference import BN_EPSILON, LEAKY_ALPHA
from .runtime import RELEASE, api, first_api, tf1
from .tensors import data_format

# The weights that a step needs, by their names in the reference's parameters.
WEIGHTS: Dict[str, Tuple[str, ...]] = {
    "bias": ("bias",),
    "plus": ("bias",),
    "bn": ("scale", "offset", "mean", "variance"),
    "bn_training": ("scale", "offset"),
}


def weights(steps: Sequence[str]) -> Tuple[str, ...]:
    return tuple(name for step in steps for name in WEIGHTS.get(step, ()))


def apply(y: Any, steps: Sequence[str], case: Case, held: Dict[str, Any], residual: Optional[Any] = None) -> Any:
    """`held`: the weights of the steps by name; `residual`: what the step `add` adds."""
    for step in steps:
        if step == "bias":
            y = tf.nn.bias_add(y, _cast(held["bias"], y), data_format=data_format(case))
        elif step == "plus":
            y = y + _along_channels(_cast(held["bias"], y), y, case)
        elif step == "add":
            y = tf.add(y, _cast(residual, y))
        elif step == "bn":
            y = _batch_norm(y, case, held)
        elif step == "bn_training":
            values = [_float(held[name]) for name in ("scale", "offset")]
            y = tf1.nn.fused_batch_norm(y, *values, epsilon=BN_EPSILON, data_format=data_format(case))[0]
        else:
            y = activate(step, y)
    return y


def activate(name: str, y: Any) -> Any:
    if name == "hard_swish":  # as keras-applications writes it for MobileNetV3
        return y * tf.nn.relu6(y + 3.0) * (1.0 / 6.0)
    if name == "gelu" and RELEASE < (2, 4):  # as BERT's code writes it
        return y * 0.5 * (1.0 + first_api("math.erf", "erf")(y / 2**0.5))
    if name == "gelu":
        return api("nn.gelu")(y, approximate=False)
    return api("nn." + name)(y, alpha=LEAKY_ALPHA) if name == "leaky_relu" else api("nn." + name)(y)


def _batch_norm(y: Any, case: Case, held: Dict[str, Any]) -> Any:
    """In inference. The fused operation wants two spatial dimensions and not float64, and before 1.12 its gradient was
    that of training (until 1.3) or failed (eagerly). Elsewhere the formula in single operations, as in Keras' layer.
    """
    names = ("scale", "offset", "mean", "variance")
    if len(y.shape) == 4 and case.dtype != "f64" and RELEASE >= (1, 12):
        values = [_float(held[name]) for name in names]
        return tf1.nn.fused_batch_norm(
            y, *values, epsilon=BN_EPSILON, data_format=data_format(case), is_training=False
        )[0]
    scale, offset, mean, variance = [_along_channels(_cast(held[name], y), y, case) for name in names]
    return tf.nn.batch_normalization(y, mean, variance, offset, scale, BN_EPSILON)


def _float(value: Any) -> Any:
    """The fused batch norm takes float32 whatever the input's dtype is."""
    return value if _dtype(value) == tf.float32 else tf.cast(value, tf.float32)


def _cast(value: Any, y: Any) -> Any:
    """To the dtype of the output, which under a policy of mixed precision is another than that of the weights."""
    return value if _dtype(value) == _dtype(y) else tf.cast(value, y.dtype)


def _dtype(value: Any) -> Any:
    """A variable of Keras 3 says it by name, and one of 1.x that it is a reference."""
    return tf.as_dtype(value.dtype).base_dtype


def _along_channels(value: Any, y: Any, case: Case) -> Any:
    if case.layout == "nhwc":
        return value
    return tf.reshape(value, (-1,) + (1,) * (len(y.shape) - 2))
