from __future__ import annotations

import itertools
from dataclasses import replace

import msgspec
import pytest
from click.testing import CliRunner
from unit.fabricated import error, header, record, where

from matrix.answers.diff import diff, lines, markdown
from matrix.base.errors import BadUsage
from matrix.catalog import releases
from matrix.cli.main import cli
from matrix.judge import history
from matrix.record import records
from matrix.record.records import Record
from matrix.report.report import report
from matrix.suite import catalog as suite

DATA = releases.load()
CELL = "nn-conv2d/graph/forward/g4-k3/bias_relu/f32/nhwc"
REFUSED = where("forward", "graph", of="bias_relu", **error("no"))


def publish(folder, *made: Record):
    for one in made:
        records.write(folder, one)
    return folder


def newer(change=lambda cell: {}, **fields) -> Record:
    return record(change, **{"run": "tf2.9.3-py310-cpu+onednn-off", "release": "2.9.3"} | fields)


def test_releases_are_compared_cell_by_cell(tmp_path):
    found = diff(publish(tmp_path, record(REFUSED), newer()), "2.8", "2.9.3", DATA)
    (pair,) = found.pairs
    base = [one for one in pair.differences if one.cell == CELL]
    assert (found.axis, pair.before, pair.after) == (
        "release",
        "tf2.8.4-py310-cpu+onednn-off",
        "tf2.9.3-py310-cpu+onednn-off",
    )
    assert [(one.what, one.before.outcome, one.after.outcome) for one in base] == [("changed", "error", "pass")]
    assert pair.unchanged + len(pair.differences) == len(suite.cells())
    assert any(CELL.split("/", 3)[3] in line and "error" in line for line in lines(found))


def on(host_class, change=lambda cell: {}, **fields) -> Record:
    host = msgspec.structs.replace(header().host, host_class=host_class)
    return record(change, **{"host": host, "profile": "onednn-on", "run": "tf2.8.4-py310-cpu+onednn-on"} | fields)


def test_host_classes_are_compared_by_the_setting_and_not_by_what_is_their_default(tmp_path):
    default = {"profile": "default", "run": "tf2.8.4-py310-cpu+default", "status": "not_run"}
    publish(tmp_path, on("x86-amx", onednn=True), on("x86-avx2-amd", REFUSED, onednn=True))
    for host_class, same in (("x86-amx", "onednn-on"), ("x86-avx2-amd", "onednn-off")):
        publish(tmp_path, on(host_class, lambda cell: None, **default, same_as=f"tf2.8.4-py310-cpu+{same}"))
    found = diff(tmp_path, "x86-amx", "x86-avx2-amd", DATA)
    (pair,) = found.pairs
    assert (found.axis, pair.host_class) == ("host class", "x86-amx -> x86-avx2-amd")
    assert CELL in {one.cell for one in pair.differences}


def test_every_host_class_is_compared_with_itself(tmp_path):
    classes = ("x86-amx", "x86-avx2-amd")
    publish(tmp_path, *(on(one) for one in classes), *(newer(host=on(one).header.host, profile="onednn-on",
            run="tf2.9.3-py310-cpu+onednn-on") for one in classes))  # fmt: skip
    assert [pair.host_class for pair in diff(tmp_path, "2.8.4", "2.9.3", DATA).pairs] == list(classes)


def test_what_is_absent_has_not_appeared_yet(tmp_path):
    absent = where(mode="keras", outcome="absent", reason="no tf.keras", evidence="executed")
    (pair,) = diff(publish(tmp_path, record(absent), newer()), "2.8.4", "2.9.3", DATA).pairs
    assert {one.what for one in pair.differences} == {"appeared"}
    (pair,) = diff(tmp_path, "2.9.3", "2.8.4", DATA).pairs
    assert {one.what for one in pair.differences} == {"disappeared"}


def test_what_one_side_did_not_observe_is_no_change(tmp_path):
    publish(tmp_path, record(lambda cell: None if cell[0] == "depthwise" else {}), newer(suite_sha256="0" * 64))
    found = diff(tmp_path, "2.8.4", "2.9.3", DATA)
    assert {one.what for one in found.pairs[0].differences} == {"one side only"}
    assert not found.pairs[0].same_suite and any("different suites" in line for line in lines(found))


def test_only_like_is_compared_with_like(tmp_path):
    on = newer(profile="onednn-on", run="tf2.9.3-py310-cpu+onednn-on")
    publish(tmp_path, record(), newer(), on)
    found = diff(tmp_path, "2.8.4", "2.9.3", DATA)
    assert [pair.after for pair in found.pairs] == ["tf2.9.3-py310-cpu+onednn-off"]
    assert found.alone == ["tf2.9.3-py310-cpu+onednn-on"]
    with pytest.raises(BadUsage, match="is a release and"):
        diff(tmp_path, "2.8.4", "onednn-on", DATA)
    with pytest.raises(BadUsage, match="no runs in common"):
        diff(tmp_path, "docker", "venv", DATA)


