"""`tf.keras.layers.DepthwiseConv1D`."""

from typing import List

from ..cases import Case
from . import Part
from .keras_depthwise import depthwise


def parts(case: Case) -> List[Part]:
    return depthwise("DepthwiseConv1D", case, case.kernel[1], case.strides[1])
