from __future__ import annotations

import pytest
from msgspec import structs
from unit.fabricated import record, where

from matrix.answers.findings import find
from matrix.catalog import findings
from matrix.judge import judged

RULE = findings.Finding(id="a", harm="wrong", says="It is wrong.", why="Seen.", approaches=["depthwise"])


@pytest.fixture(scope="module")
def concluded():
    """Depthwise is wrong in 2.8.4 and 2.9.3 when run eagerly, and right before and after."""
    wrong = where(
        "forward", "eager", of="none", approach="depthwise", outcome="wrong", reason="output: nothing like it"
    )
    made = [
        record(change, release=release, run=f"tf{release}-py39-cpu+onednn-off")
        for release, change in (("2.6.5", where()), ("2.8.4", wrong), ("2.9.3", wrong), ("2.10.1", where()))
    ]
    return judged.conclude(made, [])


def test_a_finding_says_where_since_when_and_what_to_write(concluded):
    (found,), unnamed = find(concluded, [RULE])
    assert found.releases == "2.8.4 to 2.9.3"
    assert found.since == "2.8.4 (2.6.5, the release run before it: pass), up to 2.9.3 (2.10.1: pass)"
    assert found.is_gone and not found.by_default and not unnamed
    assert [one.cell for one in found.evidence] == [
        "tf2.9.3-py39-cpu+onednn-off/depthwise/eager/forward/g16-k3-cm1/none/f32/nhwc"
    ]
    assert {one.words for one in found.instead} >= {
        "Put it into a tf.function",
        "Take TensorFlow 2.10.1 with TF_ENABLE_ONEDNN_OPTS=0",
    }
    assert "should be" in found.script and found.script in found.report


def test_what_no_rule_covers_is_named(concluded):
    found, unnamed = find(concluded, [structs.replace(RULE, cases=["*/bf16/*"])])
    assert found == []
    assert unnamed == ["wrong: depthwise, forward, g16-k3-cm1/none/f32/nhwc, for example tf2.8.4-py39-cpu+onednn-off"]


def test_the_first_rule_that_covers_an_observation_has_it(concluded):
    found, _ = find(concluded, [RULE, structs.replace(RULE, id="b")])
    assert [one.finding.id for one in found] == ["a"]
