"""A convolution a group on a part of the channels. The grouped filter is split along its outputs. (A dense filter that
is split along its inputs, as is sometimes written, makes every group compute all outputs.)
"""

from typing import Any, List

import tensorflow as tf

from ..cases import Case
from ..tensors import channel_axis
from . import nn_conv2d


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    inputs = tf.split(x, case.groups, channel_axis(case))
    part_filters = tf.split(filters[0], case.groups, 3)
    parts = [nn_conv2d.convolution(part, [part_filter], case) for part, part_filter in zip(inputs, part_filters)]
    return tf.concat(parts, channel_axis(case))
