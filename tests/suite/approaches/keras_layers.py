"""Approaches that are Keras layers. Each function answers the layers in a row, the last with the case's bias."""

from typing import Any, Dict, List

from ..catalog import Case
from ..runtime import Absent, api
from ..tensors import DTYPES


def groups_2d(case: Case) -> List[Any]:
    return [_grouped("Conv2D", case, case.kernel)]


def groups_1d(case: Case) -> List[Any]:
    return [_grouped("Conv1D", case, case.kernel[1:])]


def groups_3d(case: Case) -> List[Any]:
    return [_grouped("Conv3D", case, case.kernel[:1] + case.kernel)]


def groups_transpose(case: Case) -> List[Any]:
    return [_grouped("Conv2DTranspose", case, case.kernel)]


def depthwise_pointwise(case: Case) -> List[Any]:
    """The seed's first example. Only the second layer has a bias: two in a row would say nothing more."""
    depthwise, pointwise = api("keras.layers.DepthwiseConv2D"), api("keras.layers.Conv2D")
    return [
        depthwise(case.kernel, use_bias=False, name="depthwise", **_movement(case)),
        pointwise(case.cout, 1, use_bias="bias" in case.steps, name="pointwise", **_common(case)),
    ]


def _grouped(name: str, case: Case, kernel: Any) -> Any:
    layer = api("keras.layers." + name)
    options = _movement(case)
    options.update(use_bias="bias" in case.steps, name="convolution")
    try:
        return layer(case.cout, kernel, groups=case.groups, **options)
    except (TypeError, ValueError) as error:  # the wording changed: "unexpected keyword", "Keyword argument not ..."
        if "groups" not in str(error) or "keyword" not in str(error).lower():
            raise
        raise Absent("no argument groups of tf.keras.layers.{}".format(name))


def _movement(case: Case) -> Dict[str, Any]:
    return dict(_common(case), strides=case.stride, padding=case.padding.lower(), dilation_rate=case.dilation)


def _common(case: Case) -> Dict[str, Any]:
    options = {"dtype": DTYPES[case.dtype].name}
    if case.layout == "nchw":  # not every layer of every release knows the argument
        options["data_format"] = "channels_first"
    return options
