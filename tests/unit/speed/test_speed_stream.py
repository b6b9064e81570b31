from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.timings import encode, lines, stream

from matrix.base.errors import BadRecord
from matrix.speed.speed_stream import MAX_STREAM, Stream

OPENING, AROUND, ONE, OTHER, CLOSING = WHOLE = lines({"nn-conv2d": [1e-3, 1.1e-3], "keras-groups": "crash"})
TRUTH = encode(WHOLE)


def test_a_whole_stream():
    made = stream(WHOLE)
    assert made.is_whole and len(made.timed) == 2
    assert [one.failure and one.failure.type for one in made.timed.values()] == [None, "crash"]


@given(st.integers(1, len(TRUTH) - 1))
def test_it_comes_in_any_pieces(cut):
    made = Stream()
    made.feed(TRUTH[:cut])
    made.feed(TRUTH[cut:])
    assert len(made.timed) == 2
    assert made.is_whole


@pytest.mark.parametrize("count", range(len(WHOLE)))
def test_without_its_end_it_is_not_whole(count):
    assert not stream(WHOLE[:count]).is_whole


def test_a_closing_line_that_miscounts_is_not_the_end():
    assert not stream([*WHOLE[:-1], {"closing": 3}]).is_whole


def test_what_cannot_be_measured_says_why():
    assert stream([OPENING, {"not_imported": "ImportError: libcudart"}]).not_imported == "ImportError: libcudart"
    assert stream([OPENING, {"refused": "too old"}]).refused == "too old"


def without(line: dict, *names: str) -> dict:
    return {name: value for name, value in line.items() if name not in names}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ([{"format": "speed-stream/2", "python": "3"}], "speed-stream/2"),
        ([AROUND], "unknown field"),
        ([OPENING, ONE], "unknown field"),
        ([OPENING, {"not_imported": "why"}, AROUND], "went on"),
        ([OPENING, without(AROUND, "tensorflow")], "neither that it is TensorFlow"),
        ([OPENING, AROUND | {"peer": "torch"}], "or both"),
        ([OPENING, AROUND | {"bandwidth": 0}], "bandwidth"),
        ([OPENING, AROUND | {"peak": {"f32": -1}}], "peak"),
        ([OPENING, AROUND | {"home": "/root"}], "unknown field"),
        ([OPENING, AROUND, ONE, ONE], "twice"),
        ([OPENING, AROUND, ONE | {"samples": []}], "length >= 1"),
        ([OPENING, AROUND, ONE | {"samples": [0.0]}], "samples"),
        ([OPENING, AROUND, ONE | {"samples": [-1.0]}], "samples"),
        ([OPENING, AROUND, ONE | {"samples": ["1"]}], "samples"),
        ([OPENING, AROUND, ONE | {"samples": [1.0] * 2001}], "samples"),
        ([OPENING, AROUND, ONE | {"first": 1e9}], "first"),
        ([OPENING, AROUND, ONE | {"operations": 0}], "operations"),
        ([OPENING, AROUND, ONE | {"variant": "<b>"}], "variant"),
        ([OPENING, AROUND, ONE | {"layer": "a\nb"}], "layer"),
        ([OPENING, AROUND, ONE | {"mode": "fast"}], "mode"),
        ([OPENING, AROUND, ONE | {"secret": 1}], "unknown field"),
        ([OPENING, AROUND, ONE | {"failure": OTHER["failure"]}], "or both"),
        ([OPENING, AROUND, without(ONE, "samples")], "neither a time nor a failure"),
        ([*WHOLE, CLOSING], "went on after its closing line"),
        ([*WHOLE, ONE], "went on after its closing line"),
    ],
)
def test_what_does_not_belong_is_refused(told, why):
    made = Stream()
    with pytest.raises(BadRecord, match=why):
        made.feed(encode(told))
    assert not made.is_whole


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "-0.001"])
def test_numbers_that_are_none_are_refused(number):
    text = encode([OPENING, AROUND]) + json.dumps(ONE).replace("0.001", number, 1).encode() + b"\n"
    with pytest.raises(BadRecord):
        Stream().feed(text)


def test_a_stream_has_a_size():
    with pytest.raises(BadRecord, match="more than 64 KiB"):
        Stream().feed(b"x" * 70_000)
    with pytest.raises(BadRecord, match="more than 16 MiB"):
        Stream().feed(b"\n" * (MAX_STREAM + 1))


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(data):
    made = Stream()
    try:
        made.feed(data)
    except BadRecord:
        return
    assert not made.is_whole


@given(st.integers(0, len(TRUTH) - 1), st.binary(min_size=1, max_size=3))
def test_a_stream_with_other_bytes_is_refused_or_still_of_two_variants(place, other):
    made = Stream()
    try:
        made.feed(TRUTH[:place] + other + TRUTH[place + len(other) :])
    except BadRecord:
        return
    assert len(made.timed) <= 2
