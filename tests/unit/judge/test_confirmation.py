from __future__ import annotations

import msgspec
from unit.fabricated import error, record, where

from matrix.judge.confirmation import marked
from matrix.judge.verdicts import judge
from matrix.record import records
from matrix.record.records import Record
from matrix.report.report import report


def run(day: int, change=lambda cell: {}, **changes) -> Record:
    return record(change, started=f"2026-01-{day:02}T00:00:00Z", **changes)


REFUSED = where(check="forward", **error())
WRONG = where(check="forward", outcome="wrong")


def test_a_verdict_that_changes_is_seen_once_until_a_second_run_says_the_same():
    works, refused = run(1), marked(run(2, REFUSED), run(1))
    last = {one.approach: one.word for one in judge([works])}["nn-conv2d"]
    assert refused.header.seen_once == {"nn-conv2d": last}
    assert marked(run(3, REFUSED), refused).header.seen_once is None, "it is confirmed"
    assert marked(run(3), refused).header.seen_once is None, "it is as it was"
    assert marked(run(3, WRONG), refused).header.seen_once == {"nn-conv2d": last}, "another one is seen once"
    assert marked(refused, refused).header.seen_once == refused.header.seen_once, "the same run confirms nothing"


def test_only_what_differs_in_nothing_else_is_compared():
    assert marked(run(2, REFUSED, suite_sha256="a" * 64), run(1)).header.seen_once is None
    assert marked(run(2, REFUSED, lock_sha256="a" * 64), run(1)).header.seen_once is None
    assert marked(run(2, REFUSED), None).header.seen_once is None


def test_what_a_record_says_of_itself_does_not_count():
    said = run(1, seen_once={"nn-conv2d": "fused"})
    assert marked(said, None).header.seen_once is None


def test_the_table_tells_it(tmp_path):
    once = marked(run(2, REFUSED), run(1))
    assert msgspec.json.encode(once.header)
    records.write(tmp_path, once)
    entries = {one.approach: one for one in report(tmp_path, None).support.verdicts}
    assert entries["nn-conv2d"].seen_once and not entries["split-concat"].seen_once
    assert any(note.startswith("Seen once: before the run of 2026-01-02 it was") for note in entries["nn-conv2d"].notes)
    assert "Seen once: before the run of" in (tmp_path / "SUPPORT.md").read_text()


def test_what_was_unknown_before_is_no_verdict_to_differ_from():
    ended = run(1, lambda cell: None, status="partial", reason="it died with SIGKILL", machine=True)
    assert marked(run(2), ended).header.seen_once is None
