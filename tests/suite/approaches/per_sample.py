"""A filter for each sample, [samples, height, width, inputs, outputs], as StyleGAN2's modulated convolution has it: the
batch is folded into the channels, and each sample is a group of one convolution.
"""

from typing import Any, List

import tensorflow as tf

from ..cases import Case
from ..tensors import sizes_of
from . import nn_conv2d


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    samples = case.n
    weights = tf.transpose(filters[0], [1, 2, 3, 0, 4])
    weights = tf.reshape(weights, list(case.kernel) + [case.cin, samples * case.cout])
    if case.layout == "nchw":
        y = nn_conv2d.convolution(tf.reshape(x, [1, samples * case.cin] + sizes_of(x)[2:]), [weights], case)
        return tf.reshape(y, [samples, case.cout] + sizes_of(y)[2:])
    x = tf.transpose(x, [1, 2, 0, 3])
    x = tf.reshape(x, [1] + sizes_of(x)[:2] + [samples * case.cin])
    y = nn_conv2d.convolution(x, [weights], case)
    y = tf.reshape(y, sizes_of(y)[1:3] + [samples, case.cout])
    return tf.transpose(y, [2, 0, 1, 3])
