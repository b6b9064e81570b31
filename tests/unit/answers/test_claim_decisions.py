from __future__ import annotations

import pytest
from msgspec.structs import replace
from unit.fabricated import error, record, where

from matrix.answers.claim_decisions import _counterpart, decide, dimensions, lines
from matrix.base import paths
from matrix.catalog.claims import Against, Claim, Dimension, load
from matrix.record import records
from matrix.record.records import Record
from matrix.suite import catalog as suite


def claim(**fields) -> Claim:
    plain = {"id": "it", "says": "It is so.", "query": "cells", "approaches": ["nn-conv2d"], "modes": ["graph"]}
    return Claim(**plain | {"epilogues": ["bias_relu"], "shows": "fused"} | fields)


def both(*changes, **fields):
    def change(cell):
        return {name: value for one in changes for name, value in one(cell).items()}

    return record(change, **fields)


FUSED = where("fusion", "graph", of="bias_relu", epilogue="fused")


def decided(wanted: Claim, *made: Record):
    (answer,) = decide([wanted], made)
    return answer


def test_every_claim_is_decidable_by_what_the_suite_has():
    for one in load():
        assert set(one.approaches) <= set(suite.APPROACHES) and set(one.epilogues) <= set(suite.EPILOGUES)
        assert (one.query == "none") == (one.why is not None)
        assert (one.query == "pairs") == (one.against is not None)


@pytest.mark.parametrize(
    ("made", "word"), [((FUSED,), "confirmed"), ((), "refuted")], ids=["fused everywhere", "fused nowhere"]
)
def test_cells_vote(made, word):
    answer = decided(claim(), both(*made))
    assert answer.word == word and answer.pro_count + answer.contra_count == 1
    assert (answer.pro or answer.contra) == [
        "tf2.8.4-py310-cpu+onednn-off/nn-conv2d/graph/fusion/g4-k3/bias_relu/f32/nhwc"
    ]


def test_it_depends_where_runs_disagree_and_the_counts_say_on_what():
    on = both(FUSED, profile="onednn-on", run="tf2.8.4-py310-cpu+onednn-on")
    answer = decided(claim(), both(), on)
    assert answer.word == "depends"
    assert answer.by_place == {"cpu, onednn-off": (0, 1), "cpu, onednn-on": (1, 0)}


def test_fused_into_what_then_fails_is_not_fused():
    answer = decided(claim(), both(FUSED, where("forward", "graph", of="bias_relu", **error())))
    assert answer.word == "refuted"


def test_a_cell_that_fails_without_groups_too_has_no_say():
    failing = where("forward", "graph", of="bias_relu", **error())
    twin = where("forward", "graph", of="bias_relu", control=True, **error())
    assert decided(claim(), both(FUSED, failing)).word == "refuted"
    assert decided(claim(), both(FUSED, lambda cell: failing(cell) | twin(cell))).word == "undecided"


def test_pairs_are_compared_within_a_run():
    wanted = claim(query="pairs", approaches=["split-concat"], against=Against(approach="slice-loop"))
    split = where("fusion", "graph", of="bias_relu", approach="split-concat", epilogue="fused")
    loop = where("fusion", "graph", of="bias_relu", approach="slice-loop", epilogue="fused")
    assert decided(wanted, both(split)).word == "confirmed"
    assert decided(wanted, both()).word == decided(wanted, both(split, loop)).word == "refuted"


