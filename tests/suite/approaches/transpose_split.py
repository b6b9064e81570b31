"""A transposed convolution a group, its filter [height, width, outputs of a group, inputs] split along the inputs."""

from typing import Any, List

import tensorflow as tf

from ..cases import Case
from ..tensors import channel_axis
from .nn_transpose import transpose


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    inputs = tf.split(x, case.groups, channel_axis(case))
    weights = tf.split(filters[0], case.groups, 3)
    parts = [transpose(part, weight, case.cout // case.groups, case) for part, weight in zip(inputs, weights)]
    return tf.concat(parts, channel_axis(case))
