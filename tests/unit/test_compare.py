from __future__ import annotations

from fabricated import header, record, where

from matrix.answers.engine_comparison import differences, pairs
from matrix.record.records import Record

CORE = {"check": "forward", "mode": "graph", "of": "bias_relu"}


def test_only_like_is_compared_with_like():
    docker, venv, older = record(engine="docker"), record(), record(suite_sha256="0" * 64)
    assert pairs([docker, venv]) == [(docker, venv)]
    assert pairs([docker, older]) == []


def test_a_cell_that_differs_is_told_with_both_outcomes():
    venv = record(where(**CORE, outcome="crash", signal="SIGSEGV", reason="died"))
    (difference,) = differences(record(engine="docker"), venv)
    assert str(difference).endswith("nn-conv2d/graph/forward/g4-k3/bias_relu/f32/nhwc: docker pass, venv crash (died)")


def test_a_cell_that_one_engine_lacks_is_a_difference():
    lacking = ("depthwise", "jit", "forward")
    without = record(lambda cell: None if cell[:3] == lacking else {})
    assert {difference.venv for difference in differences(record(engine="docker"), without)} == {None}
    assert len([*differences(without, record())]) == sum(one.cell[:3] == lacking for one in record().observations) > 0


def test_equal_records_do_not_differ():
    assert not [*differences(record(engine="docker"), record())]


def test_what_was_observed_by_neither_is_no_pair():
    unbuilt = {"status": "not_built", "reason": "no Python 3.14 here", "observations": 0}
    docker, venv = (Record(header=header(engine=engine, **unbuilt)) for engine in ("docker", "venv"))
    assert pairs([docker, venv]) == []
