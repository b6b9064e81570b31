"""The approaches as TensorFlow code for people to paste."""

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
