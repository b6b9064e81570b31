"""The whole way on a real TensorFlow: what a person types, and what is then on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from matrix.base import paths
from matrix.catalog.releases import Release
from matrix.record import records
from matrix.record.records import Record

CORE = "g4-k3/bias_relu/f32/nhwc"


def command(release: Release, reports: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "matrix", "run", "--engine=venv", f"--release={release.version}",
            f"--reports={reports}", *more]  # fmt: skip


def matrix(release: Release, reports: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(release, reports, *more), cwd=paths.ROOT, capture_output=True, text=True, check=True, timeout=3600
    )


@pytest.fixture(scope="module")
def reports(release, environment, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    matrix(release, folder)
    return folder


def read(reports: Path) -> dict[str, Record]:
    return {record.header.profile: record for record in records.read_all(reports)}


def test_every_profile_has_a_whole_record(reports, release):
    made = read(reports)
    assert set(made) == {"default", "onednn-on", "onednn-off"}
    assert made["default"].header.same_as in {made["onednn-on"].header.run, made["onednn-off"].header.run}
    for profile in ("onednn-on", "onednn-off"):
        assert made[profile].header.status == "complete"
        assert made[profile].header.onednn == (profile == "onednn-on")
        assert not [one for one in made[profile].observations if one.outcome == "skipped"]
    assert (reports / "SUPPORT.md").is_file() and (reports / "support.json").is_file()


def test_what_is_known_of_2_8_4_is_observed(reports, release):
    if release.version != "2.8.4":
        pytest.skip(f"what is known is of 2.8.4; here is {release.version}")
    observations = read(reports)["onednn-off"].observations
    seen = {(one.approach, one.mode, one.check): one for one in observations if one.case == CORE}
    refused = seen["nn-conv2d", "graph", "forward"]
    assert refused.outcome == "error"
    assert refused.error and "does not support grouped convolutions" in refused.error.message
    assert seen["nn-conv2d", "eager", "forward"].outcome == "pass"
    assert seen["nn-conv2d", "eager", "gradient"].outcome == "error"
    assert seen["split-concat", "graph", "gradient"].outcome == "pass"


def test_a_second_call_runs_nothing(reports, release):
    before = {file: file.stat().st_mtime_ns for file in reports.rglob("*") if file.is_file()}
    told = matrix(release, reports)
    assert "0 runs due, 3 current: nothing to do" in told.stdout
    after = {file: file.stat().st_mtime_ns for file in reports.rglob("*") if file.is_file()}
    assert before == after


def test_after_a_kill_it_goes_on_and_the_records_are_the_same(reports, release, tmp_path):
    """Killed once the first run is recorded; another, of hundreds of cells, is then under way on any machine."""
    with subprocess.Popen(command(release, tmp_path), cwd=paths.ROOT, stdout=subprocess.PIPE, text=True) as killed:
        assert any("complete in" in line or "the same as" in line for line in killed.stdout)
        killed.kill()
    recorded = len(list(tmp_path.rglob("*.jsonl")))
    assert 0 < recorded < 3
    told = matrix(release, tmp_path)
    assert f"{recorded} current" in told.stdout
    undisturbed, again = (
        {name: record.observations for name, record in read(of).items()} for of in (reports, tmp_path)
    )
    assert again == undisturbed
    assert not [file for file in tmp_path.rglob(".*") if file.name != ".lock"]
