from __future__ import annotations

from click.testing import CliRunner
from unit.fabricated import record
from unit.timings import run

from matrix.base.errors import BadRecord
from matrix.cli.main import cli
from matrix.record import records, speed_records
from matrix.speed import speed_merge

OLD, NEW = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def brought(folder, *made):
    for number, one in enumerate(made):
        speed_records.write(folder / f"speed-attempt-{number}", one)
    return [folder]


def merged(folder, reports) -> speed_merge.Chosen:
    chosen = speed_merge.choose([folder], reports)
    speed_merge.write(chosen, reports)
    return chosen


def test_of_a_run_the_newest_is_published_wherever_it_came_from(tmp_path):
    old, new, other = run(started=OLD), run(started=NEW), run(run="tf2.8.4-py310-cpu+onednn-off", profile="onednn-off")
    brought(tmp_path / "collected", new, old, other)
    speed_records.write(tmp_path / "reports", run(started="2025-12-01T00:00:00Z"))
    chosen = merged(tmp_path / "collected", tmp_path / "reports")
    assert (chosen.found, len(chosen.better), chosen.faults) == (3, 2, ())
    assert speed_records.readable(tmp_path / "reports")[0] == [other, new]


def test_what_is_published_already_and_newer_stays(tmp_path):
    brought(tmp_path / "collected", run(started=OLD))
    file = speed_records.write(tmp_path / "reports", run(started=NEW))
    before = file.stat().st_mtime_ns
    assert merged(tmp_path / "collected", tmp_path / "reports").better == ()
    assert file.stat().st_mtime_ns == before


def test_a_deeper_one_of_the_same_inputs_stays_and_of_others_goes(tmp_path):
    brought(tmp_path / "collected", run(started=NEW, depth="quick"))
    speed_records.write(tmp_path / "reports", run(started=OLD, depth="full"))
    assert merged(tmp_path / "collected", tmp_path / "reports").better == ()
    speed_records.write(tmp_path / "reports", run(started=OLD, depth="full", speed_sha256="0" * 64))
    assert len(merged(tmp_path / "collected", tmp_path / "reports").better) == 1


def test_of_two_of_the_same_second_that_differ_neither_is_taken(tmp_path):
    brought(tmp_path / "collected", run(started=NEW), run(started=NEW, processes=4))
    found = merged(tmp_path / "collected", tmp_path / "reports")
    assert "which is the newer is open" in str(found.faults[0]) and found.better == ()
    assert not (tmp_path / "reports").exists()


def test_the_verb_puts_speed_beside_the_records_and_names_what_is_no_file_of_it(tmp_path):
    brought(tmp_path / "collected", run(started=NEW))
    records.write(tmp_path / "collected" / "shard", record())
    broken = tmp_path / "collected" / "shard" / "runs" / "x86-avx2" / "venv" / "tf2.9.3-py310-cpu+onednn-on.speed.json"
    broken.write_text("{}")
    told = CliRunner().invoke(cli, ["merge", str(tmp_path / "collected"), f"--reports={tmp_path / 'reports'}"])
    assert "1 speed files, 1 of them new or better than before" in told.stdout.replace("\n", " ")
    assert isinstance(told.exception, BadRecord) and broken.name in str(told.exception)
    assert len(records.files(tmp_path / "reports")) == len(speed_records.SPEED.files(tmp_path / "reports")) == 1
