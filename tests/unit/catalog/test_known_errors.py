from __future__ import annotations

import re

import pytest
from unit.fabricated import error, observe

from matrix.base.errors import BadData
from matrix.catalog import known_errors
from matrix.catalog.known_errors import LINK, failure_text, recognise

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
    "link",
    ["http://github.com/a/b/issues/1", "https://github.com/a/b", "https://evil.example/issues/1", "javascript:1"],
)
def test_a_link_leads_to_a_page_that_can_be_judged(link):
    assert not re.search(LINK, link)


def test_a_pattern_outside_the_subset_is_told_with_its_line(tmp_path):
    (tmp_path / "known_errors.toml").write_text(
        '[[error]]\nid = "x"\npatterns = ["a.*b"]\nname = "n"\nmeaning = "m"\nlinks = []\nexamples = ["ab"]\n'
    )
    with pytest.raises(BadData, match=r"known_errors.toml:3: patterns: "):
        known_errors.load(tmp_path)


def test_readings_name_only_what_is_read_in_the_text():
    """A sentence's place is a group of the error's patterns, or follows from one."""
    concluded = {"groups", "input", "filter", "output"}
    for known in KNOWN:
        groups = {name for pattern in known.patterns for name in re.findall(r"\(\?<([a-z]+)>", pattern)} | concluded
        texts = [known.name, known.meaning, *known.mend, *known.otherwise, *known.reported]
        for one in known.readings:
            texts += [one.name, one.meaning or "", *(one.mend or []), *(one.otherwise or []), *(one.reported or [])]
        assert {name for text in texts for name in re.findall(r"\{([a-z]+)\}", text)} <= groups, known.id