def test_newer_counts_what_is_gained_and_lost():
    wanted = claim(query="newer")
    refused = where("forward", "eager", **error())
    older = both(refused, run="tf2.4.4-py38-cpu+onednn-off", release="2.4.4")
    assert decided(wanted, older, both()).word == "confirmed"
    worse = both(refused, run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3")
    assert decided(wanted, older, both(), worse).word == "depends"


def test_published_claims_are_decided_with_cells_that_are_in_the_records():
    made, _ = records.readable(paths.REPORTS)
    cells = {"/".join((one.header.run, *seen.cell)) for one in made for seen in one.observations}
    answers = decide(load(), made)
    assert {cell for answer in answers for cell in (*answer.pro, *answer.contra)} <= cells
    assert all((answer.word == "undecided") == (not answer.by_place) for answer in answers)


GEOMETRY: list[Dimension] = [
    "dtype", "layout", "stride", "dilation", "stride with dilation", "padding", "kernel", "groups",
]  # fmt: skip
# What crosses them for a loop over slices, beside its core.
CROSSING = (
    *suite._set("dtypes", approaches="slice-loop", dtypes=suite.PLAIN),
    *suite._set("layouts", approaches="slice-loop", layouts=("nchw",)),
    *suite._set("geometries", "g4-k3-s2 g4-k3-d2 g4-k3-s2-d2 g4-k3-valid g4-k1 g32-k3", "slice-loop"),
)
CORE_SETS = tuple(one for one in suite.CASE_SETS if one.depth == "core")
LOOP = claim(approaches=["slice-loop"], modes=["graph", "keras"], shows="apart", over=["mode", "setting", *GEOMETRY])


def on_and_off(change=lambda cell: {}) -> list[Record]:
    on = {"profile": "onednn-on", "run": "tf2.8.4-py310-cpu+onednn-on"}
    return [record(change), record(change, **on)]


def test_every_published_claim_says_what_it_ranges_over():
    for one in load():
        assert (one.query == "none") == (not one.over)
        if one.query in {"cells", "pairs"}:
            assert "setting" in one.over
            assert ("mode" in one.over) == (len(one.modes) > 1)
            assert ("epilogue" in one.over) == (len(one.epilogues) != 1)


def test_a_claim_holds_so_far_where_the_suite_has_no_case_of_a_dimension(monkeypatch):
    monkeypatch.setattr(suite, "CASE_SETS", CORE_SETS)
    found = decided(LOOP, *on_and_off())
    assert (found.word, found.untried, found.tried) == ("so far", {"slice-loop": GEOMETRY}, {"mode": [], "setting": []})
    assert "not tried for slice-loop: dtype, layout, stride" in "\n".join(lines([found]))


def test_a_claim_is_confirmed_where_each_case_that_crosses_its_dimensions_was_decided_on(monkeypatch):
    monkeypatch.setattr(suite, "CASE_SETS", (*CORE_SETS, *CROSSING))
    found = decided(LOOP, *on_and_off())
    assert (found.word, found.untried) == ("confirmed", {})
    assert "over mode, setting; dtype, layout, stride" in "\n".join(lines([found]))
    assert found.tried["dtype"] == ["graph"] and "groups in graph" in "\n".join(lines([found]))
    assert decided(LOOP, record()).untried == {"slice-loop": ["setting"]}


@pytest.mark.parametrize(
    ("lacking", "dimension"),
    [("/bf16/", "dtype"), ("/nchw", "layout"), ("-s2-d2/", "stride with dilation"), ("g32-k3/", "groups")],
)
def test_records_that_lack_one_case_of_a_dimension_leave_the_claim_open(monkeypatch, lacking, dimension):
    """So do the records of an older suite, which has not the case."""
    monkeypatch.setattr(suite, "CASE_SETS", (*CORE_SETS, *CROSSING))
    found = decided(LOOP, *on_and_off(lambda cell: None if cell[0] == "slice-loop" and lacking in cell[3] else {}))
    assert found.word == "so far" and dimension in found.untried["slice-loop"]


def test_one_counter_example_in_a_dimension_that_was_crossed_decides_against_confirming(monkeypatch):
    monkeypatch.setattr(suite, "CASE_SETS", (*CORE_SETS, *CROSSING))
    fused = {"epilogue": "fused"}
    half = on_and_off(
        lambda cell: fused if cell[0] == "slice-loop" and "/bf16/" in cell[3] and cell[2] == "fusion" else {}
    )
    found = decided(LOOP, *half)
    assert found.word == "depends" and all("/bf16/" in cell for cell in found.contra)
    without = replace(LOOP, over=[one for one in LOOP.over if one != "dtype"])
    assert decided(without, *half).word == "confirmed"


def test_a_case_that_leaves_more_than_the_claim_ranges_over_has_no_say():
    assert dimensions("g4-k3-s2/bias_relu/f16/nchw", "g4-k3") == {"stride", "dtype", "layout"}
    assert dimensions("g4-k3-valid-tiny/none/f32/nhwc", "g4-k3") == {"padding", "size"}
    assert dimensions("g16-k3-const-cm1/none/f32/nhwc", "g4-k3") == {"groups", "program"}
    assert dimensions("resnext-block/bn_relu/f32/nhwc", "g4-k3") == {"block"}
    assert dimensions("g4-k3/bias_relu/f32/nhwc", "g4-k3") == set()


@pytest.mark.parametrize(
    ("against", "cell", "other"),
    [
        (
            Against(mode="graph"),
            "nn-conv2d/keras/fusion/g4-k3/bias/f16/nhwc",
            "nn-conv2d/graph/fusion/g4-k3/bias/f16/nhwc",
        ),
        (
            Against(approach="slice-loop"),
            "split-concat/graph/fusion/g4-k3-s2/bias/f32/nchw",
            "slice-loop/graph/fusion/g4-k3-s2/bias/f32/nchw",
        ),
        (
            Against(approach="split-concat"),
            "depthwise/graph/fusion/g16-k3-s2-cm1/bias/bf16/nhwc",
            "split-concat/graph/fusion/g4-k3-s2/bias/bf16/nhwc",
        ),
        (Against(approach="split-concat"), "depthwise/graph/fusion/g16-k1-cm1/bias/f32/nhwc", None),
        (
            Against(geometry="g1-k3"),
            "nn-conv2d/graph/fusion/g4-k3/bias/f16/nhwc",
            "nn-conv2d/graph/fusion/g1-k3/bias/f16/nhwc",
        ),
        (Against(geometry="g1-k3"), "nn-conv2d/graph/fusion/g4-k3-s2/bias/f32/nhwc", None),
    ],
)
def test_a_pair_differs_in_what_the_claim_compares_alone(against, cell, other):
    approach, mode, check, case = cell.split("/", 3)
    found = _counterpart(against, (approach, mode, check, case))
    assert (found and "/".join(found)) == other


def test_what_a_release_switches_by_default_is_no_gain_of_newer_releases():
    """`default` is oneDNN off in 2.8.4 and on in 2.9.3: what is gained with it is not the release's."""
    refused = where("forward", "eager", **error())
    older = both(refused, profile="default", run="tf2.8.4-py310-cpu+default", onednn=False)
    newer = both(profile="default", run="tf2.9.3-py310-cpu+default", release="2.9.3", onednn=True)
    assert decided(claim(query="newer"), older, newer).word == "undecided"
    named = both(profile="onednn-off", run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3")
    assert decided(claim(query="newer"), older, newer, named).by_place == {"cpu, onednn-off": (1, 0)}


def test_a_counter_example_outside_of_the_core_decides():
    def strided_and_dilated(cell):
        return {"outcome": "wrong", "reason": "it is"} if "-s2-d2-cm1" in cell[3] and cell[2] == "forward" else {}

    passes = claim(approaches=["depthwise"], epilogues=[], shows="passes")
    made = both(strided_and_dilated)
    assert decided(passes, made).word == "confirmed"
    found = decided(replace(passes, over=["stride", "dilation", "stride with dilation"]), made)
    assert found.word == "depends" and all("s2-d2" in cell for cell in found.contra)
    assert decided(replace(passes, over=["stride", "dilation"]), made).word == "confirmed"
