"""`tf.keras.layers.Conv3DTranspose(groups=...)`."""

from typing import List

from ..cases import Case
from . import Part
from .keras_groups import grouped


def parts(case: Case) -> List[Part]:
    return grouped("Conv3DTranspose", case, case.kernel[:1] + case.kernel, case.strides[:1] + case.strides)
