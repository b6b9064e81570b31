"""A convolution a group on slices of the input, with slices of one filter by output channel."""

from typing import Any, List

import tensorflow as tf

from ..cases import Case
from ..tensors import channel_axis
from . import nn_conv2d


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    channels, outputs = case.cin // case.groups, case.cout // case.groups
    parts = []
    for group in range(case.groups):
        inputs = slice(group * channels, (group + 1) * channels)
        part = x[:, inputs] if case.layout == "nchw" else x[..., inputs]
        part_filter = filters[0][..., group * outputs : (group + 1) * outputs]
        parts.append(nn_conv2d.convolution(part, [part_filter], case))
    return tf.concat(parts, channel_axis(case))
