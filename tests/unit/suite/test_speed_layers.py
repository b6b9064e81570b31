"""What is timed, what the least is that it computes and moves, and in which order."""

from __future__ import annotations

import collections
import importlib.util
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from suite import catalog, reference
from suite.speed import layers
from suite.speed.layers import Layer, Point

from matrix.base import paths


def point(layer: str = "resnext50-14", direction: str = "forward", **changes) -> Point:
    return Point(layer, 1, "graph", direction)._replace(**changes)


@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 3))
def test_taps_that_meet_padding_do_not_count(size, kernel, stride):
    window = reference.Window((size,), (kernel,), (stride,), 1, "SAME", 1)
    met = reference.convolve(np.ones((1, size, 1)), np.ones((kernel, 1, 1)), window)
    assert layers._taps(Layer(size, 1, 1, 1, kernel, stride)) == met.sum()
    assert Layer(size, 1, 1, 1, kernel, stride).out == met.shape[1]


# Multiplications and additions of the papers' tables, in billions; here stem, shortcuts and classifier are missing.
@pytest.mark.parametrize(
    ("network", "told"),
    [("resnext50", 4.2), ("regnetx32", 3.2), ("shufflenet", 0.14), ("mobilenet2", 0.3), ("convnext-t", 4.5)],
)
def test_a_network_has_the_operations_that_its_paper_tells(network, told):
    chain = layers.NETWORKS[network]
    assert all((one.out, one.cout) == (after.size, after.cin) for one, after in itertools.pairwise(chain))
    assert all(layer.cin % layer.groups == layer.cout % layer.groups == 0 for layer in chain)
    assert 0.85 * told < layers.operations(point(network)) / 2e9 < told


def test_an_approach_writes_the_grouped_layers_of_a_network():
    written = {name: [chain[number] for number in layers.replaced(name)] for name, chain in layers.NETWORKS.items()}
    assert len(written["resnext50"]) == 16 and {layer.groups for layer in written["resnext50"]} == {32}
    assert {layer.groups for layer in written["shufflenet"]} == {3}
    assert all(layer.groups == layer.cin for layer in (*written["mobilenet2"], *written["convnext-t"]))
    assert "depthwise" in layers.variants(point("mobilenet2")) and "depthwise" not in layers.variants(
        point("resnext50")
    )
    assert layers.named("resnext50/1") == Layer(56, 128, 128, 32)


@pytest.mark.parametrize("name", ["resnext50-14", "regnetx32-14", "mobilenet-14", "shufflenet-28"])
def test_operations_are_a_multiplication_and_an_addition_a_product(name):
    layer = layers.LAYERS[name]
    window = reference.Window((layer.size,) * 2, (layer.kernel,) * 2, (1, 1), 1, "SAME", layer.groups)
    filters = np.ones((layer.kernel, layer.kernel, layer.cin // layer.groups, layer.cout))
    products = reference.convolve(np.ones((1, layer.size, layer.size, layer.cin)), filters, window).sum()
    assert layers.operations(point(name)) == 2 * products
    assert layers.operations(point(name, batch=8)) == 16 * products
    assert layers.operations(point(name, direction="train")) == 6 * products


def test_each_array_is_moved_once_a_pass():
    maps, filters = 2 * 14 * 14 * 512, 3 * 3 * 16 * 512
    assert layers.moved(point()) == 4 * (maps + filters)
    assert layers.moved(point(batch=8, dtype="f16")) == 2 * (8 * maps + filters)
    assert layers.moved(point(direction="train")) == 3 * layers.moved(point())


@pytest.mark.parametrize("name", sorted(set(layers.NAMED) & set(catalog.NAMED_LAYERS)))
def test_a_name_of_the_catalog_has_its_sizes(name):
    known = catalog.parse_case(f"{name}/none/f32/nhwc")
    assert layers.NAMED[name] == Layer(known.h, known.cin, known.cout, known.groups, known.kernel[0])
    assert (known.h, known.strides, known.dilation, known.padding) == (known.w, (1, 1), 1, "SAME")


def test_channels_are_shared_by_the_groups():
    assert all(layer.cin % layer.groups == layer.cout % layer.groups == 0 for layer in layers.LAYERS.values())


@pytest.mark.parametrize("count", range(2, 13))
def test_orders_are_balanced(count):
    square = [layers.balanced(range(count), row) for row in range(count * (1 + count % 2))]
    places = collections.Counter(place for order in square for place in enumerate(order))
    followers = collections.Counter(pair for order in square for pair in itertools.pairwise(order))
    assert len(places) == count * count and len(set(places.values())) == 1
    assert len(followers) == count * (count - 1) and len(set(followers.values())) == 1


def test_orders_begin_anew():
    assert layers.balanced("abc", 6) == layers.balanced("abc", 0)
    assert layers.balanced("abcd", 4) == layers.balanced("abcd", 0)


def test_default_has_seven_layers_in_both_directions():
    points = layers.points("default")
    assert len(points) == 14 and len({(point.layer, point.batch) for point in points}) == 7
    assert {(point.mode, point.epilogue, point.dtype) for point in points} == {("graph", "bias_relu", "f32")}


@pytest.mark.parametrize("depth", layers.DEPTHS)
def test_no_point_stands_twice(depth):
    points = layers.points(depth)
    assert len({point.id for point in points}) == len(points)


def test_depths_grow():
    quick, default, full = (set(layers.points(depth)) for depth in ("quick", "default", "full"))
    assert quick < default < full
    assert {point.mode for point in full} == set(layers.MODES)
    assert {point.layer for point in full} == set(layers.LAYERS)


@pytest.mark.parametrize("depth", layers.DEPTHS)
def test_controls_have_something_to_repeat_at_every_point(depth):
    for point in layers.points(depth):
        variants = layers.variants(point, depth)
        assert {"dense", "again", "planted"} < set(variants)
        assert ("frozen" in variants) == ((point.mode, point.direction) == ("graph", "forward") and depth[:3] != "net")
        # without oneDNN the first of the bases fails
        assert set(layers.BASES[1:]) & set(variants)


def test_an_operation_a_group_is_left_out_where_there_are_hundreds():
    assert {"split-concat", "slice-loop"} <= set(layers.variants(point("resnext50-14")))
    assert {"split-concat", "slice-loop"} & set(layers.variants(point("mobilenet-14"))) == {"split-concat"}
    assert not set(layers.UNROLLED) & set(layers.variants(point("mobilenet-14", mode="jit"), "full"))


def test_depthwise_computes_one_channel_a_group_only():
    has = {name for name in layers.LAYERS if "depthwise" in layers.variants(point(name))}
    assert has == {"mobilenet-14", "convnext-56", "sweep-g128"}


def test_the_approaches_are_the_catalogs():
    assert set(layers.APPROACHES) <= set(catalog.APPROACHES)
    assert set(layers.BASES) < set(layers.APPROACHES) and set(layers.MODES) == set(catalog.MODES)


def test_the_file_is_read_alone():
    spec = importlib.util.spec_from_file_location("speed_layers", paths.SUITE / "speed" / "layers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert [tuple(point) for point in module.points("full")] == [tuple(point) for point in layers.points("full")]


def test_an_id_says_what_patterns_match():
    assert point("convnext-56", "train").id == "convnext-56/1/graph/train"
    assert layers.key(point())["epilogue"] == "bias_relu"
    assert layers.rows("quick")[0] == (layers.points("quick")[0], "nn-conv2d")
