"""The approaches as TensorFlow code for people, and the same computed in plain NumPy.

The suite's own code is not shown: it carries what old releases and all cases need. That both do the same is tested by
running scripts made of this against what the records say (tests/unit/test_answers_scripts.py).
"""

from __future__ import annotations

from textwrap import dedent

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
CONVOLUTIONS = {
    "nn-conv2d": """
        def convolution(x, w):
            return conv2d(x, w)
        """,
    "split-concat": """
        def convolution(x, w):
            inputs, filters = tf.split(x, GROUPS, axis=CHANNELS), tf.split(w, GROUPS, axis=3)
            return tf.concat([conv2d(one, f) for one, f in zip(inputs, filters)], axis=CHANNELS)
        """,
    "slice-loop": """
        def convolution(x, w):
            size, outputs = int(x.shape[CHANNELS]) // GROUPS, int(w.shape[3]) // GROUPS
            parts = []
            for group in range(GROUPS):
                part = x[..., group * size : (group + 1) * size]
                parts.append(conv2d(part, w[..., group * outputs : (group + 1) * outputs]))
            return tf.concat(parts, axis=CHANNELS)
        """,
    "masked-dense": """
        def convolution(x, w):
            size, outputs = int(w.shape[2]), int(w.shape[3]) // GROUPS
            mask = np.kron(np.eye(GROUPS), np.ones((size, outputs)))
            return conv2d(x, tf.tile(w, [1, 1, GROUPS, 1]) * tf.cast(tf.constant(mask), w.dtype))
        """,
    "patches-einsum": """
        def convolution(x, w):
            height, width, size, outputs = [int(n) for n in w.shape]
            extract = tf.image.extract_patches if hasattr(tf.image, "extract_patches") else tf.extract_image_patches
            patches = extract(x, [1, height, width, 1], STRIDES, [1, DILATION, DILATION, 1], PADDING)
            n, h, wide = tf.shape(patches)[0], tf.shape(patches)[1], tf.shape(patches)[2]
            patches = tf.reshape(patches, [n, h, wide, height * width, GROUPS, size])
            w = tf.reshape(w, [height * width, size, GROUPS, outputs // GROUPS])
            return tf.reshape(tf.einsum("nhwkgi,kigo->nhwgo", patches, w), [n, h, wide, outputs])
        """,
    "depthwise": """
        def convolution(x, w):
            return tf.nn.depthwise_conv2d(x, w, STRIDES, PADDING, data_format=DATA_FORMAT)
        """,
    "separable": """
        def convolution(x, w, pointwise):
            return tf.nn.separable_conv2d(x, w, pointwise, STRIDES, PADDING)
        """,
}
LAYERS = {
    "keras-groups": "[tf.keras.layers.Conv2D({cout}, {kernel}, groups=GROUPS, use_bias={bias}{options})]",
    "keras-groups-1d": "[tf.keras.layers.Conv1D({cout}, {kernel}, groups=GROUPS, use_bias={bias}{options})]",
    "keras-groups-3d": "[tf.keras.layers.Conv3D({cout}, {kernel}, groups=GROUPS, use_bias={bias}{options})]",
    "depthwise-pointwise": "[tf.keras.layers.DepthwiseConv2D({kernel}, use_bias=False{options}),\n"
    "          tf.keras.layers.Conv2D({cout}, 1, use_bias={bias})]",
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


def snippet(approach: str) -> str:
    """The approach as code to paste, f32 and channels last."""
    if approach in LAYERS:
        layer = LAYERS[approach].format(cout="filters", kernel=3, bias=True, options=', padding="same"').strip("[]")
        return f"import tensorflow as tf\n\nGROUPS = 4\ny = {layer}(x)"
    code = dedent(CONVOLUTIONS[approach]).strip()
    code = f"{CONV2D.format(dilations='').strip()}\n\n\n{code}" if uses_conv2d(approach) else code
    imports = ["import numpy as np"] * ("np." in code) + ["import tensorflow as tf", ""]
    constants = [f"{name} = {value}" for name, value in CONSTANTS.items() if name in code]
    return "\n".join([*imports, *constants, "", "", code])


def uses_conv2d(approach: str) -> bool:
    return any(f"{before}conv2d(" in CONVOLUTIONS[approach] for before in (" ", "[", "("))
