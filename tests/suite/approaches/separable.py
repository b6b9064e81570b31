"""`tf.nn.separable_conv2d`: depthwise, then 1x1, in one call."""

from typing import Any, List

from ..cases import Case
from ..runtime import call
from ..tensors import per_dimension
from .depthwise import options


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    return call(
        "nn.separable_conv2d",
        x,
        filters[0],
        filters[1],
        per_dimension(case.strides, case),
        case.padding,
        **options(case),
    )
