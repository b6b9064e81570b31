"""Every approach: its entry in the suite's catalog, and what this project adds to show it to people.

The suite's own code is not shown, for it carries everything that old releases and all cases need. The code here is
short. Scripts made of it are run, and must show what the records say (tests/unit/answers/test_reproduction.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matrix.suite import catalog as suite


@dataclass(frozen=True, kw_only=True)
class Approach:
    """The fields without a default come from the suite, and are explained there.

    `place`: its position, by what people write first, among the approaches that compute the grouped 2-D convolution.
    `common`: one of the few that most programs use; short tables show only these.
    `wasteful`: needs more arithmetic or memory than the convolution itself.
    `program`: whether somebody can write it; a question put to TensorFlow alone is no program.
    `function`, `layers`: the code that people are given; `matrix.answers.snippets` says what it must hold. An approach
    without them has no program. `channels_last`: it knows no other layout.
    """

    summary: str
    since: str
    source: str
    why: str
    form: str
    rank: int
    base: str
    layer: bool
    fed: bool
    modes: tuple[str, ...]
    place: int | None = None
    common: bool = False
    wasteful: bool = False
    program: bool = True
    function: str = ""
    layers: str = ""
    channels_last: bool = False

    @property
    def computes(self) -> str:
        """`grouped-2d`: only approaches that compute the same can replace each other."""
        return f"{REWRITTEN.get(self.form, self.form)}-{self.rank}d"


# Forms that compute the grouped convolution, with filters of another shape.
REWRITTEN = {"depthwise-sum": "grouped", "per-group": "grouped"}

# What this project adds to the suite's entries, by approach.
ADDITIONS: dict[str, dict[str, Any]] = {
    "nn-conv2d": {
        "place": 2,
        "common": True,
        "function": """
            def convolution(x, w, groups, **options):
                # TensorFlow takes the groups from the shapes: channels of x / w.shape[2].
                return tf.nn.conv2d(x, w, **options)
            """,
    },
    "keras-groups": {
        "place": 1,
        "common": True,
        "layers": "tf.keras.layers.Conv2D({cout}, {kernel}, groups={groups}{moves}{kind}{bias})",
    },
    "keras-groups-1d": {
        "layers": "tf.keras.layers.Conv1D({cout}, {kernel}, groups={groups}{moves}{kind}{bias})",
    },
    "keras-groups-3d": {
        "layers": "tf.keras.layers.Conv3D({cout}, {kernel}, groups={groups}{moves}{kind}{bias})",
    },
    "depthwise": {
        "common": True,
        "function": """
            def convolution(x, w, groups, strides, padding, dilations=(1, 1, 1, 1), **options):
                w = tf.reshape(w, [int(n) for n in w.shape[:2]] + [groups, -1])
                options["dilations"] = dilations[SPATIAL]
                return tf.nn.depthwise_conv2d(x, w, strides, padding, **options)
            """,
    },
    "depthwise-pointwise": {
        "layers": "tf.keras.layers.DepthwiseConv2D({kernel}{moves}{kind}, use_bias=False); "
        "tf.keras.layers.Conv2D({cout}, 1{kind}{bias})",
    },
    "separable": {
        "function": """
            def convolution(x, w, pointwise, groups, strides, padding, dilations=(1, 1, 1, 1), **options):
                options["dilations"] = dilations[SPATIAL]
                return tf.nn.separable_conv2d(x, w, pointwise, strides, padding, **options)
            """,
    },
    "slice-loop": {
        "place": 4,
        "function": """
            def convolution(x, w, groups, **options):
                size, outputs = int(x.shape[AXIS]) // groups, int(w.shape[3]) // groups
                parts = []
                for group in range(groups):
                    part = x[..., group * size : (group + 1) * size]
                    part_filter = w[..., group * outputs : (group + 1) * outputs]
                    parts.append(tf.nn.conv2d(part, part_filter, **options))
                return tf.concat(parts, axis=AXIS)
            """,
    },
    "split-concat": {
        "place": 3,
        "common": True,
        "function": """
            def convolution(x, w, groups, **options):
                inputs, filters = tf.split(x, groups, axis=AXIS), tf.split(w, groups, axis=3)
                parts = [tf.nn.conv2d(a, b, **options) for a, b in zip(inputs, filters)]
                return tf.concat(parts, axis=AXIS)
            """,
    },
    "masked-dense": {
        "place": 5,
        "wasteful": True,
        "function": """
            def convolution(x, w, groups, **options):
                block = np.ones((int(w.shape[2]), int(w.shape[3]) // groups))
                mask = tf.cast(np.kron(np.eye(groups), block), w.dtype)
                return tf.nn.conv2d(x, tf.tile(w, [1, 1, groups, 1]) * mask, **options)
            """,
    },
    "patches-einsum": {
        "place": 6,
        "wasteful": True,
        "channels_last": True,
        "function": """
            def convolution(x, w, groups, strides, padding, dilations=(1, 1, 1, 1)):
                kh, kw, size, outputs = [int(n) for n in w.shape]
                patches = tf.image.extract_patches(x, [1, kh, kw, 1], strides, dilations, padding)
                space = [tf.shape(patches)[axis] for axis in range(3)]
                patches = tf.reshape(patches, space + [kh * kw, groups, size])
                w = tf.reshape(w, [kh * kw, size, groups, outputs // groups])
                y = tf.einsum("nhwkgi,kigo->nhwgo", patches, w)
                return tf.reshape(y, space + [outputs])
            """,
    },
    "nn-conv1d": {
        "function": """
            def convolution(x, w, groups, strides, padding, dilations=(1, 1, 1), data_format="NWC"):
                return tf.nn.conv1d(x, w, stride=strides, padding=padding, data_format=data_format, dilations=dilations)
            """,
    },
    "keras-depthwise": {
        "common": True,
        "layers": "tf.keras.layers.DepthwiseConv2D({kernel}{moves}{kind}{bias})",
    },
    "keras-depthwise-1d": {
        "layers": "tf.keras.layers.DepthwiseConv1D({kernel}{moves}{kind}{bias})",
    },
    "keras-separable": {
        "layers": "tf.keras.layers.SeparableConv2D({cout}, {kernel}{moves}{kind}{bias})",
    },
    "depthwise-sum": {
        "place": 7,
        "wasteful": True,
        "channels_last": True,
        "function": """
            def convolution(x, w, groups, strides, padding, dilations=(1, 1, 1, 1), **options):
                kh, kw, size, cout = [int(n) for n in w.shape]
                w = tf.reshape(w, [kh, kw, size, groups, cout // groups])
                w = tf.reshape(tf.transpose(w, [0, 1, 3, 2, 4]), [kh, kw, groups * size, cout // groups])
                y = tf.nn.depthwise_conv2d(x, w, strides, padding, dilations=dilations[SPATIAL], **options)
                space = [tf.shape(y)[axis] for axis in range(3)]
                y = tf.reduce_sum(tf.reshape(y, space + [groups, size, cout // groups]), axis=4)
                return tf.reshape(y, space + [cout])
            """,
    },
    "keras-groups-transpose": {
        "layers": "tf.keras.layers.Conv2DTranspose({cout}, {kernel}, groups={groups}{moves}{kind}{bias})",
    },
    "keras-groups-1d-transpose": {
        "layers": "tf.keras.layers.Conv1DTranspose({cout}, {kernel}, groups={groups}{moves}{kind}{bias})",
    },
    "keras-groups-3d-transpose": {
        "layers": "tf.keras.layers.Conv3DTranspose({cout}, {kernel}, groups={groups}{moves}{kind}{bias})",
    },
    "nn-transpose": {
        "function": """
            def convolution(x, w, groups, strides, padding, **options):
                # With padding="SAME" the output is larger than x by the strides.
                size = [tf.shape(x)[axis] * strides[axis] for axis in range(4)]
                size[AXIS] = int(w.shape[2]) * groups
                return tf.nn.conv2d_transpose(x, w, size, strides, padding, **options)
            """,
    },
    "transpose-split": {
        "function": """
            def convolution(x, w, groups, strides, padding, **options):
                # With padding="SAME" the output is larger than x by the strides.
                size = [tf.shape(x)[axis] * strides[axis] for axis in range(4)]
                size[AXIS] = int(w.shape[2])
                inputs, filters = tf.split(x, groups, axis=AXIS), tf.split(w, groups, axis=3)
                parts = [
                    tf.nn.conv2d_transpose(a, b, size, strides, padding, **options)
                    for a, b in zip(inputs, filters)
                ]
                return tf.concat(parts, axis=AXIS)
            """,
    },
    "keras-per-group": {
        "function": """
            class Conv2DPerGroup(tf.keras.layers.Layer):
                def __init__(self, filters, size, groups, dtype=None, **options):
                    super().__init__(dtype=dtype)
                    options = dict(options, dtype=dtype)
                    self.parts = [
                        tf.keras.layers.Conv2D(filters // groups, size, **options)
                        for _ in range(groups)
                    ]

                def call(self, x):
                    inputs = tf.split(x, len(self.parts), axis=AXIS)
                    outputs = [part(a) for part, a in zip(self.parts, inputs)]
                    return tf.concat(outputs, axis=AXIS)
            """,
        "layers": "Conv2DPerGroup({cout}, {kernel}, groups={groups}{moves}{kind}{bias})",
    },
    "per-sample": {
        "channels_last": True,
        "function": """
            def convolution(x, w, groups, **options):
                # Each sample has its filter: it becomes a group of channels.
                samples, kh, kw, size, outputs = [int(n) for n in w.shape]
                w = tf.transpose(w, [1, 2, 3, 0, 4])
                w = tf.reshape(w, [kh, kw, size, samples * outputs])
                x = tf.transpose(x, [1, 2, 0, 3])
                space = [tf.shape(x)[axis] for axis in (0, 1)]
                x = tf.reshape(x, [1] + space + [samples * size])
                y = tf.nn.conv2d(x, w, **options)
                space = [tf.shape(y)[axis] for axis in (1, 2)]
                y = tf.reshape(y, space + [samples, outputs])
                return tf.transpose(y, [2, 0, 1, 3])
            """,
    },
    "per-sample-map": {
        "function": """
            def convolution(x, w, groups, **options):
                # Each sample has its filter: an ordinary convolution of each.
                def convolve(sample):
                    image, weights = sample
                    return tf.nn.conv2d(image[tf.newaxis], weights, **options)[0]

                return tf.vectorized_map(convolve, (x, w))
            """,
    },
    "mixed-kernels": {
        "function": """
            def convolution(x, w, groups, strides, padding, **options):
                inputs = tf.split(x, groups, axis=AXIS)
                parts = [
                    tf.nn.depthwise_conv2d(a, b, strides, padding, **options)
                    for a, b in zip(inputs, w)
                ]
                return tf.concat(parts, axis=AXIS)
            """,
    },
    "fused-kernel": {
        "program": False,
    },
}

# In the suite's order.
APPROACHES: dict[str, Approach] = {
    name: Approach(**entry._asdict(), **ADDITIONS.get(name, {})) for name, entry in suite.APPROACHES.items()
}

# The approach that answers begin with.
PLAINEST = "nn-conv2d"
# The approach that works everywhere: times are compared with it.
SPLIT = "split-concat"
# The approaches that can replace each other, in the order of what people write first.
INTERCHANGEABLE: tuple[str, ...] = tuple(
    sorted((name for name in APPROACHES if APPROACHES[name].place), key=lambda name: APPROACHES[name].place or 0)
)
