from __future__ import annotations

import datetime
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
import pytest
from unit import fabricated

from matrix.base.errors import BadUsage, NotBuilt
from matrix.base.ids import Run, Target
from matrix.catalog import releases
from matrix.catalog.releases import Catalog, Profile, Release, Wheel
from matrix.catalog.suite_hash import suite_parts, suite_sha256
from matrix.plan.due import Estimate, current, estimate, quickest_first, still_true
from matrix.plan.planned_run import PlannedRun
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection, select_releases
from matrix.provision import interpreters
from matrix.provision.engines import venv
from matrix.record import host, records
from matrix.record.records import Record
from matrix.run import runner
from matrix.suite import catalog as suite


def release(version: str, landmark: str | None = None) -> Release:
    wheel = Wheel(requirement=f"tensorflow=={version}", python="3.10")
    return Release(version=version, date=datetime.date(2022, 1, 1), wheels={"cpu": wheel}, landmark=landmark)


@pytest.mark.parametrize(
    ("selector", "cure"),
    [("2.9..2.8", "turn it round: 2.8..2.9"), ("2.9.9", "nearest: "), ("", "there are: landmarks, recent, ")],
)
def test_a_release_that_is_none_is_told_with_what_there_is(selector, cure):
    with pytest.raises(BadUsage) as told:
        select_releases(releases.load(), [selector])
    assert told.value.cure.startswith(cure) and len(told.value.cure) < 200


def a_run(backend: str = "cpu") -> PlannedRun:
    target = Target(release="2.8.4", python="3.10", backend=backend)
    return PlannedRun(
        run=Run(target=target, profile="default"),
        release=CATALOG.releases[3],
        profile=CATALOG.profiles[0],
        engine="venv",
    )


VERSIONS = ("1.15.5", "2.4.4", "2.5.3", "2.8.4", "2.9.3", "2.10.1", "2.22.0rc0", "2.23.0.dev20261120")
CATALOG = Catalog(
    releases=tuple(release(version, "why" if version in {"2.4.4", "2.9.3"} else None) for version in VERSIONS),
    profiles=(
        Profile(name="default", environment={}, backends=["cpu"], why="w"),
        Profile(name="onednn-on", environment={"A": "1"}, backends=["cpu"], why="w", releases=">=2.5"),
    ),
)


@pytest.mark.parametrize(
    ("selectors", "chosen"),
    [
        (["2.8.4"], ["2.8.4"]),
        (["2.8"], ["2.8.4"]),
        (["2.5..2.9"], ["2.5.3", "2.8.4", "2.9.3"]),
        (["2.9", "1.15"], ["1.15.5", "2.9.3"]),
        (["2.22.0rc0"], ["2.22.0rc0"]),
        (["landmarks"], ["2.4.4", "2.9.3"]),
        (["recent"], list(VERSIONS[-5:])),
        (["nightly"], ["2.23.0.dev20261120"]),
        (["all"], list(VERSIONS)),
        (["2"], list(VERSIONS[1:])),
    ],
)
def test_selectors(selectors, chosen):
    assert [entry.version for entry in select_releases(CATALOG, selectors)] == chosen


@pytest.mark.parametrize(("selector", "near"), [("2.9.4", "2.9.3"), ("landmark", "landmarks"), ("2.7", "2.8.4")])
def test_an_unknown_selector_names_the_nearest(selector, near):
    with pytest.raises(BadUsage, match=f"no release is named '{selector}'") as told:
        select_releases(CATALOG, [selector])
    assert near in told.value.cure


@pytest.mark.parametrize("selector", ["", "..", "2.5..", "x", "2.5..x", "9.9..2.1"])
def test_a_selector_that_means_nothing_is_an_error(selector):
    with pytest.raises(BadUsage):
        select_releases(CATALOG, [selector])


def test_a_plan_is_ordered_by_release_and_knows_where_a_profile_holds():
    planned = plan_runs(CATALOG, Selection(releases=("2.4..2.5",)), "venv")
    assert [entry.run.id for entry in planned] == [
        "tf2.4.4-py310-cpu+default",
        "tf2.5.3-py310-cpu+default",
        "tf2.5.3-py310-cpu+onednn-on",
    ]


def test_a_selection_without_runs_is_an_error():
    with pytest.raises(BadUsage, match="no release of the catalog"):
        plan_runs(CATALOG, Selection(releases=("2.4",), profiles=("onednn-on",)), "venv")


