"""`tf.keras.layers.Conv1DTranspose(groups=...)`."""

from typing import List

from ..cases import Case
from . import Part
from .keras_groups import grouped


def parts(case: Case) -> List[Part]:
    return grouped("Conv1DTranspose", case, case.kernel[1:], case.strides[1])
