from __future__ import annotations

import re

import pytest
from unit.fabricated import error, observe

from matrix.base.errors import BadData
from matrix.catalog import known_errors
from matrix.catalog.known_errors import LINK, PATTERN, failure_text, found_in, recognise, searched

KNOWN = known_errors.load()
CELL = ("nn-conv2d", "graph", "forward", "g4-k3/bias_relu/f32/nhwc")


@pytest.mark.parametrize(("error", "text"), [(error, text) for error in KNOWN for text in error.examples])
def test_an_example_is_recognised_as_its_own_error(error, text):
    assert recognise(KNOWN, text) == error


@pytest.mark.parametrize("error", KNOWN, ids=lambda error: error.id)
def test_what_is_told_is_told_in_sentences(error):
    assert all(told.endswith((".", ")")) for told in (error.meaning, *error.otherwise, *error.mend, *error.reported))


def test_a_text_is_recognised_wherever_it_stands_however_it_is_broken():
    text = (
        "Graph execution error:\n\nFused conv implementation does\n  not support grouped convolutions for now.\n[[n]]"
    )
    assert recognise(KNOWN, text).id == "fused-conv-groups"
    assert recognise(KNOWN, text.lower()).id == "fused-conv-groups"
    assert recognise(KNOWN, "something else entirely") is None


def test_only_ascii_letters_have_two_cases():
    """As in JavaScript without the flag `u`: the long s and the Kelvin sign are letters of their own."""
    assert found_in("ASK", "ask")
    assert not found_in("a\u017fk", "ask") and not found_in("as\u212a", "ask")


@pytest.mark.parametrize(
    ("observation", "text"),
    [
        (observe(CELL, **error("no")), "InvalidArgumentError: no"),
        (observe(CELL, outcome="crash", signal="SIGFPE"), "crash: SIGFPE"),
        (observe(CELL, outcome="crash", signal="SIGABRT", reason="Check failed: x"), "crash: SIGABRT, Check failed: x"),
        (observe(CELL, outcome="timeout"), "timeout: it does not say why"),
    ],
)
def test_a_failure_is_spoken_of_as_a_person_would_paste_it(observation, text):
    assert failure_text(observation) == text


@pytest.mark.parametrize(
    "pattern",
    ["", r"\d+", "a.b", "(a)", "(?=a)", "(?<=a)b", "(?:a+)+", "(?:a|b)*", "a++", "a{2}", r"\bword", "(?i)a", "[a",
     r"\1", "^a", "a$", "[^]", "é"],
)  # fmt: skip
def test_what_python_and_javascript_could_read_differently_is_refused(pattern):
    assert not re.search(PATTERN, pattern)


@pytest.mark.parametrize(
    "link",
    ["http://github.com/a/b/issues/1", "https://github.com/a/b", "https://evil.example/issues/1", "javascript:1"],
)
def test_a_link_leads_to_a_page_that_can_be_judged(link):
    assert not re.search(LINK, link)


def test_a_pattern_outside_the_subset_is_told_with_its_line(tmp_path):
    (tmp_path / "known_errors.toml").write_text(
        '[[error]]\nid = "x"\npattern = "a.*b"\nname = "n"\nmeaning = "m"\nlinks = []\nexamples = ["ab"]\n'
    )
    with pytest.raises(BadData, match=r"known_errors.toml:3: pattern: "):
        known_errors.load(tmp_path)


def test_whitespace_of_any_kind_is_one_space():
    assert searched(" a\u00a0b\n\n\tc ") == "a b c"