def test_an_unknown_profile_names_the_nearest():
    with pytest.raises(BadUsage, match="no profile") as told:
        plan_runs(CATALOG, Selection(profiles=("onednn",)), "venv")
    assert "onednn-on" in told.value.cure


def test_selected_cells_are_the_same_to_the_suite_and_to_the_orchestrator():
    selection = Selection(approaches=("nn-conv2d", "depthwise"), checks=("gradient",))
    ids = {"/".join(cell) for cell in selection.cells(a_run())}
    matched = {
        "/".join(c) for c in suite.cells() if any(fnmatchcase("/".join(c), p) for p in selection.patterns(a_run()))
    }
    assert ids == matched and ids
    assert not selection.is_whole


def test_a_whole_selection_takes_every_cell_of_the_suite():
    assert Selection().cells(a_run()) == suite.cells() and Selection().patterns(a_run()) == ()


def test_without_its_device_a_run_is_a_plan_of_cells_that_need_none(monkeypatch):
    monkeypatch.setattr(host, "facts", lambda _: fabricated.header().host)
    assert a_run("cuda").virtual_device["vendor"] == "NVIDIA"
    assert a_run("cuda").cells == suite.planned_cells()
    assert a_run("cpu").virtual_device is None


def test_with_its_device_the_suite_is_executed(monkeypatch):
    monkeypatch.setattr(host, "facts", lambda _: msgspec.structs.replace(fabricated.header().host, gpu="NVIDIA H100"))
    assert a_run("cuda").virtual_device is None
    assert a_run("cuda").cells == suite.cells()


def test_planned_cells_ask_what_becomes_of_graphs_and_nothing_that_is_executed():
    cells = suite.planned_cells()
    assert {(cell.mode, cell.check) for cell in cells} == {("graph", "fusion")}
    assert len(set(cells)) == len(cells) <= 600
    for cell in cells:
        assert suite.parse_case(cell.case).id == cell.case


def test_what_had_no_interpreter_stands_until_there_is_one(tmp_path, monkeypatch):
    (planned,) = plan_runs(CATALOG, Selection(releases=("2.4",)), "venv")
    record = runner.not_built(planned, NotBuilt("CPython 3.10 is not on this machine", machine=True))
    monkeypatch.setattr(venv, "recipe", lambda target: "0" * 64)
    records.write(tmp_path, record)
    monkeypatch.setattr(interpreters, "find", lambda version: None)
    assert current(planned, tmp_path) == record
    monkeypatch.setattr(interpreters, "find", lambda version: tmp_path / "python")
    assert current(planned, tmp_path) is None


def published(planned: PlannedRun, folder: Path, parts: dict[str, str]) -> Record:
    """Write a complete record of the run, made by a suite with these parts."""
    header = fabricated.header(planned.run.profile, engine="venv", suite_parts=parts, suite_sha256="0" * 64)
    whole = fabricated.record()
    header = msgspec.structs.replace(
        header,
        run=planned.run.id,
        host=planned.host,
        recipe_sha256=runner.recipe_sha256(planned, "0" * 64),
        observations=len(whole.observations),
    )
    record = Record(header=header, observations=whole.observations)
    records.write(folder, record)
    return record


@pytest.mark.parametrize(
    ("made", "wanted", "is_current"),
    [
        ("full", "full", True),
        ("full", "core", True),
        (None, "full", True),  # from before there was a choice: everything
        ("core", "core", True),
        ("core", "full", False),
    ],
)
def test_a_record_of_the_core_spares_no_full_run(tmp_path, monkeypatch, made, wanted, is_current):
    monkeypatch.setattr(venv, "recipe", lambda target: "0" * 64)
    planned = replace(a_run(), depth=wanted)
    record = published(planned, tmp_path, suite_parts())
    today = msgspec.structs.replace(record.header, suite_sha256=suite_sha256(how="executed"), depth=made)
    records.write(tmp_path, replace(record, header=today))
    assert (current(planned, tmp_path) is not None) == is_current


def test_of_an_outdated_record_of_the_core_a_full_run_keeps_what_is_still_true(tmp_path, monkeypatch):
    monkeypatch.setattr(venv, "recipe", lambda target: "0" * 64)
    core = replace(a_run(), depth="core")
    record = published(core, tmp_path, suite_parts())
    seen = tuple(one for one in record.observations if one.cell in set(core.cells))
    header = msgspec.structs.replace(record.header, depth="core", observations=len(seen))
    records.write(tmp_path, Record(header=header, observations=seen))
    full = a_run()
    kept = still_true(full, tmp_path)
    assert kept is not None and kept.observations == seen
    assert set(Selection().cells(replace(full, kept=kept))) == set(full.cells) - set(core.cells)


