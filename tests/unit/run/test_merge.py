from __future__ import annotations

import itertools
import os
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.fabricated import header, observe

from matrix.base import ids, paths
from matrix.base.errors import BadRecord
from matrix.catalog.suite_hash import suite_sha256
from matrix.cli.main import cli
from matrix.plan import shards
from matrix.plan.shards import Plan, Shard
from matrix.record import candidates, records
from matrix.record.records import Host, Record
from matrix.run import merge
from matrix.run.merge import Merged
from matrix.suite import catalog as suite

SUITES = {"executed": "a" * 64, "on_gpu": "c" * 64, "planned": "b" * 64}
NEWER, OLDER = "2026-01-02T03:04:05Z", "2026-01-01T00:00:00Z"
CELL = tuple(suite.cells()[0])


def run_id(release: str, profile: str = "onednn-off", backend: str = "cpu") -> str:
    return f"tf{release}-py310-{backend}+{profile}"


def made(run: str, *, started: str = NEWER, status: str = "complete", **changes) -> Record:
    parsed = ids.parse_run(run)
    seen = (observe(CELL),) if status in {"complete", "partial"} else ()
    fields = {
        "run": run, "release": parsed.target.release, "backend": parsed.target.backend, "profile": parsed.profile,
        "started": started, "status": status, "observations": len(seen),
        "suite_sha256": SUITES["executed"], "lock_sha256": "c" * 64,
        "reason": None if status == "complete" else "because",
    }  # fmt: skip
    return Record(header=header(**fields | changes), observations=seen)


def put(folder: Path, *those: Record) -> Path:
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    for record in those:
        records.write(folder, record)
    return folder


def a_plan(*of_shards: list[str], backend: str = "cpu") -> Plan:
    number = len(of_shards)
    made_ = [Shard(number=i, of=number, backend=backend, seconds=1, runs=runs) for i, runs in enumerate(of_shards, 1)]
    return Plan(suite_sha256=SUITES, shards={backend: made_})


def published(reports: Path) -> dict[str, Record]:
    return {record.header.run: record for record in records.read_all(reports)}


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


def test_what_shards_made_is_put_together(tmp_path, out):
    one, other = made(run_id("2.8.4")), made(run_id("2.9.3"))
    merged = merge.merge([put(tmp_path / "1", one), put(tmp_path / "2", other)], out, None)
    assert published(out) == {one.header.run: one, other.header.run: other}
    assert (merged.folders, merged.found, len(merged.written)) == (2, 2, 2)


def test_a_folder_of_shards_is_as_good_as_its_shards(tmp_path, out):
    put(tmp_path / "all" / "shard-1", made(run_id("2.8.4")))
    put(tmp_path / "all" / "shard-2", made(run_id("2.9.3")))
    (tmp_path / "all" / "plan").mkdir()
    assert merge.merge([tmp_path / "all"], out, None).folders == 2
    assert len(published(out)) == 2


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"started": OLDER}, {"started": NEWER}),
        ({"started": NEWER, "status": "partial"}, {"started": OLDER}),
        ({"started": NEWER, "status": "not_built"}, {"started": OLDER, "status": "partial"}),
        ({"started": NEWER, "status": "not_run"}, {"started": OLDER, "status": "not_imported"}),
        (
            {"started": NEWER, "status": "partial"},
            {"started": OLDER, "status": "not_run", "same_as": run_id("2.8.4", "x")},
        ),
    ],
)
@pytest.mark.parametrize("stands", [False, True], ids=["both come", "one stands"])
def test_the_newest_that_says_most_wins(tmp_path, out, worse, better, stands):
    bad, good = (made(run_id("2.8.4"), **fields) for fields in (worse, better))
    for first, second in itertools.permutations([bad, good]):
        where = out / str(first is bad)
        put(where if stands else tmp_path / "1", first)
        put(tmp_path / "2", second)
        merge.merge([tmp_path / "2"] if stands else [tmp_path / "1", tmp_path / "2"], where, None)
        assert published(where) == {good.header.run: good}


