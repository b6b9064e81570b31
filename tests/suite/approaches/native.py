"""Approaches that are one call of TensorFlow's."""

from typing import Any, Dict, List

from ..catalog import Case
from ..runtime import V1, call
from ..tensors import data_format


def conv2d(x: Any, filters: List[Any], case: Case) -> Any:
    """`tf.nn.conv2d` takes the number of groups from the shapes: the input's channels over the filter's."""
    options: Dict[str, Any] = {}
    if case.dilation > 1:
        options["dilations"] = spatial(case, case.dilation)
    return call(
        "nn.conv2d", x, filters[0], spatial(case, case.stride), case.padding, data_format=data_format(case), **options
    )


def depthwise(x: Any, filters: List[Any], case: Case) -> Any:
    options = _depthwise_options(case)
    return call("nn.depthwise_conv2d", x, filters[0], spatial(case, case.stride), case.padding, **options)


def separable(x: Any, filters: List[Any], case: Case) -> Any:
    options = _depthwise_options(case)
    return call("nn.separable_conv2d", x, *filters, spatial(case, case.stride), case.padding, **options)


def spatial(case: Case, value: int) -> List[int]:
    """Strides or dilations over all four dimensions."""
    return [1, 1, value, value] if case.layout == "nchw" else [1, value, value, 1]


def _depthwise_options(case: Case) -> Dict[str, Any]:
    """Only what is not the default: 1.0 knows no data_format here, and 1.x calls the dilations `rate`."""
    options: Dict[str, Any] = {}
    if case.layout == "nchw":
        options["data_format"] = data_format(case)
    if case.dilation > 1:
        options["rate" if V1 else "dilations"] = [case.dilation, case.dilation]
    return options
