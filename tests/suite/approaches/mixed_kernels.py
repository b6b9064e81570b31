"""MixConv (Tan and Le 2019): a depthwise convolution for each part of the channels, with kernels of unequal size."""

from typing import Any, List

import tensorflow as tf

from ..cases import Case
from ..tensors import channel_axis
from . import depthwise


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    inputs = tf.split(x, case.groups, channel_axis(case))
    parts = [depthwise.convolution(part, [weights], case) for part, weights in zip(inputs, filters)]
    return tf.concat(parts, channel_axis(case))
