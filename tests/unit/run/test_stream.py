from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.base.errors import BadRecord
from matrix.run.stream import MAX_LIES, Stream

CASE = "g4-k3/none/f32/nhwc"
CELLS = [("nn-conv2d", "graph", "forward", CASE), ("split-concat", "graph", "forward", CASE)]
OPENING = {"format": "stream/1", "python": "3.10.13"}
IMPORTED = {"tensorflow": "2.8.4", "packages": {"numpy": "1.22.3"}, "onednn": False, "build_info": None, "cells": 2}
CLOSING = {"closing": 2, "seconds": {"import": 3.1}}


def observed(cell) -> dict[str, str]:
    return dict(zip(("approach", "mode", "check", "case"), cell, strict=True), outcome="pass", evidence="executed")


WHOLE = (OPENING, IMPORTED, *map(observed, CELLS), CLOSING)


def encode(*lines) -> bytes:
    return b"".join(json.dumps(line, sort_keys=True).encode() + b"\n" for line in lines)


def feed(*lines) -> Stream:
    stream = Stream(CELLS)
    stream.feed(encode(*lines))
    return stream


def test_a_whole_stream():
    stream = feed(*WHOLE)
    assert stream.is_whole
    assert list(stream.observations) == CELLS


@given(st.integers(1, len(encode(*WHOLE)) - 1))
def test_it_comes_in_any_pieces(cut):
    observed = []
    stream, data = Stream(CELLS, observed.append), encode(*WHOLE)
    stream.feed(data[:cut])
    stream.feed(data[cut:])
    assert len(observed) == 2
    assert stream.is_whole


@pytest.mark.parametrize("lines", [WHOLE[:n] for n in range(len(WHOLE))])
def test_a_stream_without_its_end_is_not_whole(lines):
    assert not feed(*lines).is_whole


def test_a_closing_line_that_miscounts_is_not_the_end():
    assert not feed(*WHOLE[:-1], {**CLOSING, "closing": 3}).is_whole
    assert not feed(*WHOLE[:3], {**CLOSING, "closing": 1}).is_whole


def test_an_import_that_failed():
    stream = feed(OPENING, {"not_imported": "ImportError: libcudart"})
    assert stream.not_imported == "ImportError: libcudart" and not stream.is_whole


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([{"format": "stream/2", "python": "3"}], "stream/2"),
        ([*WHOLE, CLOSING], "went on after its closing line"),
        ([*WHOLE, observed(CELLS[0])], "went on after its closing line"),
        ([*WHOLE[:2], 7], "Expected `object`"),
        ([OPENING, observed(CELLS[0])], "unknown field"),
    ],
)
def test_a_word_out_of_order_is_refused(lines, told):
    with pytest.raises(BadRecord, match=told):
        feed(*lines)


LIES = {
    "another cell": (observed(("depthwise", "graph", "forward", CASE)), "depthwise/graph/forward/.*nobody asked for"),
    "another run": (observed(CELLS[0]) | {"run": "tf9.9.9-py399-cpu+default"}, "unknown field `run`"),
    "no such outcome": (observed(CELLS[0]) | {"outcome": "splendid"}, "splendid"),
    "a path": (observed(("../../etc", "graph", "forward", CASE)), "regex"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_about_a_cell_costs_that_cell_and_nothing_beside_it(lie):
    line, told = LIES[lie]
    stream = feed(OPENING, IMPORTED, line, observed(CELLS[1]), CLOSING)
    assert list(stream.observations) == [CELLS[1]] and not stream.is_whole
    assert re.search(f"lied about 1 of its cells, first: .*{told}", stream.lies_in_words())


def test_of_a_cell_that_is_told_twice_neither_is_believed():
    twice = observed(CELLS[0]) | {"outcome": "wrong"}
    for lines in ([observed(CELLS[0]), twice], [observed(CELLS[0]), twice, observed(CELLS[0])]):
        stream = feed(OPENING, IMPORTED, *lines, observed(CELLS[1]), CLOSING)
        assert list(stream.observations) == [CELLS[1]] and not stream.is_whole
        assert stream.lies_in_words().endswith("twice")


def test_a_whole_stream_with_a_lie_more_is_not_whole():
    line, _ = LIES["another cell"]
    stream = feed(*WHOLE[:-1], line, {**CLOSING, "closing": 3})
    assert list(stream.observations) == CELLS and not stream.is_whole


def test_a_stream_of_lies_is_ended():
    line, _ = LIES["another cell"]
    feed(OPENING, IMPORTED, *[line] * MAX_LIES)
    with pytest.raises(BadRecord, match="invalid lines"):
        feed(OPENING, IMPORTED, *[line] * (MAX_LIES + 1))


def test_a_stream_has_a_size():
    stream = Stream(CELLS)
    with pytest.raises(BadRecord, match="more than 64 KiB"):
        stream.feed(b"x" * 70_000)
    with pytest.raises(BadRecord, match="more than 3 MiB"):
        Stream(CELLS).feed(b"\n" * (9 * 2**20))


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(data):
    stream = Stream(CELLS)
    try:
        stream.feed(data)
    except BadRecord:
        return
    assert not stream.is_whole