def test_the_same_record_twice_is_one(tmp_path, out):
    folders = [put(tmp_path / name, made(run_id("2.8.4"))) for name in "12"]
    assert len(merge.merge(folders, out, None).written) == 1
    assert merge.merge(folders, out, None).written == ()


@pytest.mark.parametrize("stands", [False, True])
def test_a_tie_is_refused_and_both_are_named(tmp_path, out, stands):
    one, other = made(run_id("2.8.4")), made(run_id("2.8.4"), seconds=3.0)
    first, second = put(out if stands else tmp_path / "1", one), put(tmp_path / "2", other)
    before = published(out)
    with pytest.raises(BadRecord, match=r"which of these is the newer is open") as told:
        merge.merge([second] if stands else [first, second], out, None)
    assert str(first / "runs") in str(told.value) and str(second / "runs") in str(told.value)
    assert published(out) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [({"suite_sha256": "d" * 64}, "suite dddddddddddd: 1 records"), ({"lock_sha256": "d" * 64}, "lock dddddddddddd")],
)
def test_what_is_not_comparable_is_refused_and_named(tmp_path, out, change, told):
    one, other = made(run_id("2.8.4")), made(run_id("2.8.4", "default"), **change)
    with pytest.raises(BadRecord, match=told):
        merge.merge([put(tmp_path / "1", one), put(tmp_path / "2", other)], out, None)
    assert not out.exists()


def test_locks_of_two_targets_may_differ_and_so_may_suites_of_executed_and_planned_runs(tmp_path, out):
    those = [
        made(run_id("2.8.4")),
        made(run_id("2.9.3"), lock_sha256="d" * 64),
        made(run_id("2.9.3", backend="cuda"), suite_sha256=SUITES["planned"], planned_for={"type": "GPU"}),
    ]
    merge.merge([put(tmp_path / "1", *those)], out, a_plan([one.header.run for one in those]))
    assert len(published(out)) == 3


def test_what_another_suite_than_the_plans_made_is_refused(tmp_path, out):
    folder = put(tmp_path / "1", made(run_id("2.8.4"), suite_sha256="d" * 64))
    with pytest.raises(BadRecord, match="suite dddddddddddd: 1 records"):
        merge.merge([folder], out, a_plan([run_id("2.8.4")]))


def test_what_stands_may_be_of_an_older_suite(tmp_path, out):
    put(out, made(run_id("2.8.4"), started=OLDER, suite_sha256="d" * 64), made(run_id("2.4.4"), suite_sha256="d" * 64))
    new = made(run_id("2.8.4"))
    merge.merge([put(tmp_path / "1", new)], out, None)
    assert published(out)[new.header.run] == new and len(published(out)) == 2


def test_what_was_not_planned_is_refused_but_for_another_profile_of_a_planned_target(tmp_path, out):
    folder = put(tmp_path / "1", made(run_id("2.8.4", "default")), made(run_id("2.8.4")))
    merge.merge([folder], out, a_plan([run_id("2.8.4", "default")]))
    with pytest.raises(BadRecord, match="not planned"):
        merge.merge([put(folder, made(run_id("2.9.3")))], out, a_plan([run_id("2.8.4")]))


def test_a_shard_that_brought_nothing_is_shown_as_not_run(tmp_path, out):
    usual = Host(host_class="x86-avx512", cpu="Most", cpu_flags=[], cores=2, kernel="6.1")
    those = [made(run_id("2.8.4"), host=usual), made(run_id("2.9.3"), host=usual), made(run_id("2.4.4"))]
    plan = a_plan([one.header.run for one in those], [run_id("2.15.1"), run_id("2.16.2")])
    merged = merge.merge([put(tmp_path / "1", *those)], out, plan)
    absent = published(out)[run_id("2.15.1")].header
    assert (absent.status, absent.host.host_class) == ("not_run", "x86-avx512")
    assert absent.reason == "shard 2/2 brought nothing; the host class is that of most other shards"
    assert {one.content.header.run for one in merged.absent} == {run_id("2.15.1"), run_id("2.16.2")}


