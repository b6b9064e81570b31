from __future__ import annotations

import pytest
from unit.fabricated import error, header, record, where

from matrix import catalog, records
from matrix.answers.diff import diff, told
from matrix.cells import suite
from matrix.errors import BadUsage
from matrix.records import Record

DATA = catalog.load()
CELL = "nn-conv2d/graph/forward/g4-k3/bias_relu/f32/nhwc"
REFUSED = where("forward", "graph", of="bias_relu", **error("no"))


def publish(folder, *made: Record):
    for one in made:
        records.write(folder, one)
    return folder


def newer(change=lambda cell: {}, **fields) -> Record:
    return record(change, **{"run": "tf2.9.3-py310-cpu+onednn-off", "release": "2.9.3"} | fields)


def test_releases_are_compared_cell_by_cell(tmp_path):
    found = diff(publish(tmp_path, record(REFUSED), newer()), "2.8", "2.9.3", DATA)
    (pair,) = found.pairs
    base = [one for one in pair.differences if one.cell == CELL]
    assert (found.axis, pair.before, pair.after) == (
        "release",
        "tf2.8.4-py310-cpu+onednn-off",
        "tf2.9.3-py310-cpu+onednn-off",
    )
    assert [(one.what, one.before.outcome, one.after.outcome) for one in base] == [("changed", "error", "pass")]
    assert pair.unchanged + len(pair.differences) == len(suite.cells())
    assert any(CELL.split("/", 3)[3] in line and "error" in line for line in told(found))


def test_what_is_absent_has_not_appeared_yet(tmp_path):
    absent = where(mode="keras", outcome="absent", reason="no tf.keras", evidence="executed")
    (pair,) = diff(publish(tmp_path, record(absent), newer()), "2.8.4", "2.9.3", DATA).pairs
    assert {one.what for one in pair.differences} == {"appeared"}
    (pair,) = diff(tmp_path, "2.9.3", "2.8.4", DATA).pairs
    assert {one.what for one in pair.differences} == {"disappeared"}


def test_what_one_side_did_not_observe_is_no_change(tmp_path):
    publish(tmp_path, record(lambda cell: None if cell[0] == "depthwise" else {}), newer(suite_sha256="0" * 64))
    found = diff(tmp_path, "2.8.4", "2.9.3", DATA)
    assert {one.what for one in found.pairs[0].differences} == {"one side only"}
    assert not found.pairs[0].same_suite and any("different suites" in line for line in told(found))


def test_only_like_is_compared_with_like(tmp_path):
    on = newer(profile="onednn-on", run="tf2.9.3-py310-cpu+onednn-on")
    publish(tmp_path, record(), newer(), on)
    found = diff(tmp_path, "2.8.4", "2.9.3", DATA)
    assert [pair.after for pair in found.pairs] == ["tf2.9.3-py310-cpu+onednn-off"]
    assert found.alone == ["tf2.9.3-py310-cpu+onednn-on"]
    with pytest.raises(BadUsage, match="is a release and"):
        diff(tmp_path, "2.8.4", "onednn-on", DATA)
    with pytest.raises(BadUsage, match="no runs in common"):
        diff(tmp_path, "docker", "venv", DATA)


def test_profiles_are_compared_within_a_release(tmp_path):
    on = record(REFUSED, profile="onednn-on", run="tf2.8.4-py310-cpu+onednn-on")
    (pair,) = diff(publish(tmp_path, record(), on), "onednn-off", "onednn-on", DATA).pairs
    assert CELL in {one.cell for one in pair.differences}


def test_default_is_compared_as_what_it_comes_to(tmp_path):
    same = Record(header=header("default", status="not_run", same_as="tf2.8.4-py310-cpu+onednn-off"))
    new = newer(REFUSED, profile="default", run="tf2.9.3-py310-cpu+default")
    (pair,) = diff(publish(tmp_path, record(), same, new), "2.8.4", "2.9.3", DATA).pairs
    assert pair.before == "tf2.8.4-py310-cpu+default (= onednn-off)" and pair.differences


def test_folders_are_compared_run_by_run(tmp_path):
    one, other = publish(tmp_path / "one", record(REFUSED)), publish(tmp_path / "other", record())
    assert diff(tmp_path, str(one), str(other), DATA).pairs[0].differences
    assert not diff(tmp_path, str(one), str(one), DATA).pairs[0].differences
