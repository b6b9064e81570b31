"""Patches hold the channels within each tap. `extract_patches` knows channels last only."""

from typing import Any, List

import tensorflow as tf

from ..cases import Case
from ..runtime import first_api
from ..tensors import sizes_of


def convolution(x: Any, filters: List[Any], case: Case) -> Any:
    if case.layout == "nchw":
        x = tf.transpose(x, [0, 2, 3, 1])
    extract_patches = first_api("image.extract_patches", "extract_image_patches")
    (height, width), taps = case.kernel, case.kernel[0] * case.kernel[1]
    strides, rates = [1, *case.strides, 1], [1, case.dilation, case.dilation, 1]
    patches = extract_patches(x, [1, height, width, 1], strides, rates, case.padding)
    sizes = sizes_of(patches)[:3]
    patches = tf.reshape(patches, sizes + [taps, case.groups, case.cin // case.groups])
    weights = tf.reshape(filters[0], [taps, case.cin // case.groups, case.groups, case.cout // case.groups])
    y = tf.reshape(tf.einsum("nhwkgi,kigo->nhwgo", patches, weights), sizes + [case.cout])
    return tf.transpose(y, [0, 3, 1, 2]) if case.layout == "nchw" else y