def test_what_a_shard_did_not_get_to_is_shown_under_its_own_host_class(tmp_path, out):
    other = Host(host_class="x86-avx512", cpu="Most", cpu_flags=[], cores=2, kernel="6.1")
    those = [made(run_id("2.8.4"), host=other), made(run_id("2.9.3"), host=other), made(run_id("2.4.4"))]
    plan = a_plan([run_id("2.8.4"), run_id("2.9.3")], [run_id("2.4.4"), run_id("2.5.3")])
    merge.merge([put(tmp_path / "1", *those)], out, plan)
    absent = published(out)[run_id("2.5.3")].header
    assert (absent.reason, absent.host) == ("shard 2/2 ended before it", those[2].header.host)


def test_what_is_missing_does_not_replace_what_stands_and_gives_way_to_what_comes(tmp_path, out):
    plan = a_plan([run_id("2.8.4")], [run_id("2.9.3")], [run_id("2.4.4")])
    stands, late = made(run_id("2.9.3"), started=OLDER, suite_sha256="d" * 64), made(run_id("2.4.4"), started=OLDER)
    put(out, stands)
    merge.merge([put(tmp_path / "1", made(run_id("2.8.4")))], out, plan)
    assert published(out)[run_id("2.9.3")] == stands and published(out)[run_id("2.4.4")].header.status == "not_run"
    merge.merge([tmp_path / "1", put(tmp_path / "2", late)], out, plan)
    assert published(out)[run_id("2.4.4")] == late


def test_without_any_record_of_a_backend_no_host_class_is_made_up(tmp_path, out):
    plan = a_plan([run_id("2.8.4", backend="cuda")], backend="cuda")
    (tmp_path / "1" / "runs").mkdir(parents=True)
    merged = merge.merge([tmp_path / "1"], out, plan)
    assert [shard.name for shard in merged.unplaced] == ["1/1"] and not merged.absent and not out.exists()


def test_a_shard_that_brought_all_is_placed(tmp_path, out):
    merged = merge.merge([put(tmp_path / "1", made(run_id("2.8.4")))], out, a_plan([run_id("2.8.4")]))
    assert (merged.absent, merged.unplaced) == ((), ())


def spoil(file: Path, how: str) -> None:
    data = file.read_bytes()
    file.unlink()
    if how == "pipe":
        os.mkfifo(file)
    elif how == "link":
        file.symlink_to("/dev/zero")
    else:
        file.write_bytes({"cut": data[:-40], "foreign": b"hello\n", "newer": data.replace(b"run/1", b"run/2")}[how])


@pytest.mark.parametrize("how", ["cut", "foreign", "newer", "pipe", "link"])
def test_what_is_no_record_is_left_out_and_named_and_the_rest_is_written(tmp_path, out, how):
    good, bad = made(run_id("2.8.4")), made(run_id("2.9.3"))
    folder = put(tmp_path / "1", good, bad)
    spoil(records.path(folder, bad.header.host.host_class, "venv", bad.header.run), how)
    merged = merge.merge([folder], out, a_plan([good.header.run, bad.header.run]))
    assert published(out)[good.header.run] == good
    assert published(out)[bad.header.run].header.status == "not_run"
    assert [bad.header.run in str(fault) for fault in merged.faults] == [True]


def test_a_broken_record_that_stands_makes_room(tmp_path, out):
    record = made(run_id("2.8.4"))
    put(out, record)
    spoil(records.path(out, record.header.host.host_class, "venv", record.header.run), "cut")
    merge.merge([put(tmp_path / "1", record)], out, None)
    assert published(out) == {record.header.run: record}


def test_a_record_cannot_lie_about_its_place(tmp_path, out):
    record = made(run_id("2.8.4"))
    data = records.encode(record)
    file = tmp_path / "1" / "runs" / "elsewhere" / "venv" / "tf2.8.4.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    assert len(merge.merge([tmp_path / "1"], out, None).faults) == 1
    assert not out.exists()