@pytest.mark.parametrize(
    ("touched", "due"),
    [((), set()), (("split-concat",), {"split-concat"}), (("*",), set(suite.APPROACHES))],
    ids=["nothing", "one approach", "what all share"],
)
def test_only_what_a_change_of_the_suite_touches_is_observed_again(tmp_path, monkeypatch, touched, due):
    monkeypatch.setattr(venv, "recipe", lambda target: "0" * 64)
    planned = a_run()
    record = published(planned, tmp_path, suite_parts() | dict.fromkeys(touched, "0" * 12))
    assert current(planned, tmp_path) is None
    kept = still_true(planned, tmp_path)
    again = replace(planned, kept=kept)
    assert {cell[0] for cell in Selection().cells(again)} == due
    assert (kept is None) == (touched == ("*",))
    if kept:
        assert kept.observations == tuple(one for one in record.observations if one.approach not in due)
        assert set(Selection().patterns(again)) == {"/".join(cell) for cell in Selection().cells(again)} or not due


def test_a_case_more_is_all_that_is_observed_again(tmp_path, monkeypatch):
    monkeypatch.setattr(venv, "recipe", lambda target: "0" * 64)
    planned = a_run()
    record = published(planned, tmp_path, suite_parts())
    fewer = Record(
        header=msgspec.structs.replace(record.header, observations=len(record.observations) - 1),
        observations=record.observations[1:],
    )
    records.write(tmp_path, fewer)
    again = replace(planned, kept=still_true(planned, tmp_path))
    assert Selection().cells(again) == (record.observations[0].cell,)
    assert Selection().patterns(again) == ("/".join(record.observations[0].cell),)


def test_nothing_is_kept_of_another_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(venv, "recipe", lambda target: "0" * 64)
    planned = a_run()
    published(planned, tmp_path, suite_parts())
    monkeypatch.setattr(venv, "recipe", lambda target: "1" * 64)
    assert still_true(planned, tmp_path) is None


def test_nothing_is_kept_of_another_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(venv, "recipe", lambda target: "0" * 64)
    planned = a_run()
    published(planned, tmp_path, suite_parts())
    assert still_true(planned, tmp_path)
    other = msgspec.structs.replace(planned.host, cpu="Another processor of the same class")
    monkeypatch.setattr(host, "facts", lambda _: other)
    assert still_true(planned, tmp_path) is None


def test_the_target_that_ends_first_comes_first_and_the_others_stay_in_their_order():
    planned = plan_runs(releases.load(), Selection(releases=("2.8", "2.9", "2.10")), "venv")
    of = {one.run.id: 1.0 if one.release.version.startswith("2.9") else 60.0 for one in planned}
    ordered = [one.release.version for one in quickest_first(planned, Estimate(environments=0, of=of))]
    assert list(dict.fromkeys(ordered)) == ["2.9.3", "2.8.4", "2.10.1"]
    assert quickest_first((), Estimate(environments=0, of={})) == ()


def test_a_run_is_expected_to_take_as_long_as_here_before_for_as_many_cells(tmp_path):
    """A full record of this host class, one of another class, and a run of the core alone."""
    (full,) = plan_runs(releases.load(), Selection(releases=("2.8",), profiles=("onednn-off",)), "venv")
    here, count = full.host.host_class, len(full.cells)
    for host_class, seconds in ((here, 200.0), ("x86-base" if here != "x86-base" else "x86-avx", 7.0)):
        made = fabricated.header(run=full.run.id, release="2.8.4", profile="onednn-off", seconds=seconds, engine="venv",
                      host=msgspec.structs.replace(full.host, host_class=host_class))  # fmt: skip
        path = records.path(tmp_path, host_class, "venv", full.run.id)
        path.parent.mkdir(parents=True)
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(made, observations=count)) + b"\n")
    core = replace(full, depth="core")
    assert estimate([full], tmp_path, 1).of[full.run.id] - estimate([core], tmp_path, 1).of[full.run.id] == (
        pytest.approx(200 * (1 - len(core.cells) / count))
    )


def test_a_target_without_a_lock_is_planned_and_takes_no_time(tmp_path):
    planned = plan_runs(releases.load(), Selection(releases=("1.2",), backends=("cuda",)), "venv")
    assert [one.run.target.id for one in planned] == ["tf1.2.1-py36-cuda"]
    assert estimate(planned, tmp_path, 1).environments == 0
