"""`tf.keras.layers.Conv2DTranspose(groups=...)`."""

from typing import List

from ..cases import Case
from . import Part
from .keras_groups import grouped


def parts(case: Case) -> List[Part]:
    return grouped("Conv2DTranspose", case, case.kernel, case.strides)
