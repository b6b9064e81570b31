"""Keras DepthwiseConv2D, then a 1x1 Conv2D. Only the second layer has a bias: two in a row would say nothing more."""

from typing import List

from ..cases import Case
from ..runtime import api
from . import Part
from .keras_groups import common, movement


def parts(case: Case) -> List[Part]:
    depthwise, pointwise = api("keras.layers.DepthwiseConv2D"), api("keras.layers.Conv2D")
    return [
        Part(depthwise(case.kernel, use_bias=False, name="depthwise", **movement(case, case.strides))),
        Part(
            pointwise(case.cout, 1, use_bias="bias" in case.steps, name="pointwise", **common(case)),
            filters=(1,),
            bias=slice(None),
        ),
    ]
