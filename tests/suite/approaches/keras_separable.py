"""`tf.keras.layers.SeparableConv2D`: both filters in one layer."""

from typing import List

from ..cases import Case
from ..runtime import api
from . import Part
from .keras_groups import movement


def parts(case: Case) -> List[Part]:
    layer = api("keras.layers.SeparableConv2D")
    options = dict(movement(case, case.strides), use_bias="bias" in case.steps, name=case.name)
    return [Part(layer(case.cout, case.kernel, **options), filters=(0, 1), bias=slice(None))]
