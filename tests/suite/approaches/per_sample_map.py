"""A filter for each sample, [samples, height, width, inputs, outputs]: an ordinary convolution, mapped over samples."""

from typing import Any, List

import tensorflow as tf

from ..cases import Case
from ..runtime import api
from . import nn_conv2d


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    def convolve(sample: Any) -> Any:
        image, weights = sample
        return tf.squeeze(nn_conv2d.convolution(tf.expand_dims(image, 0), [weights], case), [0])

    return api("vectorized_map")(convolve, (x, filters[0]))
