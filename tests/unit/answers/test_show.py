from __future__ import annotations

import msgspec
import pytest
from unit.fabricated import error, header, record, where

from matrix.answers.release_records import load
from matrix.answers.show import lines, reproduction, show
from matrix.base.errors import BadUsage
from matrix.catalog import known_errors, releases
from matrix.judge.notes import causes
from matrix.record import records

CAUSE = causes(known_errors.load())
FUSED = "Fused conv implementation does not support grouped convolutions for now."
CASE = "g4-k3/bias_relu/f32/nhwc"


def test_show_tells_cells_and_makes_a_script_of_one_that_fails(reports):
    showing = show(load(reports, "2.8", "cpu"), "nn-conv2d", "graph/forward/*", "", CAUSE)
    assert {one.profile: one.verdict for one in showing.shown} == {"onednn-off": "partial", "onednn-on": "works"}
    assert any(FUSED in line for line in lines(showing))
    wanted = reproduction(showing, releases.load_profiles())
    assert wanted.cell == ("nn-conv2d", "graph", "forward", CASE) and FUSED in wanted.told
    with pytest.raises(BadUsage, match="no cell of nn-conv2d"):
        show(load(reports, "2.8", "cpu"), "nn-conv2d", "nothing/*", "", CAUSE)


def test_show_tells_what_other_host_classes_do_otherwise(tmp_path):
    for host_class, change in (
        ("x86-amx", where()),
        ("x86-avx2-amd", where("forward", "graph", **error("no"))),
    ):  # the core alone
        host = msgspec.structs.replace(header().host, host_class=host_class)
        records.write(tmp_path, record(change, host=host))
    (shown,) = show(load(tmp_path, "2.8.4", "cpu"), "nn-conv2d", "graph/forward/g4-k3/*/f32/nhwc", "", CAUSE).shown
    (there,) = shown.elsewhere
    assert (shown.host_class, there.host_class) == ("x86-amx", "x86-avx2-amd")
    assert (there.compared, len(there.differing)) == (len(shown.cells), 4)
    assert set(there.differing.values()) == {"InvalidArgumentError: no"}
    said = "\n".join(lines(show(load(tmp_path, "2.8.4", "cpu"), "split-concat", "*", "", CAUSE)))
    assert "on x86-avx2-amd 0 of" in said
