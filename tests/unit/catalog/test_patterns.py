from __future__ import annotations

import re

import pytest

from matrix.catalog import clues, known_errors, patterns
from matrix.catalog.patterns import AT_ONCE, PATTERN, REACH, Searched, literal, searched

EVERY = [one for error in known_errors.load() for one in error.patterns]
EVERY += [one for clue in clues.load() for one in clue.patterns]


def found(text: str, pattern: str) -> bool:
    return Searched(text).find(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    ["", r"\d+", "a.b", "(a)", "(?=a)", "(?<=a)b", "(?:a+)+", "(?:a|b)*", "a++", "a*", "a+", "a{2}", "a{2,}",
     "a{1,900}", "(?:a){1,9}", r"\bword", "(?i)a", "[a", r"\1", "^a", "a$", "[^]", "é"],
)  # fmt: skip
def test_what_two_languages_read_differently_or_takes_long_is_refused(pattern):
    assert not re.search(PATTERN, pattern)


@pytest.mark.parametrize("pattern", EVERY)
def test_every_pattern_is_looked_for_by_a_literal(pattern):
    """So that only little of a large text is tried."""
    assert len(literal(pattern)) >= 2
    assert re.search(PATTERN, pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("a?bcd[0-9]{1,3}ef", "bcd"), ("(?:long|words)ab", "ab"), ("(?<name>inner)outer", "outer"), (r"a\(b\)", "a(b)"),
     ("x|y", ""), ("Upper", "upper")],
)  # fmt: skip
def test_a_literal_is_in_every_match(pattern, text):
    assert literal(pattern) == text


def test_only_ascii_letters_have_two_cases():
    """As in JavaScript without the flag `u`: the long s and the Kelvin sign are letters of their own."""
    assert found("ASK", "ask")
    assert not found("a\u017fk", "ask") and not found("as\u212a", "ask")


def test_whitespace_of_any_kind_is_one_space_and_quotes_are_plain():
    assert searched(" a\u00a0b\n\n\tc\u2028d\ufeffe ") == "a b c d e"
    assert searched("doesn\u2019t \u201cfit\u201d") == 'doesn\'t "fit"'


@pytest.mark.parametrize("before", [0, 1, AT_ONCE - 5, AT_ONCE, AT_ONCE + REACH, 3 * AT_ONCE + 7])
def test_a_match_is_found_wherever_it_stands(before):
    """Also behind many occurrences of its literal that are none."""
    text = ("no primitive descriptor here; " * (before // 30 + 1))[:before]
    text += " could not create a big primitive descriptor"
    assert found(text, "could not create a [a-z ]{0,60}primitive descriptor")


def test_little_is_tried_of_a_hostile_text(monkeypatch):
    """However often the literal comes, the windows that are tried hardly overlap."""
    tried = []
    pattern = "could not create a [a-z ]{0,60}primitive descriptor"

    class Counting:
        def search(self, text, start, end):
            tried.append(min(end, len(text)) - start)

    monkeypatch.setattr(patterns, "_compiled", lambda one: Counting())
    text = "could not be a primitive descriptor " * 10_000
    assert not found(text, pattern)
    assert sum(tried) < 1.5 * len(text)


def test_groups_are_what_the_text_says():
    match = Searched("Depth of output (512) is not").find(r"Depth of output \((?<output>[0-9]{1,9})\)")
    assert match.groupdict() == {"output": "512"}
