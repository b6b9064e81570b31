"""A function as a Keras layer, as people wrap one in a Lambda layer or in a layer of their own."""

from functools import lru_cache
from typing import Any, Callable, Dict, List, Optional, Tuple

import tensorflow as tf

from .cases import Case
from .runtime import Absent, api
from .tensors import layer_dtype, weight

# TensorFlow imports Keras at the first look into it: here, once, and not anew in every forked worker.
HAS_KERAS = hasattr(tf, "keras") and hasattr(tf.keras, "layers")


def function_layer(
    compute: Callable[[Any, List[Any]], Any],
    case: Case,
    weights: Optional[Dict[str, Any]] = None,
    trained: Tuple[str, ...] = (),
) -> Any:
    """A layer that computes `compute(x, weights)`: `weights` are float64 arrays by name, in the layer's own order.

    `trained`: the names of those that an optimizer may change.
    """
    made = {name: weight(name, values, case) for name, values in (weights or {}).items()}
    return _class()(compute, made, trained, dtype=layer_dtype(case))


@lru_cache(maxsize=None)
def _class() -> Any:
    """The class is made on demand: 1.0 has no Keras to inherit from."""
    try:
        do_not_convert = api("autograph.experimental.do_not_convert")
    except Absent:
        do_not_convert = lambda function: function  # noqa: E731

    # the methods have no annotations: Keras looks at their arguments, in 1.4 by a function that refuses annotations
    class FunctionLayer(api("keras.layers.Layer")):
        """A function of input and weights."""

        def __init__(self, compute, values, trained, **options):
            super().__init__(**options)
            self.compute, self.values, self.trained = do_not_convert(compute), values, trained

        def build(self, input_shape):
            self.held = [
                self.add_weight(
                    name=name,
                    shape=values.shape,
                    dtype=tf.as_dtype(values.dtype).name,
                    initializer=tf.zeros_initializer(),
                    trainable=name in self.trained,
                )
                for name, values in self.values.items()
            ]
            super().build(input_shape)

        def call(self, x):
            return self.compute(x, self.held)

    return FunctionLayer
