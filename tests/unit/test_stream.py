from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.errors import BadRecord
from matrix.stream import Stream

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
    list(stream.feed(encode(*lines)))
    return stream


def test_a_whole_stream():
    stream = feed(*WHOLE)
    assert stream.is_whole
    assert list(stream.observations) == CELLS


@given(st.integers(1, len(encode(*WHOLE)) - 1))
def test_it_comes_in_any_pieces(cut):
    stream, data = Stream(CELLS), encode(*WHOLE)
    assert len([*stream.feed(data[:cut]), *stream.feed(data[cut:])]) == 2
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
        ([*WHOLE[:3], observed(CELLS[0])], "twice"),
        ([*WHOLE[:2], observed(("depthwise", "graph", "forward", CASE))], "nobody asked for"),
        ([OPENING, observed(CELLS[0])], "unknown field"),
    ],
)
def test_a_word_out_of_order_is_refused(lines, told):
    with pytest.raises(BadRecord, match=told):
        feed(*lines)


def test_a_stream_has_a_size():
    stream = Stream(CELLS)
    with pytest.raises(BadRecord, match="more than 64 KiB"):
        list(stream.feed(b"x" * 70_000))
    with pytest.raises(BadRecord, match="more than 3 MiB"):
        list(Stream(CELLS).feed(b"\n" * (9 * 2**20)))


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(data):
    stream = Stream(CELLS)
    try:
        list(stream.feed(data))
    except BadRecord:
        return
    assert not stream.is_whole
