"""A block of a published network as a whole program, with an approach in the place of its grouped convolution.

The blocks are those that the suite observes (tests/suite/blocks.py has their steps, docs/method.md says whose they
are), at the same small sizes and written with Keras: `LAYER` in a text stands for the approach.
tests/integration/test_snippet_programs.py runs every program as it is printed, and compares with float64.
"""

from __future__ import annotations

import textwrap
from functools import cache
from typing import TYPE_CHECKING

from packaging.version import Version

from matrix.answers import snippets
from matrix.base.errors import BadUsage
from matrix.catalog.approaches import APPROACHES
from matrix.suite import catalog as suite

if TYPE_CHECKING:
    from matrix.catalog.releases import Profile

# Keras has GELU from 2.4 on, and what else the blocks take since it has groups.
GELU, KERAS = Version("2.4"), snippets.KERAS_GROUPS
TEXTS = {
    "resnext-block": """
        def block(x):
            y = layers.Conv2D(16, 1, use_bias=False)(x)
            y = layers.ReLU()(layers.BatchNormalization()(y))
            y = LAYER(y)
            y = layers.ReLU()(layers.BatchNormalization()(y))
            y = layers.Conv2D(32, 1, use_bias=False)(y)
            y = layers.BatchNormalization()(y)
            shortcut = layers.Conv2D(32, 1, use_bias=False)(x)
            shortcut = layers.BatchNormalization()(shortcut)
            return layers.ReLU()(layers.Add()([y, shortcut]))
        """,
    "mobilenet-block": """
        def block(x):
            y = layers.Conv2D(48, 1, use_bias=False)(x)
            y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
            y = LAYER(y)
            y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
            y = layers.Conv2D(16, 1, use_bias=False)(y)
            return layers.Add()([layers.BatchNormalization()(y), x])
        """,
    "shufflenet-unit": """
        def block(x):
            y = LAYER(x)
            y = layers.ReLU()(layers.BatchNormalization()(y))
            # The shuffle: of 4 groups, first the first channel of each.
            y = layers.Reshape([9, 9, 4, 4])(y)
            y = layers.Reshape([9, 9, 16])(layers.Permute([1, 2, 4, 3])(y))
            y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
            y = layers.BatchNormalization()(y)
            y = LAYER(y)
            y = layers.BatchNormalization()(y)
            return layers.ReLU()(layers.Add()([y, x]))
        """,
    "convnext-block": """
        class Scale(layers.Layer):
            def build(self, shape):
                self.gain = self.add_weight(
                    name="gain", shape=[shape[-1]], initializer="ones")

            def call(self, x):
                return x * self.gain

        def block(x):
            y = LAYER(x)
            y = layers.LayerNormalization()(y)
            y = layers.Dense(64, activation="gelu")(y)
            y = Scale()(layers.Dense(16)(y))
            return layers.Add()([y, x])
        """,
    "mixconv-block": """
        class MixedConvolution(layers.Layer):
            def build(self, shape):
                self.kernels = [
                    self.add_weight(name=f"kernel{k}", shape=[k, k, 12, 1])
                    for k in (3, 5, 7, 9)
                ]

            def call(self, x):
                w = [tf.convert_to_tensor(kernel) for kernel in self.kernels]
                return convolution(x, w, 4, strides=[1, 1, 1, 1], padding="SAME")

        def block(x):
            y = layers.Conv2D(48, 1, use_bias=False)(x)
            y = layers.Activation("swish")(layers.BatchNormalization()(y))
            y = MixedConvolution()(y)
            y = layers.Activation("swish")(layers.BatchNormalization()(y))
            y = layers.Conv2D(16, 1, use_bias=False)(y)
            return layers.Add()([layers.BatchNormalization()(y), x])
        """,
    "wav2vec2-position": """
        class PositionalConvolution(layers.Layer):
            def build(self, shape):
                self.direction = self.add_weight(
                    name="direction", shape=[128, 4, 64])
                self.length = self.add_weight(
                    name="length", shape=[128, 1, 1], initializer="ones")
                self.bias = self.add_weight(
                    name="bias", shape=[64], initializer="zeros")

            def call(self, x):
                # Each position of the filter has a length of its own.
                w = tf.convert_to_tensor(self.direction)
                w = self.length * tf.nn.l2_normalize(w, axis=[1, 2])
                y = convolution(x, w, 16, strides=[1, 1, 1], padding="SAME")
                return y + self.bias

        def block(x):
            y = layers.Activation("gelu")(PositionalConvolution()(x))
            return layers.LayerNormalization()(layers.Add()([y, x]))
        """,
}


@cache
def approaches(block: str) -> tuple[str, ...]:
    """Return the approaches that the suite observes in a block."""
    found = dict.fromkeys(cell.approach for cell in suite.cells() if cell.case.startswith(f"{block}/"))
    return tuple(found)


def program(name: str, block: str, release: str, profile: Profile | None = None) -> str:
    """Return a program that has a model of the block compute `y`. Raise BadUsage where there is none."""
    approach, text = APPROACHES[name], textwrap.dedent(TEXTS[block]).strip()
    if Version(release) < (GELU if '"gelu"' in text else KERAS) or name not in approaches(block):
        raise BadUsage(
            f"there is no short program of {name} in a {block} for TensorFlow {release}",
            "python -m matrix advise --help",
        )
    case = suite.parse_case(f"{block}/none/f32/nhwc")
    defined = [snippets.definitions(approach, case, release)] if approach.function else []
    if "LAYER" in text and not approach.layers:
        defined.append(snippets.layer_class(case))
    # A unit has two of them, and the second leads back to the channels of the block.
    for made in (case, case._replace(cout=case.cin))[: text.count("LAYER")]:
        (call,) = snippets.layers(approach, made, bias=block == "convnext-block")
        text = text.replace("LAYER", call, 1)
    sizes = [*snippets.extents(approach.rank, case.h, case.w), case.block]
    head = [*snippets.environment(profile), *["import numpy as np"] * any("np." in one for one in defined)]
    head += ["import tensorflow as tf", *([profile.python] if profile and profile.python else [])]
    run = f"x = tf.keras.Input({sizes})\nmodel = tf.keras.Model(x, block(x))\n"
    run += f"x = tf.random.normal({[case.n, *sizes]})\ny = model.predict(x)"
    written = ["\n".join(head), "layers = tf.keras.layers", *defined, text, run]
    return snippets.wrapped("\n\n".join(written))