def test_too_many_records_are_refused(tmp_path, out, monkeypatch):
    monkeypatch.setattr(candidates, "MOST_FILES", 1)
    with pytest.raises(BadRecord, match="2 files are more than the 1"):
        merge.merge([put(tmp_path / "1", made(run_id("2.8.4")), made(run_id("2.9.3")))], out, None)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_order_of_folders_makes_no_difference(tmp_path_factory, data):
    """Whatever the machines made, and in whatever order their folders are named, the result is the same."""
    folder = tmp_path_factory.mktemp("merge")
    moments = [f"2026-01-01T00:00:{second:02}Z" for second in range(60)]
    attempts = data.draw(
        st.lists(
            st.tuples(st.sampled_from(["2.8.4", "2.9.3", "2.4.4"]), st.sampled_from(records.Status.__args__)),
            min_size=1,
            max_size=6,
        )
    )
    shards_ = [
        put(folder / str(number), made(run_id(release), status=status, started=moments[number]))
        for number, (release, status) in enumerate(attempts)
    ]
    plan = a_plan([run_id("2.8.4")], [run_id("2.9.3"), run_id("2.4.4")])
    results = []
    for name, order in (("a", shards_), ("b", data.draw(st.permutations(shards_)))):
        merge.merge(order, folder / name, plan)
        results.append({run: record.header.status for run, record in published(folder / name).items()})
    assert results[0] == results[1]
    assert set(results[0]) == {run_id("2.8.4"), run_id("2.9.3"), run_id("2.4.4")}


def test_merging_twice_changes_nothing(tmp_path, out):
    plan = a_plan([run_id("2.8.4")], [run_id("2.9.3")])
    folder = put(tmp_path / "1", made(run_id("2.8.4")))
    assert nothing_new(merge.merge([folder], out, plan)) is False
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*")}
    assert nothing_new(merge.merge([folder], out, plan))
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*")} == before


def nothing_new(merged: Merged) -> bool:
    return not merged.written and not merged.absent


def verb(*arguments: object):
    return CliRunner().invoke(cli, ["merge", *map(str, arguments)])


def test_the_verb_writes_the_table_tells_what_is_missing_and_fails_for_what_is_no_record(tmp_path, out):
    suites = {how: suite_sha256(how=how) for how in SUITES}
    plan = msgspec.structs.replace(a_plan([run_id("2.8.4")], [run_id("2.9.3")]), suite_sha256=suites)
    (tmp_path / "plan.json").write_bytes(shards.encode(plan))
    folder = put(tmp_path / "1", made(run_id("2.8.4"), suite_sha256=suites["executed"]))
    told = verb(folder, f"--plan={tmp_path / 'plan.json'}", f"--reports={out}")
    assert told.exception is None and "not run: tf2.9.3-py310-cpu+onednn-off: shard 2/2 brought nothing" in told.stdout
    assert (out / "support.json").is_file() and (out / "SUPPORT.md").is_file()
    spoil(records.path(folder, "x86-avx2", "venv", run_id("2.8.4")), "foreign")
    told = verb(folder, f"--reports={tmp_path / 'other'}")
    assert isinstance(told.exception, BadRecord) and "no records" in str(told.exception)


def test_a_folder_that_is_not_there_is_a_mistake(out):
    assert verb("/nowhere", f"--reports={out}").exit_code == 2


def test_published_records_come_out_as_they_went_in(tmp_path, out):
    """Only records of the newest record's target and machine: others may be of older suites, and not comparable."""
    newest = max(records.headers(paths.REPORTS), key=lambda header: header.started)
    target = newest.run.partition("+")[0]
    of_target = [record for record in records.read_all(paths.REPORTS) if record.header.run.startswith(f"{target}+")]
    machine = (newest.host, newest.engine)
    kept = [record for record in of_target if (record.header.host, record.header.engine) == machine]
    merge.merge([put(tmp_path / "1", *kept)], out, None)
    assert list(records.read_all(out)) == kept and kept
