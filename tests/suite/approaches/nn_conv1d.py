"""`tf.nn.conv1d` makes a Conv2D of height 1 of it."""

from typing import Any, Dict, List

from ..cases import Case
from ..runtime import call


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    options: Dict[str, Any] = {"data_format": "NCW"} if case.layout == "nchw" else {}
    if case.dilation > 1:
        options["dilations"] = case.dilation
    return call("nn.conv1d", x, filters[0], case.strides[1], case.padding, **options)
