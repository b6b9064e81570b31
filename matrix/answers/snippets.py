"""The approaches as TensorFlow code for people, and the same computed in plain NumPy."""

from __future__ import annotations

from textwrap import dedent

from matrix.catalog.approaches import APPROACHES, Approach

CONV2D = """
def conv2d(x, w):
    return tf.nn.conv2d(x, w, strides=STRIDES, padding=PADDING, data_format=DATA_FORMAT{dilations})
"""
CONSTANTS = {
    "GROUPS": "4",
    "STRIDES": "[1, 1, 1, 1]",
    "DILATION": "1",
    "PADDING": '"SAME"',
    "DATA_FORMAT": '"NHWC"',
    "CHANNELS": "3",
}
STEPS = {
    "bias": "tf.nn.bias_add(y, tf.constant(bias, y.dtype), data_format=DATA_FORMAT)",
    "add": "y + tf.constant(added, y.dtype)",
    "relu": "tf.nn.relu(y)",
    "relu6": "tf.nn.relu6(y)",
    "elu": "tf.nn.elu(y)",
    "leaky_relu": "tf.nn.leaky_relu(y, alpha=0.2)",
    "bn": "tf.nn.batch_normalization(y, mean, variance, offset, scale, 1e-3)",
}
REFERENCE_STEPS = {
    "bias": "y + bias",
    "add": "y + added",
    "relu": "np.maximum(y, 0)",
    "relu6": "np.clip(y, 0, 6)",
    "elu": "np.where(y > 0, y, np.exp(np.minimum(y, 0)) - 1)",
    "leaky_relu": "np.where(y > 0, y, 0.2 * y)",
    "bn": "(y - mean) / np.sqrt(variance + 1e-3) * scale + offset",
}
REFERENCE = '''
def convolve(x, w, groups, stride, dilation, same):
    """A grouped convolution in float64, channels last, over any number of spatial dimensions."""
    reach = [(size - 1) * dilation + 1 for size in w.shape[:-2]]
    out = [-(-(size if same else size - r + 1) // stride) for size, r in zip(x.shape[1:-1], reach)]
    pads = [max((n - 1) * stride + r - size, 0) if same else 0 for n, r, size in zip(out, reach, x.shape[1:-1])]
    x = np.pad(x, [(0, 0)] + [(pad // 2, pad - pad // 2) for pad in pads] + [(0, 0)], mode="constant")
    y = 0.0
    for tap in np.ndindex(*w.shape[:-2]):
        part = tuple(slice(t * dilation, t * dilation + (n - 1) * stride + 1, stride) for t, n in zip(tap, out))
        seen = x[(slice(None),) + part]
        seen = seen.reshape(seen.shape[:-1] + (groups, -1))
        y = y + np.einsum("...gi,igo->...go", seen, w[tap].reshape(seen.shape[-1], groups, -1))
    return y.reshape(y.shape[:-2] + (-1,))
'''


def snippet(name: str) -> str:
    """The approach as code to paste, f32 and channels last. Raise KeyError where there is none."""
    approach = APPROACHES[name]
    if approach.layers:
        layer = approach.layers.format(cout="filters", kernel=3, bias=True, options=', padding="same"').strip("[]")
        return f"import tensorflow as tf\n\nGROUPS = 4\ny = {layer}(x)"
    if not approach.function:
        raise KeyError(name)
    code = f"{conv2d(approach)}{dedent(approach.function).strip()}"
    imports = ["import numpy as np"] * ("np." in code) + ["import tensorflow as tf", ""]
    constants = [f"{constant} = {value}" for constant, value in CONSTANTS.items() if constant in code]
    return "\n".join([*imports, *constants, "", "", code])


def conv2d(approach: Approach, dilations: str = "") -> str:
    """The definition of `conv2d` that an approach's function calls; empty where it calls none."""
    if any(f"{before}conv2d(" in approach.function for before in (" ", "[", "(")):
        return f"{CONV2D.format(dilations=dilations).strip()}\n\n\n"
    return ""
