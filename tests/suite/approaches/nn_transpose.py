"""`tf.nn.conv2d_transpose` with the filter [height, width, outputs of a group, inputs]."""

from typing import Any, Dict, List

import tensorflow as tf

from ..cases import Case
from ..runtime import call
from ..tensors import channel_axis, data_format, per_dimension, sizes_of


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    return transpose(x, filters[0], case.cout, case)


def transpose(x: Any, weights: Any, outputs: int, case: Case) -> Any:
    """To this many outputs. With SAME padding the output is larger than the input by the strides."""
    options: Dict[str, Any] = {"dilations": per_dimension(case.dilation, case)} if case.dilation > 1 else {}
    sizes = [size * stride for size, stride in zip(sizes_of(x), per_dimension(case.strides, case))]
    sizes[channel_axis(case)] = outputs
    shape = tf.stack(sizes) if any(hasattr(size, "op") for size in sizes) else sizes
    strides = per_dimension(case.strides, case)
    own = data_format(case)
    return call("nn.conv2d_transpose", x, weights, shape, strides, case.padding, data_format=own, **options)
