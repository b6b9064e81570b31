from __future__ import annotations

import lzma
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from unit.fabricated import error, record, where

from matrix.answers import table_diff
from matrix.base import paths
from matrix.base.errors import BadRecord, BadUsage
from matrix.cli.main import cli
from matrix.judge import history
from matrix.judge.support import Support
from matrix.record import records
from matrix.record.records import Record
from matrix.report.report import report


def published(folder: Path, *made: Record) -> Support:
    for one in made:
        records.write(folder, one)
    return report(folder, None).support


def month(folder: Path, name: str) -> Support:
    return published(folder, record(started=f"{name}-15T00:00:00Z"))


def test_a_table_is_kept_under_the_month_of_its_newest_run(tmp_path):
    table = published(
        tmp_path,
        record(started="2026-03-31T23:59:59Z"),
        record(profile="onednn-on", run="tf2.8.4-py310-cpu+onednn-on", started="2026-01-01T00:00:00Z"),
    )
    assert history.keep(tmp_path) == tmp_path / "history" / "2026-03.json.xz"
    assert history.table("2026-03", tmp_path) == table
    assert history.table(str(tmp_path), tmp_path) == history.table(str(tmp_path / "support.json"), tmp_path) == table


def test_within_a_month_the_last_table_is_kept_and_the_same_is_not_written_again(tmp_path):
    month(tmp_path, "2026-03")
    file = history.keep(tmp_path)
    before = file.stat().st_mtime_ns
    assert history.keep(tmp_path) == file and file.stat().st_mtime_ns == before
    newer = published(tmp_path, record(where(check="forward", **error()), started="2026-03-20T00:00:00Z"))
    history.keep(tmp_path)
    assert history.table("2026-03", tmp_path) == newer and history.months(tmp_path) == ["2026-03"]


def test_what_is_older_than_that_is_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "MONTHS", 2)
    for name in ("2025-11", "2025-12", "2026-01", "2026-02"):
        month(tmp_path, name)
        history.keep(tmp_path)
    assert history.months(tmp_path) == ["2026-01", "2026-02"]


def test_the_published_table_takes_little_when_it_is_kept(tmp_path):
    table = (paths.REPORTS / "support.json").read_bytes()
    (tmp_path / "support.json").write_bytes(table)
    assert history.keep(tmp_path).stat().st_size < len(table) / 10


def test_a_table_without_a_run_cannot_be_kept(tmp_path):
    published(tmp_path)
    with pytest.raises(BadRecord, match="no run has been made"):
        history.keep(tmp_path)


def test_a_month_that_is_not_kept_names_those_that_are(tmp_path):
    month(tmp_path, "2026-03")
    history.keep(tmp_path)
    with pytest.raises(BadUsage, match="'2026-02'") as told:
        history.table("2026-02", tmp_path)
    assert "2026-03" in told.value.cure


@pytest.mark.parametrize(
    "data", [b"", b"hello", lzma.compress(b"{"), lzma.compress(b"[" * 10**6), lzma.compress(b"x")[:-9]]
)
def test_a_broken_table_is_told(tmp_path, data):
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "2026-02.json.xz").write_bytes(data)
    with pytest.raises(BadRecord, match=re.escape("2026-02.json.xz")):
        history.table("2026-02", tmp_path)


def test_a_table_of_what_is_no_release_is_refused(tmp_path):
    published(tmp_path, record())
    file = tmp_path / "support.json"
    file.write_bytes(file.read_bytes().replace(b'"release":"2.8.4"', b'"release":"no version"'))
    with pytest.raises(BadRecord, match="release"):
        history.table(str(tmp_path), tmp_path)


def test_a_table_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    month(tmp_path, "2026-03")
    history.keep(tmp_path)
    monkeypatch.setattr(history, "MOST_BYTES", 1000)
    with pytest.raises(BadRecord, match="larger than"):
        history.table("2026-03", tmp_path)


def test_a_verdict_that_is_another_is_a_change_and_names_its_needs(tmp_path):
    before = published(tmp_path / "1", record())
    after = published(tmp_path / "2", record(where(check="gradient", **error())))
    (change,) = table_diff.changes(before, after)
    assert change.verdict == ("works", "partial")
    assert change.needs == {"train": ("yes", "no")}
    assert table_diff.changes(before, before) == []


def test_a_need_can_change_and_the_word_stay(tmp_path):
    before = published(tmp_path / "1", record(where(check="gradient", **error())))
    after = published(tmp_path / "2", record(where(mode="eager", check="forward", **error())))
    (change,) = table_diff.changes(before, after)
    assert change.verdict == ("partial", "partial")
    assert change.needs == {"infer-eager": ("yes", "no"), "train": ("no", "yes")}


def test_what_one_side_does_not_know_has_not_changed(tmp_path):
    before = published(tmp_path / "1", record())
    after = published(tmp_path / "2", record(lambda cell: None, status="not_run", reason="because"))
    assert table_diff.changes(before, after) == table_diff.changes(after, before) == []


def test_a_nightly_build_is_compared_with_the_one_before(tmp_path):
    def nightly(day: int, change=lambda cell: {}) -> Record:
        release = f"2.23.0.dev2026010{day}"
        return record(change, release=release, run=f"tf{release}-py314-cpu+onednn-off")

    before = published(tmp_path / "1", nightly(1, where(check="forward", **error())), nightly(2))
    assert table_diff.changes(before, published(tmp_path / "2", nightly(3))) == []
    worse = published(tmp_path / "3", nightly(3, where(check="forward", **error())))
    (change,) = table_diff.changes(before, worse)
    assert change.than == "2.23.0.dev20260102"
    assert "than 2.23.0.dev20260102" in table_diff.line(change)


def test_the_verbs_keep_and_compare(tmp_path):
    published(tmp_path, record(started="2026-03-01T00:00:00Z"))
    run = CliRunner().invoke
    assert run(cli, ["keep", f"--reports={tmp_path}"]).exit_code == 0
    published(tmp_path, record(where(check="gradient", **error()), started="2026-04-01T00:00:00Z"))
    told = run(cli, ["diff", "2026-03", f"{tmp_path}/support.json", f"--reports={tmp_path}"])
    assert told.exit_code == 0 and "1 verdicts differ between" in told.stdout
    listed = run(cli, ["diff", "2026-03", str(tmp_path), f"--reports={tmp_path}", "--markdown"])
    text = MarkdownIt().render(listed.stdout)
    assert text.startswith("<ul>") and "nn-conv2d, 2.8.4 on cpu, onednn-off, x86-avx2" in text
    assert "works -&gt; partial; train yes -&gt; no; see tf2.8.4-py310-cpu+onednn-off/nn-conv2d" in text
    same = [f"{tmp_path}/support.json"] * 2
    assert run(cli, ["diff", *same, f"--reports={tmp_path}", "--markdown"]).stdout == ""
