from __future__ import annotations

import msgspec
import pytest
from unit import timings

from matrix.answers.snippets import layer
from matrix.speed import nearest_layers
from matrix.suite.speed import layers

RESNEXT = layers.NAMED["resnext50-56"]


@pytest.mark.parametrize(
    ("changed", "far"),
    [
        ({}, 0),
        ({"groups": 16, "cin": 64}, 1),
        ({"groups": 64, "cin": 64}, 3),
        ({"kernel": 6}, 1),
        ({"size": 14}, 2),
        ({"batch": 8}, 3),
    ],
)
def test_a_distance_is_counted_in_doublings(changed, far):
    asked = layer(**{"groups": 32, "cin": 128, "kernel": 3, "size": 56, "batch": 1} | changed)
    assert nearest_layers.distance(asked, RESNEXT, 1) == far


def test_the_nearest_is_a_point_that_all_runs_have(tmp_path):
    on, off = timings.run(), timings.run(profile="onednn-off")
    near = [msgspec.structs.replace(point, layer="resnext50-56") for point in on.points]
    far = [msgspec.structs.replace(point, layer="mobilenet-14") for point in on.points]
    runs = [msgspec.structs.replace(on, points=near + far), msgspec.structs.replace(off, points=far)]
    asked = layer(groups=32, cin=128)
    names = ("nn-conv2d", "split-concat")
    found = nearest_layers.nearest(runs, asked, "forward", ["graph"], names)
    assert (found.point.layer, found.distance > 0) == ("mobilenet-14", True)
    assert found.times(("onednn-on", "split-concat"), ("onednn-off", "nn-conv2d")) == pytest.approx(4, rel=0.1)
    alone = nearest_layers.nearest(runs[:1], asked, "forward", ["graph"], names)
    assert (alone.point.layer, alone.distance) == ("resnext50-56", 0)
    assert nearest_layers.nearest(runs, asked, "forward", ["jit"], names) is None
