"""`tf.nn.conv2d` takes the number of groups from the shapes: the input's channels over the filter's."""

from contextlib import contextmanager
from typing import Any, Dict, Iterator, List

from ..cases import Case
from ..runtime import Absent, api, call
from ..tensors import data_format, per_dimension


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    strides, dilations = per_dimension(case.strides, case), per_dimension(case.dilation, case)
    if case.via == "raw_ops.Conv2D":
        own = {"strides": strides, "dilations": dilations, "data_format": data_format(case)}
        return api(case.via)(input=x, filter=filters[0], padding=case.padding, **own)
    if case.via == "nn.convolution":
        own = {"strides": case.strides, "dilations": [case.dilation, case.dilation]}
        return call(case.via, x, filters[0], padding=case.padding, **own)
    if case.via == "keras.ops.conv":
        own = {"strides": case.strides, "dilation_rate": case.dilation, "data_format": "channels_last"}
        return api(case.via)(x, filters[0], padding=case.padding.lower(), **own)
    options: Dict[str, Any] = {"dilations": dilations} if case.dilation > 1 else {}
    with explicit_padding(case):
        return call("nn.conv2d", x, filters[0], strides, padding(case), data_format=data_format(case), **options)


def padding(case: Case) -> Any:
    """As the operations want it: a name, or zeros before and after for each dimension."""
    if case.padding != "EXPLICIT":
        return case.padding
    return [[zeros, zeros] for zeros in per_dimension([(size - 1) // 2 for size in case.kernel], case, other=0)]


@contextmanager
def explicit_padding(case: Case) -> Iterator[None]:
    """Raise Absent where this release takes names alone."""
    try:
        yield
    except TypeError as error:
        if case.padding != "EXPLICIT" or "padding" not in str(error):
            raise
        raise Absent("no numbers for the padding of a convolution")
