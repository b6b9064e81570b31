"""The grouped convolution rewritten in operations that know no groups."""

from typing import Any, List

import numpy as np
import tensorflow as tf

from ..catalog import Case
from ..runtime import first_api
from ..tensors import channel_axis, constant
from .native import conv2d


def slice_loop(x: Any, filters: List[Any], case: Case) -> Any:
    """The seed's second example, with one filter sliced by output channel where the seed draws one a group."""
    channels, outputs = case.cin // case.groups, case.cout // case.groups
    parts = []
    for group in range(case.groups):
        inputs = slice(group * channels, (group + 1) * channels)
        part = x[:, inputs] if case.layout == "nchw" else x[..., inputs]
        part_filter = filters[0][..., group * outputs : (group + 1) * outputs]
        parts.append(conv2d(part, [part_filter], case))
    return tf.concat(parts, channel_axis(case))


def split_concat(x: Any, filters: List[Any], case: Case) -> Any:
    """The seed's third example, mended: the seed splits a dense filter along its input channels, which makes every
    group compute all outputs and the result `groups` times too wide. A grouped filter is split along its outputs.
    """
    inputs = tf.split(x, case.groups, channel_axis(case))
    part_filters = tf.split(filters[0], case.groups, 3)
    parts = [conv2d(part, [part_filter], case) for part, part_filter in zip(inputs, part_filters)]
    return tf.concat(parts, channel_axis(case))


def masked_dense(x: Any, filters: List[Any], case: Case) -> Any:
    """The filter repeated over all input channels, times a block-diagonal mask."""
    blocks = np.ones((case.cin // case.groups, case.cout // case.groups))
    mask = np.kron(np.eye(case.groups), blocks)
    dense = tf.tile(filters[0], [1, 1, case.groups, 1]) * constant(mask, case)
    return conv2d(x, [dense], case)


def patches_einsum(x: Any, filters: List[Any], case: Case) -> Any:
    """Patches hold the channels within each tap. `extract_patches` knows channels last only."""
    if case.layout == "nchw":
        x = tf.transpose(x, [0, 2, 3, 1])
    extract_patches = first_api("image.extract_patches", "extract_image_patches")
    (height, width), taps = case.kernel, case.kernel[0] * case.kernel[1]
    square = [[1, size, size, 1] for size in (case.stride, case.dilation)]
    patches = extract_patches(x, [1, height, width, 1], square[0], square[1], case.padding)
    sizes = _sizes(patches)[:3]
    patches = tf.reshape(patches, sizes + [taps, case.groups, case.cin // case.groups])
    weights = tf.reshape(filters[0], [taps, case.cin // case.groups, case.groups, case.cout // case.groups])
    y = tf.reshape(tf.einsum("nhwkgi,kigo->nhwgo", patches, weights), sizes + [case.cout])
    return tf.transpose(y, [0, 3, 1, 2]) if case.layout == "nchw" else y


def _sizes(x: Any) -> List[Any]:
    """Each size as a number where the program knows it, else as a tensor."""
    return [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape.as_list())]
