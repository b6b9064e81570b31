from __future__ import annotations

import pytest

from matrix.answers.release_records import load
from matrix.answers.show import lines, reproduction, show
from matrix.base.errors import BadUsage
from matrix.catalog import known_errors, releases
from matrix.judge.notes import causes

DATA = releases.load()
CAUSE = causes(known_errors.load())
FUSED = "Fused conv implementation does not support grouped convolutions for now."
CASE = "g4-k3/bias_relu/f32/nhwc"


def test_show_tells_cells_and_makes_a_script_of_one_that_fails(reports):
    showing = show(load(reports, "2.8", "cpu"), "nn-conv2d", "graph/forward/*", CAUSE)
    assert {one.profile: one.verdict for one in showing.shown} == {"onednn-off": "partial", "onednn-on": "works"}
    assert any(FUSED in line for line in lines(showing))
    wanted = reproduction(showing, DATA, None)
    assert wanted.cell == ("nn-conv2d", "graph", "forward", CASE) and FUSED in wanted.told
    with pytest.raises(BadUsage, match="no cell of nn-conv2d"):
        show(load(reports, "2.8", "cpu"), "nn-conv2d", "nothing/*", CAUSE)
