from __future__ import annotations

import re

import pytest

from matrix import known_errors
from matrix.errors import BadData
from matrix.known_errors import PATTERN, recognise

KNOWN = known_errors.load()


@pytest.mark.parametrize(("error", "text"), [(error, text) for error in KNOWN for text in error.examples])
def test_an_example_is_recognised_as_its_own_error(error, text):
    assert recognise(KNOWN, text) == error


def test_a_text_is_recognised_wherever_it_stands():
    text = (
        "Graph execution error:  Fused conv implementation does not support grouped convolutions for now.\n\t [[node]]"
    )
    assert recognise(KNOWN, text).id == "fused-conv-groups"
    assert recognise(KNOWN, "something else entirely") is None


@pytest.mark.parametrize(
    "pattern",
    ["", r"\d+", "a.b", "(a)", "(?=a)", "(?<=a)b", "(?:a+)+", "(?:a|b)*", "a++", "a{2}", r"\bword", "(?i)a", "[a",
     r"\1", "^a", "a$", "[^]", "é"],
)  # fmt: skip
def test_what_python_and_javascript_could_read_differently_is_refused(pattern):
    assert not re.search(PATTERN, pattern)


def test_a_pattern_outside_the_subset_is_told_with_its_line(tmp_path):
    (tmp_path / "known_errors.toml").write_text(
        '[[error]]\nid = "x"\npattern = "a.*b"\nname = "n"\nmeaning = "m"\n'
        'ways_round = ["w"]\nlinks = []\nexamples = ["ab"]\n'
    )
    with pytest.raises(BadData, match=r"known_errors.toml:3: pattern: "):
        known_errors.load(tmp_path)
