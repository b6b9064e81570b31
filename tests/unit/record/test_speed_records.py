from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.timings import run

from matrix.base.errors import BadRecord
from matrix.record import records, speed_records

MADE = run()
TRUTH = speed_records.encode(MADE)
DOCUMENT = json.loads(TRUTH)


def test_what_is_written_is_read(tmp_path):
    file = speed_records.write(tmp_path, MADE)
    assert file == tmp_path / "runs" / "x86-avx2" / "venv" / "tf2.8.4-py310-cpu+onednn-on.speed.json"
    assert speed_records.read(file) == MADE
    assert speed_records.encode(speed_records.read(file)) == file.read_bytes()
    assert speed_records.readable(tmp_path) == ([MADE], ())


def test_of_two_engines_the_container_counts(tmp_path):
    docker = run(engine="docker")
    for made in (docker, MADE, run(profile="onednn-off", run="tf2.8.4-py310-cpu+onednn-off")):
        speed_records.write(tmp_path, made)
    found = speed_records.of_release(tmp_path, "x86-avx2", "2.8.4", "cpu")
    assert [(one.profile, one.engine) for one in found] == [("onednn-off", "venv"), ("onednn-on", "docker")]
    assert speed_records.of_release(tmp_path, "x86-avx2", "2.8", "cpu") == []


def test_it_is_no_record_of_correctness(tmp_path):
    speed_records.write(tmp_path, MADE)
    assert records.files(tmp_path) == []


def test_a_peer_has_its_own_name():
    peer = run(profile=None, run="peer-torch-py311-cpu", peer="torch", release="2.13.0")
    assert speed_records.decode(speed_records.encode(peer)) == peer


def changed(change) -> bytes:
    document = json.loads(TRUTH)
    change(document)
    return json.dumps(document).encode()


POINT = DOCUMENT["points"][0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda it: it.update(format="speed/2"), "speed/2"),
        (lambda it: it.update(secret=1), "unknown field"),
        (lambda it: it.update(release="2.9.3"), "is not of 2.9.3"),
        (lambda it: it.update(run="../../etc/passwd"), "run"),
        (lambda it: it.update(started="2026-13-01T00:00:00Z"), "no time"),
        (lambda it: it.update(started="9999-01-01T00:00:00Z"), "one of them is wrong"),
        (lambda it: it.update(seconds=1e308), "<= 604800"),
        (lambda it: it.pop("profile"), "neither a profile nor a peer"),
        (lambda it: it.update(peer="torch"), "or of both"),
        (lambda it: it.update(run="peer-torch-py311-cpu"), "or of both"),
        (lambda it: it.update(run="peer-torch-py311-cpu", peer="jax", profile=None), "is not of the peer jax"),
        (lambda it: it["points"].append(POINT), "twice"),
        (lambda it: it["points"][0]["variants"].append(POINT["variants"][0]), "twice"),
        (lambda it: it["points"][0].update(variants=[]), "not timed"),
        (lambda it: it["points"][0]["variants"][0].pop("median"), "neither a time nor a failure"),
        (lambda it: it["points"][0].update(fastest="slice-loop"), "the fastest was not timed"),
        (lambda it: it["points"][0]["ratios"][0].update(interval=[2, 1]), "ends before it begins"),
        (lambda it: it["points"][0]["ratios"][0].update(interval=[1]), "interval"),
        (lambda it: it["points"][0]["ratios"][0].update(word="quick"), "quick"),
    ],
)
def test_what_is_not_true_to_the_contract_is_refused(change, why):
    with pytest.raises(BadRecord, match=why):
        speed_records.decode(changed(change))


def test_a_word_follows_from_its_interval_whatever_the_file_says():
    def lie(document):
        document["points"][0]["ratios"][0].update(interval=[0.5, 2.0], word="faster")

    assert speed_records.decode(changed(lie)).points[0].ratios[0].word == "cannot tell"


def test_it_must_lie_where_it_says(tmp_path):
    file = speed_records.write(tmp_path, MADE)
    moved = file.with_name("tf2.9.3-py310-cpu+onednn-on.speed.json")
    file.rename(moved)
    with pytest.raises(BadRecord, match="says that it belongs at"):
        speed_records.read(moved)
    assert [str(fault).partition(": ")[0] for fault in speed_records.readable(tmp_path)[1]] == [str(moved)]


def test_a_link_and_a_huge_file_are_not_read(tmp_path):
    file = speed_records.write(tmp_path, MADE)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadRecord, match="not a plain file"):
        speed_records.read(file)
    file.unlink()
    file.write_bytes(b" " * (speed_records.MAX_FILE + 1))
    with pytest.raises(BadRecord, match="larger than"):
        speed_records.read(file)


@given(st.integers(0, len(TRUTH) - 1), st.binary(min_size=1, max_size=4))
def test_any_bytes_are_taken_or_refused(place, other):
    try:
        made = speed_records.decode(TRUTH[:place] + other + TRUTH[place + len(other) :])
    except BadRecord:
        return
    assert Path(speed_records.path(Path("x"), *speed_records.place(made))).parts[:2] == ("x", "runs")
