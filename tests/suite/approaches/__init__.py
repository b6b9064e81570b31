"""Every approach as TensorFlow code, in one of three kinds; the ids are the catalog's.

- `FUNCTIONS`: the convolution as a function of input and filters.
- `WHOLE`: convolution and epilogue in one function, where the epilogue is not a step of its own.
- `LAYERS`: Keras layers in a row, the last of which adds the bias itself where the case has one.
"""

from . import fused_kernel, keras_layers, native, rewritten

FUNCTIONS = {
    "nn-conv2d": native.conv2d,
    "depthwise": native.depthwise,
    "separable": native.separable,
    "slice-loop": rewritten.slice_loop,
    "split-concat": rewritten.split_concat,
    "masked-dense": rewritten.masked_dense,
    "patches-einsum": rewritten.patches_einsum,
}
WHOLE = {"fused-kernel": fused_kernel.fused_conv2d}
LAYERS = {
    "keras-groups": keras_layers.groups_2d,
    "keras-groups-1d": keras_layers.groups_1d,
    "keras-groups-3d": keras_layers.groups_3d,
    "keras-groups-transpose": keras_layers.groups_transpose,
    "depthwise-pointwise": keras_layers.depthwise_pointwise,
}
