"""`tf.keras.layers.Conv2D(groups=...)`; the layers of another rank take the same arguments."""

from typing import Any, Dict, List, Tuple

from ..cases import Case
from ..runtime import Absent, api
from ..tensors import layer_dtype
from . import Part


def parts(case: Case) -> List[Part]:
    return grouped("Conv2D", case, case.kernel, case.strides)


def grouped(name: str, case: Case, kernel: Tuple[int, ...], strides: Any) -> List[Part]:
    layer = api("keras.layers." + name)
    options = dict(movement(case, strides), use_bias="bias" in case.steps, name=case.name)
    if case.groups > 1:
        options["groups"] = case.groups
    try:
        return [Part(layer(case.cout, kernel, **options), bias=slice(None))]
    except (TypeError, ValueError) as error:  # the wording changed: "unexpected keyword", "Keyword argument not ..."
        if "groups" not in str(error) or "keyword" not in str(error).lower():
            raise
        raise Absent("no argument groups of tf.keras.layers.{}".format(name))


def movement(case: Case, strides: Any) -> Dict[str, Any]:
    return dict(common(case), strides=strides, padding=case.padding.lower(), dilation_rate=case.dilation)


def common(case: Case) -> Dict[str, Any]:
    options = {"dtype": layer_dtype(case)}
    if case.layout == "nchw":  # not every layer of every release knows the argument
        options["data_format"] = "channels_first"
    return options
