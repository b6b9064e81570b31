from __future__ import annotations

import datetime
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from unit.fabricated import error, record

from matrix.answers import bisect, bisected
from matrix.answers.bisect import Question, by_records, by_trying, lines, search
from matrix.base.errors import BadUsage, MachineError
from matrix.catalog import releases
from matrix.record import records
from matrix.update.package_index import Offer

DAY = datetime.date(2022, 5, 1)
CELL = ("nn-conv2d", "graph", "forward", "g4-k3/bias_relu/f32/nhwc")
QUESTION = Question(cell=CELL, profile=releases.load().profile("onednn-off"))


def publish(folder, fails: dict[str, bool]):
    for release, failing in fails.items():
        change = (lambda cell: error("no") if cell == CELL else {}) if failing else (lambda cell: {})
        python = {"2.4": "38"}.get(release[:3], "310")
        records.write(folder, record(change, release=release, run=f"tf{release}-py{python}-cpu+onednn-off"))
    return folder


@given(st.integers(0, 60), st.data())
def test_the_turn_is_found_with_as_few_questions_as_halving_takes(count, data):
    turn = data.draw(st.integers(0, count))
    asked = []

    def is_good(version):
        asked.append(version)
        return int(version) < turn

    low, high = search([str(number) for number in range(count)], is_good)
    assert (low, high) == (turn - 1, turn)
    assert len(asked) == len(set(asked)) <= math.ceil(math.log2(count + 1))


@given(st.integers(1, 30), st.data())
def test_what_cannot_be_tried_widens_the_answer_and_nothing_else(count, data):
    turn = data.draw(st.integers(0, count))
    broken = data.draw(st.sets(st.integers(0, count - 1)))
    answers = {str(number): None if number in broken else number < turn for number in range(count)}
    low, high = search(list(answers), lambda version: answers[version])
    assert low < turn <= high
    assert low == -1 or answers[str(low)] is True
    assert high == count or answers[str(high)] is False
    assert all(number in broken for number in range(low + 1, high))


def test_records_answer_without_a_run_in_either_direction(tmp_path):
    publish(tmp_path, {"2.4.4": True, "2.5.3": True, "2.8.4": False, "2.9.3": False})
    found = by_records(QUESTION, "2.9.3", "2.4.4", tmp_path)
    assert (found.good.release, found.bad.release, found.flips) == ("2.8.4", "2.5.3", False)
    found = by_records(QUESTION, "2.4.4", "2.9.3", tmp_path)
    assert (found.good.release, found.bad.release) == ("2.5.3", "2.8.4")
    assert found.good.source == "tf2.5.3-py310-cpu+onednn-off"


def test_more_than_one_change_is_told(tmp_path):
    publish(tmp_path, {"2.4.4": True, "2.5.3": False, "2.8.4": True, "2.9.3": False})
    found = by_records(QUESTION, "2.9.3", "2.4.4", tmp_path)
    assert found.flips and (found.good.release, found.bad.release) == ("2.5.3", "2.4.4")


def between(tmp_path, monkeypatch, outcomes: dict[str, str | None]):
    """Narrow 2.8.4, which fails, to 2.9.3, which passes, over these builds; a build with None cannot be tried."""
    publish(tmp_path, {"2.8.4": True, "2.9.3": False})
    builds = [Offer(project="tensorflow", version=Version(name), python=(3, 10), date=DAY) for name in outcomes]
    monkeypatch.setattr(bisect.package_index, "address", lambda: "nowhere")
    monkeypatch.setattr(bisect.package_index, "ask", lambda project, _: builds if project == "tensorflow" else [])

    def tried(_question, release, _say):
        if outcomes[release.version] is None:
            raise MachineError("cannot be installed")
        return outcomes[release.version]

    monkeypatch.setattr(bisect, "_try", tried)
    said = []
    found = by_records(QUESTION, "2.9.3", "2.8.4", tmp_path)
    return by_trying(QUESTION, found, said.append, agreed=lambda _: True), said


BAD = "InvalidArgumentError: no"


def test_builds_in_between_are_tried_as_few_as_needed(tmp_path, monkeypatch):
    builds = {"2.9.0rc0": BAD, "2.9.0rc1": BAD, "2.9.0rc2": "pass", "2.9.0": "pass", "2.9.1": "pass", "2.9.2": "pass"}
    found, said = between(tmp_path, monkeypatch, builds | {"2.10.0": "never", "2.8.0": "never"})
    assert (found.good.release, found.bad.release) == ("2.9.0rc2", "2.9.0rc1")
    assert len(found.tried) <= 3 and all(one.source == "tried here" for one in found.tried)
    assert said[0] == "6 builds lie between 2.9.3 and 2.8.4"
    assert f"builds tried: {len(found.tried)}" in "\n".join(lines(QUESTION, found))


def test_a_build_that_cannot_be_tried_is_told_and_its_neighbours_are_asked(tmp_path, monkeypatch):
    found, _ = between(tmp_path, monkeypatch, {"2.9.0rc0": BAD, "2.9.0": None, "2.9.1": "pass"})
    assert (found.good.release, found.bad.release, found.skipped) == ("2.9.1", "2.9.0rc0", ("2.9.0",))
    assert "could not be tried: 2.9.0" in "\n".join(lines(QUESTION, found))


def test_ends_that_do_the_same_or_are_unknown_are_a_clear_error(tmp_path):
    publish(tmp_path, {"2.5.3": False, "2.8.4": False})
    with pytest.raises(BadUsage, match="do the same: pass"):
        by_records(QUESTION, "2.5.3", "2.8.4", tmp_path)
    with pytest.raises(BadUsage, match=r"was not observed on 2\.9\.3"):
        by_records(QUESTION, "2.5.3", "2.9.3", tmp_path)


def test_what_is_no_release_is_a_mistake(tmp_path):
    with pytest.raises(BadUsage, match="'foo', so no release of TensorFlow"):
        by_records(QUESTION, "foo", "2.8.4", publish(tmp_path, {"2.8.4": True}))


def test_a_report_tells_the_first_build_that_a_bisection_found(tmp_path, monkeypatch):
    found, _ = between(tmp_path, monkeypatch, {"2.9.0rc0": BAD, "2.9.0": "pass"})
    answer = bisected.Answer(cell="/".join(CELL), profile="onednn-off", by_records=found, narrowed=found)
    bisected.keep(answer, tmp_path)
    last = "The last build that does this is 2.9.0rc0; 2.9.0: pass."
    assert bisected.edge_in_words(CELL, "onednn-off", BAD, tmp_path) == last
    first = "The first build that does this is 2.9.0; 2.9.0rc0: InvalidArgumentError: no."
    assert bisected.edge_in_words(CELL, "onednn-off", "pass", tmp_path) == first
    assert not bisected.edge_in_words(CELL, "onednn-on", BAD, tmp_path)
    assert not bisected.edge_in_words(CELL, "onednn-off", "crash", tmp_path)
    (tmp_path / "found" / f"{'/'.join(CELL).replace('/', ',')}+onednn-off.json").write_text("{")
    assert not bisected.edge_in_words(CELL, "onednn-off", BAD, tmp_path)