def test_profiles_are_compared_within_a_release(tmp_path):
    on = record(REFUSED, profile="onednn-on", run="tf2.8.4-py310-cpu+onednn-on")
    (pair,) = diff(publish(tmp_path, record(), on), "onednn-off", "onednn-on", DATA).pairs
    assert CELL in {one.cell for one in pair.differences}


def test_engines_are_compared_run_by_run(tmp_path):
    crash = where("forward", "graph", of="bias_relu", outcome="crash", signal="SIGSEGV", reason="died")
    found = diff(publish(tmp_path, record(engine="docker"), record(crash)), "docker", "venv", DATA)
    (pair,) = found.pairs
    assert (found.axis, pair.same_suite) == ("engine", True)
    assert {(one.before.outcome, one.after.outcome) for one in pair.differences} == {("pass", "crash")}
    assert any("pass -> crash (crash: SIGSEGV, died)" in line for line in lines(found))
    (item, *_) = markdown(found)
    assert item.startswith("- tf2.8.4-py310-cpu") and "crash" in item
    unbuilt = header(engine="docker", status="not_built", reason="no Python 3.14 here", observations=0)
    with pytest.raises(BadUsage, match="no runs in common"):
        diff(publish(tmp_path, Record(header=unbuilt)), "docker", "venv", DATA)


def test_default_is_compared_as_what_it_comes_to(tmp_path):
    same = Record(header=header("default", status="not_run", same_as="tf2.8.4-py310-cpu+onednn-off"))
    new = newer(REFUSED, profile="default", run="tf2.9.3-py310-cpu+default")
    (pair,) = diff(publish(tmp_path, record(), same, new), "2.8.4", "2.9.3", DATA).pairs
    assert pair.before == "tf2.8.4-py310-cpu+default (= onednn-off)" and pair.differences


def test_folders_are_compared_run_by_run(tmp_path):
    one, other = publish(tmp_path / "one", record(REFUSED)), publish(tmp_path / "other", record())
    assert diff(tmp_path, str(one), str(other), DATA).pairs[0].differences
    assert not diff(tmp_path, str(one), str(one), DATA).pairs[0].differences


@pytest.fixture
def months(tmp_path):
    """Two kept months: in the second one approach is refused and another release is there."""
    for name, *made in (("2026-03", record()), ("2026-04", record(REFUSED), newer())):
        for one in made:
            dated = replace(one, header=msgspec.structs.replace(one.header, started=f"{name}-15T00:00:00Z"))
            records.write(tmp_path, dated)
        report(tmp_path, None)
        history.keep(tmp_path)
    return tmp_path


def test_months_are_compared_verdict_by_verdict(months):
    found = diff(months, "2026-03", "2026-04", DATA)
    assert (found.axis, found.pairs, found.alone) == ("table", [], [])
    (change,) = found.changes
    assert (change.approach, change.release, change.needs["infer-graph"]) == ("nn-conv2d", "2.8.4", ("yes", "some"))
    assert change.verdict[0] != change.verdict[1] and change.deciding and change.than is None
    first, count = lines(found)
    assert "nn-conv2d, 2.8.4 on cpu, onednn-off" in first and "infer-graph yes -> some" in first
    assert count == "1 verdicts differ between 2026-03 and 2026-04"
    assert not diff(months, "2026-04", "2026-04", DATA).changes


def test_a_month_is_compared_with_what_is_published_now(months):
    assert not diff(months, "2026-04", str(months), DATA).changes
    assert diff(months, str(months / "support.json"), "2026-03", DATA).changes
    assert not diff(months, "2026-03", "2026-04", DATA, ["2.9.3"]).changes
    assert diff(months, "2026-03", "2026-04", DATA, ["2.8.4", "x86-avx2"]).changes


def test_a_month_is_compared_with_no_release_and_one_that_is_not_kept_is_lines(months):
    with pytest.raises(BadUsage, match=r"2026-03 is a table and 2\.8\.4 a release"):
        diff(months, "2026-03", "2.8.4", DATA)
    with pytest.raises(BadUsage, match="no table is named '2025-01'") as caught:
        diff(months, "2025-01", "2026-03", DATA)
    assert "2026-03, 2026-04" in caught.value.cure


def test_a_processor_chooses_the_host_class_and_the_summary_names_it(tmp_path):
    """Of two classes the nearer one is compared; all of it is counted in the first line."""
    for host_class, release in itertools.product(("x86-avx2-amd", "x86-amx"), ("2.8.4", "2.9.3")):
        host = msgspec.structs.replace(header().host, host_class=host_class)
        run = f"tf{release}-py310-cpu+onednn-off"
        records.write(tmp_path, record(release=release, run=run, host=host))
    asked = ["diff", "2.8.4", "2.9.3", f"--reports={tmp_path}"]
    both = CliRunner().invoke(cli, asked).stdout.splitlines()[0]
    assert both.startswith("0 of ") and both.endswith("in 2 pairs of runs, on x86-amx, x86-avx2-amd.")
    one = CliRunner().invoke(cli, [*asked, "--processor=zen3"]).stdout.splitlines()[0]
    assert one.endswith("in 1 pair of runs, on x86-avx2-amd.")
