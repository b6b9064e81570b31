from __future__ import annotations

from typing import get_args

import pytest
from msgspec.structs import replace
from unit.fabricated import error, record, where

from matrix.answers.claim_decisions import decide, lines
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


def test_a_claim_ranges_over_its_dimensions_and_holds_so_far_where_one_was_not_tried():
    passes = claim(approaches=["depthwise"], epilogues=[], shows="passes")
    everywhere = [*get_args(Dimension)]
    assert decided(passes, both()).word == "confirmed"
    wide = decided(replace(passes, over=everywhere), both())
    assert (wide.word, wide.untried) == ("confirmed", {})
    assert wide.pro_count > decided(passes, both()).pro_count
    loop = decided(replace(passes, approaches=["slice-loop"], over=everywhere), both())
    never = [dimension for dimension in everywhere if dimension != "kernel"]  # a block has it with a kernel of 1x1
    assert (loop.word, loop.untried) == ("so far", {"slice-loop": never})
    assert "not tried for slice-loop: dtype, layout" in "\n".join(lines([loop]))


def test_a_counter_example_outside_of_the_core_decides():
    def strided_and_dilated(cell):
        return {"outcome": "wrong", "reason": "it is"} if "-s2-d2-cm1" in cell[3] and cell[2] == "forward" else {}

    passes = claim(approaches=["depthwise"], epilogues=[], shows="passes")
    made = both(strided_and_dilated)
    assert decided(passes, made).word == "confirmed"
    found = decided(replace(passes, over=["stride", "dilation", "stride with dilation"]), made)
    assert found.word == "depends" and all("s2-d2" in cell for cell in found.contra)
    assert decided(replace(passes, over=["stride", "dilation"]), made).word == "confirmed"
