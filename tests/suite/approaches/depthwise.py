"""`tf.nn.depthwise_conv2d`: one channel a group, with the filter [height, width, channels, outputs of a channel]."""

from typing import Any, Dict, List

from ..cases import Case
from ..runtime import V1, call
from ..tensors import data_format, per_dimension
from .nn_conv2d import explicit_padding, padding


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    strides = per_dimension(case.strides, case)
    with explicit_padding(case):
        return call("nn.depthwise_conv2d", x, filters[0], strides, padding(case), **options(case))


def options(case: Case) -> Dict[str, Any]:
    """Only what is not the default: 1.0 knows no data_format here, and 1.x calls the dilations `rate`."""
    found: Dict[str, Any] = {}
    if case.layout == "nchw":
        found["data_format"] = data_format(case)
    if case.dilation > 1:
        found["rate" if V1 else "dilations"] = [case.dilation, case.dilation]
    return found
