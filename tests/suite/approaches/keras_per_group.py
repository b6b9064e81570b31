"""A Keras Conv2D a group on slices of the input, each with its own filter, bias and activation; then Concatenate."""

from typing import Any, List

from ..cases import Case
from ..keras_layers import function_layer
from ..runtime import api
from ..tensors import channel_axis
from . import Part
from .keras_groups import movement

# The activations that a layer of every release takes by name.
NAMED = ("relu", "elu", "sigmoid")


def parts(case: Case) -> List[Part]:
    layer, outputs = api("keras.layers.Conv2D"), case.cout // case.groups
    options = dict(movement(case, case.strides), use_bias="bias" in case.steps, activation=activation(case))
    return [
        Part(
            layer(outputs, case.kernel, name="{}_{}".format(case.name, group), **options),
            filters=(group,),
            bias=slice(group * outputs, (group + 1) * outputs),
        )
        for group in range(case.groups)
    ]


def activation(case: Case) -> Any:
    """The activation that follows the bias at once, where a layer can have it by name."""
    return case.steps[1] if len(case.steps) == 2 and case.steps[0] == "bias" and case.steps[1] in NAMED else None


def connect(layers: List[Any], x: Any, case: Case) -> Any:
    axis, channels = channel_axis(case), case.cin // case.groups
    outputs = []
    for group, layer in enumerate(layers):
        inputs = slice(group * channels, (group + 1) * channels)
        take = function_layer(lambda x, _, inputs=inputs: x[:, inputs] if axis == 1 else x[..., inputs], case)
        outputs.append(layer(take(x)))
    return api("keras.layers.Concatenate")(axis=axis)(outputs)
