"""The programs, as far as that needs no TensorFlow; tests/integration/test_snippet_programs.py runs them."""

from __future__ import annotations

import ast
import itertools

import pytest

from matrix.answers import block_snippets, snippets
from matrix.base.errors import BadUsage
from matrix.catalog import releases
from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE
from matrix.suite import blocks, reference
from matrix.suite import catalog as suite
from matrix.suite.cases import BLOCKS

DATA = releases.load()
LAYER = snippets.layer(groups=32, cin=128, kernel=3, size=56, batch=8)
WRITTEN = [name for name, about in APPROACHES.items() if about.function or about.layers]


def base(name: str) -> suite.Case:
    return suite.parse_case(f"{APPROACHES[name].base}/none/f32/nhwc")


@pytest.mark.parametrize("name", WRITTEN)
def test_every_program_is_code_within_80_columns(name):
    about, made = APPROACHES[name], 0
    for release, mode, layout, stride in itertools.product(
        ["1.15.5", "2.4.4", "2.21.0"], ["eager", "graph", "jit", "keras"], suite.LAYOUTS, [1, 2]
    ):
        case = base(name)._replace(layout=layout, strides=(stride, stride), dilation=3 - stride, dtype="f16")
        for profile in (None, *map(DATA.profile, ("onednn-on", "remapper-off", "onednn-off+auto-cluster"))):
            try:
                text = snippets.program(name, case, release, profile, mode)
            except BadUsage:
                continue
            made += 1
            ast.parse(text)
            assert (profile is None or profile.python in text) and (
                not profile or all(map(text.count, profile.environment))
            )
            assert max(map(len, text.splitlines())) <= 80
            assert not text.startswith(" ")
            assert not {"AXIS", "SPATIAL"} & set(text.replace("[", " ").replace("]", " ").split())
    assert made >= (12 if about.layers or about.place else 6)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_filters_told_are_those_of_the_reference(name):
    about = APPROACHES[name]
    told = snippets.filters(about, base(name))[1]
    want = reference.linear(about.form, about.rank, base(name)).filter_shapes
    if about.computes == "grouped-2d":  # the code takes the grouped filter
        want = reference.linear("grouped", 2, base(name)).filter_shapes
    if about.form == "per-group":  # told once: all groups' are alike
        want = reference.linear(about.form, 2, base(name)).filter_shapes[:1]
    if about.form == "depthwise" and about.function:  # told as the grouped filter, whose values are the same
        want = [(*want[0][:-2], 1, want[0][-2] * want[0][-1])]
    assert told == want


@pytest.mark.parametrize("block", BLOCKS)
def test_every_approach_in_a_block_is_a_program_with_the_block_s_steps(block):
    assert block_snippets.TEXTS.keys() == BLOCKS.keys()
    rows = blocks.rows(suite.parse_case(f"{block}/bn_relu/f32/nhwc"))
    kinds = [step.kind for row in rows for step in row]
    for name in block_snippets.approaches(block):
        for release, profile in (("2.4.4", None), ("2.21.0", DATA.profile("onednn-off+auto-cluster"))):
            text = block_snippets.program(name, block, release, profile)
            ast.parse(text)
            assert max(map(len, text.splitlines())) <= 80 and "LAYER" not in text
            assert not profile or (profile.python in text and all(map(text.count, profile.environment)))
            made = text.partition("def block(x):")[2]
            assert made.count("BatchNormalization()") == kinds.count("bn")
            assert made.count("LayerNormalization()") == kinds.count("layer_norm")
            assert made.count("layers.Dense(") == kinds.count("dense")
            assert made.count(", 1, use_bias=False)(") == kinds.count("pointwise")
            assert ("def convolution(" in text) == ("def convolution(" in APPROACHES[name].function)
    with pytest.raises(BadUsage, match="there is no short program"):
        block_snippets.program("fused-kernel", block, "2.21.0")
    with pytest.raises(BadUsage, match="there is no short program"):
        block_snippets.program(block_snippets.approaches(block)[0], block, "2.2.3")


def test_a_program_names_the_persons_own_numbers():
    text = snippets.program("split-concat", LAYER, "2.8.4", DATA.profile("onednn-on"))
    before, _, after = text.partition("import tensorflow as tf\n")
    assert 'os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"' in before
    assert "w = tf.random.normal([3, 3, 4, 128])  # [kh, kw, in / groups, out]" in after
    assert "x = tf.random.normal([8, 56, 56, 128])" in after
    assert "groups=32" in after


def test_the_person_s_layout_and_dtype_are_those_of_the_program():
    text = snippets.program("slice-loop", LAYER._replace(layout="nchw", dtype="f16", strides=(2, 2)), "2.21.0")
    assert "x = tf.random.normal([8, 128, 56, 56], dtype=tf.float16)" in text
    assert "x[:, group * size" in text
    assert "strides=[1, 1, 2, 2]" in text
    assert 'data_format="NCHW"' in text


@pytest.mark.parametrize("name", INTERCHANGEABLE)
def test_what_is_interchangeable_takes_the_place_of_the_layer(name):
    text = snippets.program(name, LAYER, "2.9.3", mode="keras")
    if APPROACHES[name].layers:
        assert "tf.keras.layers.Conv2D(128, 3, groups=32" in text
    else:
        assert "class GroupedConv2D(tf.keras.layers.Conv2D)" in text
        assert "set_weights(model.get_weights())" in text
    with pytest.raises(BadUsage, match=r"TensorFlow 1\.15\.5|not in 1\.15\.5"):
        snippets.program(name, LAYER, "1.15.5", mode="keras")


def test_depthwise_takes_one_channel_a_group_only():
    with pytest.raises(BadUsage, match="as many groups as channels, not 32 of 128"):
        snippets.program("depthwise", LAYER, "2.9.3")
    assert "depthwise_conv2d" in snippets.program("depthwise", LAYER._replace(groups=128), "2.9.3", mode="keras")


def test_a_layer_whose_groups_do_not_divide_its_channels_is_refused():
    with pytest.raises(BadUsage, match="3 groups cannot share 16 channels"):
        snippets.layer(groups=3, cin=16)
