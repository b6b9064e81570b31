"""The ResNeXt block of keras-applications: a depthwise convolution makes, of each input channel, as many outputs as its
group has; the sum over the channels of a group is the grouped convolution.
"""

from typing import Any, List

import tensorflow as tf

from ..cases import Case
from ..runtime import V1
from ..tensors import channel_axis, sizes_of
from . import depthwise


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    y = depthwise.convolution(x, filters, case)
    sizes, axis = sizes_of(y), channel_axis(case)
    split = sizes[:axis] + [case.groups, case.cin // case.groups, case.cout // case.groups] + sizes[axis + 1 :]
    y = tf.reshape(y, split)
    y = tf.reduce_sum(y, **{"reduction_indices" if V1 else "axis": axis + 1})
    return tf.reshape(y, sizes[:axis] + [case.cout] + sizes[axis + 1 :])
