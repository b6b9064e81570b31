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
    `function`: TensorFlow code of `convolution(x, w)`.
    `layers`: a list of Keras layers instead, as a format of `cout`, `kernel`, `bias` and `options`. An approach without
    `function` and `layers` has no snippet and no script.
    """

    summary: str
    since: str
    source: str
    why: str
    form: str
    rank: int
    base: str
    layer: bool
    modes: tuple[str, ...]
    place: int | None = None
    common: bool = False
    wasteful: bool = False
    program: bool = True
    function: str = ""
    layers: str = ""

    @property
    def computes(self) -> str:
        """`grouped-2d`: only approaches that compute the same can replace each other."""
        return f"{self.form}-{self.rank}d"


# What this project adds to the suite's entries, by approach.
ADDITIONS: dict[str, dict[str, Any]] = {
    "nn-conv2d": {
        "place": 2,
        "common": True,
        "function": """
            def convolution(x, w):
                return conv2d(x, w)
            """,
    },
    "keras-groups": {
        "place": 1,
        "common": True,
        "layers": "[tf.keras.layers.Conv2D({cout}, {kernel}, groups=GROUPS, use_bias={bias}{options})]",
    },
    "keras-groups-1d": {
        "layers": "[tf.keras.layers.Conv1D({cout}, {kernel}, groups=GROUPS, use_bias={bias}{options})]",
    },
    "keras-groups-3d": {
        "layers": "[tf.keras.layers.Conv3D({cout}, {kernel}, groups=GROUPS, use_bias={bias}{options})]",
    },
    "depthwise": {
        "common": True,
        "function": """
            def convolution(x, w):
                return tf.nn.depthwise_conv2d(x, w, STRIDES, PADDING, data_format=DATA_FORMAT)
            """,
    },
    "depthwise-pointwise": {
        "layers": "[tf.keras.layers.DepthwiseConv2D({kernel}, use_bias=False{options}),\n"
        "          tf.keras.layers.Conv2D({cout}, 1, use_bias={bias})]",
    },
    "separable": {
        "function": """
            def convolution(x, w, pointwise):
                return tf.nn.separable_conv2d(x, w, pointwise, STRIDES, PADDING)
            """,
    },
    "slice-loop": {
        "place": 4,
        "function": """
            def convolution(x, w):
                size, outputs = int(x.shape[CHANNELS]) // GROUPS, int(w.shape[3]) // GROUPS
                parts = []
                for group in range(GROUPS):
                    part = x[..., group * size : (group + 1) * size]
                    parts.append(conv2d(part, w[..., group * outputs : (group + 1) * outputs]))
                return tf.concat(parts, axis=CHANNELS)
            """,
    },
    "split-concat": {
        "place": 3,
        "common": True,
        "function": """
            def convolution(x, w):
                inputs, filters = tf.split(x, GROUPS, axis=CHANNELS), tf.split(w, GROUPS, axis=3)
                return tf.concat([conv2d(one, f) for one, f in zip(inputs, filters)], axis=CHANNELS)
            """,
    },
    "masked-dense": {
        "place": 5,
        "wasteful": True,
        "function": """
            def convolution(x, w):
                size, outputs = int(w.shape[2]), int(w.shape[3]) // GROUPS
                mask = np.kron(np.eye(GROUPS), np.ones((size, outputs)))
                return conv2d(x, tf.tile(w, [1, 1, GROUPS, 1]) * tf.cast(tf.constant(mask), w.dtype))
            """,
    },
    "patches-einsum": {
        "place": 6,
        "wasteful": True,
        "function": """
            def convolution(x, w):
                height, width, size, outputs = [int(n) for n in w.shape]
                extract = tf.image.extract_patches if hasattr(tf.image, "extract_patches") else tf.extract_image_patches
                patches = extract(x, [1, height, width, 1], STRIDES, [1, DILATION, DILATION, 1], PADDING)
                n, h, wide = tf.shape(patches)[0], tf.shape(patches)[1], tf.shape(patches)[2]
                patches = tf.reshape(patches, [n, h, wide, height * width, GROUPS, size])
                w = tf.reshape(w, [height * width, size, GROUPS, outputs // GROUPS])
                return tf.reshape(tf.einsum("nhwkgi,kigo->nhwgo", patches, w), [n, h, wide, outputs])
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
