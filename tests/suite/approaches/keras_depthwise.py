"""`tf.keras.layers.DepthwiseConv2D`."""

from typing import Any, List

from ..cases import Case
from ..runtime import api
from . import Part
from .keras_groups import movement


def parts(case: Case) -> List[Part]:
    return depthwise("DepthwiseConv2D", case, case.kernel, case.strides)


def depthwise(name: str, case: Case, kernel: Any, strides: Any) -> List[Part]:
    layer = api("keras.layers." + name)
    options = dict(movement(case, strides), use_bias="bias" in case.steps, depth_multiplier=case.cout // case.cin)
    return [Part(layer(kernel, name=case.name, **options), bias=slice(None))]
