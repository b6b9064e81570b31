from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.fabricated import header, observe
from unit.fabricated import record as whole_record

from matrix.base import ids, paths
from matrix.base.errors import BadRecord, BadUsage
from matrix.catalog import locks
from matrix.catalog.suite_hash import suite_sha256
from matrix.cli.main import cli
from matrix.judge import judged
from matrix.plan import shards
from matrix.plan.shards import Plan, Shard
from matrix.record import candidates, quarantine, records
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


def merged(folders, reports, plan) -> Merged:
    chosen = merge.choose(folders, reports, plan)
    merge.write(chosen, reports)
    return chosen


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


def test_what_shards_made_is_put_together(tmp_path, out):
    one, other = made(run_id("2.8.4")), made(run_id("2.9.3"))
    found = merged([put(tmp_path / "1", one), put(tmp_path / "2", other)], out, None)
    assert published(out) == {one.header.run: one, other.header.run: other}
    assert (found.folders, found.found, len(found.better)) == (2, 2, 2)


def test_a_folder_of_shards_is_as_good_as_its_shards(tmp_path, out):
    put(tmp_path / "all" / "shard-1", made(run_id("2.8.4")))
    put(tmp_path / "all" / "shard-2", made(run_id("2.9.3")))
    (tmp_path / "all" / "plan").mkdir()
    assert merged([tmp_path / "all"], out, None).folders == 2
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
    bad, good = (made(run_id("2.8.4", "default"), **fields) for fields in (worse, better))
    for first, second in itertools.permutations([bad, good]):
        where = out / str(first is bad)
        put(where if stands else tmp_path / "1", first)
        put(tmp_path / "2", second)
        merged([tmp_path / "2"] if stands else [tmp_path / "1", tmp_path / "2"], where, None)
        assert published(where) == {good.header.run: good}


def test_the_same_record_twice_is_one(tmp_path, out):
    folders = [put(tmp_path / name, made(run_id("2.8.4"))) for name in "12"]
    assert len(merged(folders, out, None).better) == 1
    assert merged(folders, out, None).better == ()


@pytest.mark.parametrize("stands", [False, True])
def test_of_a_tie_neither_is_taken_and_both_are_named(tmp_path, out, stands):
    one, other, beside = made(run_id("2.8.4")), made(run_id("2.8.4"), seconds=3.0), made(run_id("2.9.3"))
    first, second = put(out if stands else tmp_path / "1", one), put(tmp_path / "2", other, beside)
    found = merged([second] if stands else [first, second], out, None)
    (told,) = map(str, found.faults)
    assert "which is the newer is open" in told and str(first / "runs") in told and str(second / "runs") in told
    stays = {one.header.run: one} if stands else {}
    assert published(out) == {beside.header.run: beside} | stays


@pytest.mark.parametrize(
    ("change", "told"),
    [({"suite_sha256": "d" * 64}, "suite dddddddddddd: 1 records"), ({"lock_sha256": "d" * 64}, "lock dddddddddddd")],
)
def test_without_a_majority_nothing_is_comparable(tmp_path, out, change, told):
    one, other = made(run_id("2.8.4")), made(run_id("2.8.4", "default"), **change)
    with pytest.raises(BadRecord, match=told):
        merged([put(tmp_path / "1", one), put(tmp_path / "2", other)], out, None)
    assert not out.exists()


@pytest.mark.parametrize("field", ["suite_sha256", "lock_sha256"])
def test_the_shards_that_are_fewer_are_left_out_and_named(tmp_path, out, field):
    """However many records they bring."""
    own = locks.sha256(ids.parse_target("tf2.8.4-py310-cpu"))
    most = [made(run_id("2.8.4", name), lock_sha256=own) for name in ("onednn-off", "default")]
    folders = [put(tmp_path / str(number), record) for number, record in enumerate(most)]
    false = [made(run_id("2.8.4", name), lock_sha256=own) for name in ("onednn-on", "remapper-off", "auto-cluster")]
    false = [msgspec.structs.replace(one.header, **{field: "d" * 64}) for one in false]
    folders.append(put(tmp_path / "false", *(Record(header=one, observations=(observe(CELL),)) for one in false)))
    found = merged(folders, out, None)
    assert published(out) == {one.header.run: one for one in most}
    assert len(found.faults) == 3 and all("dddddddddddd is another than" in str(fault) for fault in found.faults)


def test_locks_of_two_targets_may_differ_and_so_may_suites_of_executed_and_planned_runs(tmp_path, out):
    those = [
        made(run_id("2.8.4")),
        made(run_id("2.9.3"), lock_sha256="d" * 64),
        made(run_id("2.9.3", backend="cuda"), suite_sha256=SUITES["planned"], planned_for={"type": "GPU"}),
    ]
    merged([put(tmp_path / "1", *those)], out, a_plan([one.header.run for one in those]))
    assert len(published(out)) == 3


def test_what_another_suite_than_the_plans_made_is_left_out(tmp_path, out):
    folder = put(tmp_path / "1", made(run_id("2.8.4"), suite_sha256="d" * 64))
    found = merged([folder], out, a_plan([run_id("2.8.4")]))
    assert "suite dddddddddddd is another than aaaaaaaaaaaa" in str(found.faults[0]) and not found.better


def test_what_stands_may_be_of_an_older_suite(tmp_path, out):
    put(out, made(run_id("2.8.4"), started=OLDER, suite_sha256="d" * 64), made(run_id("2.4.4"), suite_sha256="d" * 64))
    new = made(run_id("2.8.4"))
    merged([put(tmp_path / "1", new)], out, None)
    assert published(out)[new.header.run] == new and len(published(out)) == 2


def test_what_was_not_planned_is_left_out_but_for_another_profile_of_a_planned_target(tmp_path, out):
    folder = put(tmp_path / "1", made(run_id("2.8.4", "default")), made(run_id("2.8.4")))
    merged([folder], out, a_plan([run_id("2.8.4", "default")]))
    found = merged([put(folder, made(run_id("2.9.3")))], out, a_plan([run_id("2.8.4")]))
    assert "it was not planned" in str(found.faults[0]) and run_id("2.9.3") not in published(out)


def test_complete_is_what_has_all_cells_of_its_suite(tmp_path, out):
    """A newer record with no cells, with some or with another's is no reason to forget what was observed."""
    today = {"suite_sha256": suite_sha256(how="executed"), "started": OLDER}
    whole = whole_record(**today | {"run": run_id("2.8.4"), "lock_sha256": "c" * 64})
    put(out, whole)
    for count in (0, 40, len(whole.observations) - 1):
        lying = Record(
            header=msgspec.structs.replace(whole.header, started=NEWER, observations=count),
            observations=whole.observations[:count],
        )
        found = merged([put(tmp_path / str(count), lying)], out, None)
        assert f"calls itself complete, and has {count} of the {len(whole.observations)} cells" in str(found.faults[0])
        assert published(out) == {whole.header.run: whole}
    newer = Record(header=msgspec.structs.replace(whole.header, started=NEWER), observations=whole.observations)
    merged([put(tmp_path / "newer", newer)], out, None)
    assert published(out) == {whole.header.run: newer}


@pytest.mark.parametrize("named", ["full", None], ids=["full", "from before there was a choice"])
@pytest.mark.parametrize("stands", [False, True], ids=["both come", "one stands"])
def test_a_newer_record_of_the_core_takes_no_place_of_a_full_one(tmp_path, out, stands, named):
    cells = {tuple(cell) for cell in suite.cells("core")}
    full = whole_record(run=run_id("2.8.4"), started=OLDER, depth=named)
    seen = tuple(one for one in full.observations if one.cell in cells)
    header = msgspec.structs.replace(full.header, started=NEWER, depth="core", observations=len(seen))
    core = Record(header=header, observations=seen)
    for number, (first, second) in enumerate(itertools.permutations([core, full])):
        where = out / str(number)
        put(where if stands else tmp_path / f"{number}-1", first)
        put(tmp_path / f"{number}-2", second)
        folders = [tmp_path / f"{number}-2"] if stands else [tmp_path / f"{number}-1", tmp_path / f"{number}-2"]
        assert merged(folders, where, None).faults == ()
        assert published(where) == {full.header.run: full}


def test_of_two_records_of_the_core_the_newer_is_taken(tmp_path, out):
    cells = {tuple(cell) for cell in suite.cells("core")}
    full = whole_record(run=run_id("2.8.4"))
    seen = tuple(one for one in full.observations if one.cell in cells)
    older, newer = (
        Record(
            header=msgspec.structs.replace(full.header, started=started, depth="core", observations=len(seen)),
            observations=seen,
        )
        for started in (OLDER, NEWER)
    )
    merged([put(tmp_path / "1", newer), put(tmp_path / "2", older)], out, None)
    assert published(out) == {newer.header.run: newer}


@pytest.mark.parametrize(
    "changes",
    [
        {"suite_sha256": "d" * 64},
        {"suite_sha256": "d" * 64, "observations": 5, "status": "partial", "reason": "it said"},
        {"status": "not_imported", "reason": "it said", "observations": 0},
    ],
)
def test_what_says_less_takes_no_place_of_what_is_known_to_be_complete(tmp_path, out, changes):
    """Another suite's `complete`, and an import that failed with the very lock with which it worked."""
    whole = whole_record(run=run_id("2.8.4"), started=OLDER)
    put(out, whole)
    header = msgspec.structs.replace(whole.header, started=NEWER, **{"observations": 40} | changes)
    merged(
        [put(tmp_path / "1", Record(header=header, observations=whole.observations[: header.observations]))], out, None
    )
    assert published(out) == {whole.header.run: whole}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"host": Host(host_class="x86-amx", cpu="A", cpu_flags=["avx2"], cores=2, kernel="6")},
            "is not that of the flags",
        ),
        (
            {"host": Host(host_class="cuda-sm90", cpu="A", cpu_flags=["avx2"], cores=2, kernel="6")},
            "is not that of the",
        ),
        ({"status": "not_run", "same_as": run_id("2.8.4", "onednn-on"), "observations": 0}, "sets something"),
    ],
)
def test_a_record_that_contradicts_itself_is_left_out_and_named(tmp_path, out, changes, told):
    beside = made(run_id("2.9.3"))
    header = msgspec.structs.replace(made(run_id("2.8.4")).header, **changes)
    lying = Record(header=header, observations=(observe(CELL),) * header.observations)
    found = merged([put(tmp_path / "1", lying, beside)], out, None)
    assert told in str(found.faults[0]) and published(out) == {beside.header.run: beside}


def test_a_shard_that_brought_nothing_is_shown_as_not_run(tmp_path, out):
    usual = Host(host_class="x86-avx512", cpu="Most", cpu_flags=["avx512bw"], cores=2, kernel="6.1")
    those = [made(run_id("2.8.4"), host=usual), made(run_id("2.9.3"), host=usual), made(run_id("2.4.4"))]
    plan = a_plan([one.header.run for one in those], [run_id("2.15.1"), run_id("2.16.2")])
    found = merged([put(tmp_path / "1", *those)], out, plan)
    absent = published(out)[run_id("2.15.1")].header
    assert (absent.status, absent.host.host_class) == ("not_run", "x86-avx512")
    assert absent.reason == "shard 2/2 brought nothing; the host class is that of most other shards"
    assert {one.content.header.run for one in found.absent} == {run_id("2.15.1"), run_id("2.16.2")}


def test_what_a_shard_did_not_get_to_is_shown_under_its_own_host_class(tmp_path, out):
    other = Host(host_class="x86-avx512", cpu="Most", cpu_flags=["avx512bw"], cores=2, kernel="6.1")
    those = [made(run_id("2.8.4"), host=other), made(run_id("2.9.3"), host=other), made(run_id("2.4.4"))]
    plan = a_plan([run_id("2.8.4"), run_id("2.9.3")], [run_id("2.4.4"), run_id("2.5.3")])
    merged([put(tmp_path / "1", *those)], out, plan)
    absent = published(out)[run_id("2.5.3")].header
    assert (absent.reason, absent.host) == ("shard 2/2 ended before it", those[2].header.host)


def test_what_is_missing_does_not_replace_what_stands_and_gives_way_to_what_comes(tmp_path, out):
    plan = a_plan([run_id("2.8.4")], [run_id("2.9.3")], [run_id("2.4.4")])
    stands, late = made(run_id("2.9.3"), started=OLDER, suite_sha256="d" * 64), made(run_id("2.4.4"), started=OLDER)
    put(out, stands)
    merged([put(tmp_path / "1", made(run_id("2.8.4")))], out, plan)
    assert published(out)[run_id("2.9.3")] == stands and published(out)[run_id("2.4.4")].header.status == "not_run"
    merged([tmp_path / "1", put(tmp_path / "2", late)], out, plan)
    assert published(out)[run_id("2.4.4")] == late


def test_without_any_record_of_a_backend_no_host_class_is_made_up(tmp_path, out):
    plan = a_plan([run_id("2.8.4", backend="cuda")], backend="cuda")
    (tmp_path / "1" / "runs").mkdir(parents=True)
    found = merged([tmp_path / "1"], out, plan)
    assert [shard.name for shard in found.unplaced] == ["1/1"] and not found.absent and not out.exists()


def test_a_shard_that_brought_all_is_placed(tmp_path, out):
    found = merged([put(tmp_path / "1", made(run_id("2.8.4")))], out, a_plan([run_id("2.8.4")]))
    assert (found.absent, found.unplaced) == ((), ())


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
    found = merged([folder], out, a_plan([good.header.run, bad.header.run]))
    assert published(out)[good.header.run] == good
    assert published(out)[bad.header.run].header.status == "not_run"
    assert [bad.header.run in str(fault) for fault in found.faults] == [True]


def test_a_broken_record_that_stands_makes_room(tmp_path, out):
    record = made(run_id("2.8.4"))
    put(out, record)
    spoil(records.path(out, record.header.host.host_class, "venv", record.header.run), "cut")
    merged([put(tmp_path / "1", record)], out, None)
    assert published(out) == {record.header.run: record}


def test_a_record_cannot_lie_about_its_place(tmp_path, out):
    record = made(run_id("2.8.4"))
    data = records.encode(record)
    file = tmp_path / "1" / "runs" / "elsewhere" / "venv" / "tf2.8.4.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    assert len(merged([tmp_path / "1"], out, None).faults) == 1
    assert not out.exists()


def test_too_many_records_are_refused(tmp_path, out, monkeypatch):
    monkeypatch.setattr(candidates, "MOST_FILES", 1)
    with pytest.raises(BadRecord, match="2 files are more than the 1"):
        merged([put(tmp_path / "1", made(run_id("2.8.4")), made(run_id("2.9.3")))], out, None)


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
        merged(order, folder / name, plan)
        results.append({run: record.header.status for run, record in published(folder / name).items()})
    assert results[0] == results[1]
    assert set(results[0]) == {run_id("2.8.4"), run_id("2.9.3"), run_id("2.4.4")}


def test_merging_twice_changes_nothing(tmp_path, out):
    plan = a_plan([run_id("2.8.4")], [run_id("2.9.3")])
    folder = put(tmp_path / "1", made(run_id("2.8.4")))
    assert nothing_new(merged([folder], out, plan)) is False
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*")}
    assert nothing_new(merged([folder], out, plan))
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*")} == before


def nothing_new(found: Merged) -> bool:
    return not found.better and not found.absent


def verb(*arguments: object):
    return CliRunner().invoke(cli, ["merge", *map(str, arguments)])


def test_the_verb_writes_the_table_tells_what_is_missing_and_fails_for_what_is_no_record(tmp_path, out):
    suites = {how: suite_sha256(how=how) for how in SUITES}
    plan = msgspec.structs.replace(a_plan([run_id("2.8.4")], [run_id("2.9.3")]), suite_sha256=suites)
    (tmp_path / "plan.json").write_bytes(shards.encode(plan))
    folder = put(tmp_path / "1", whole_record(run=run_id("2.8.4")))
    told = verb(folder, f"--plan={tmp_path / 'plan.json'}", f"--reports={out}")
    assert told.exception is None and "not run: tf2.9.3-py310-cpu+onednn-off: shard 2/2 brought nothing" in told.stdout
    assert (out / "support.json").is_file() and (out / "SUPPORT.md").is_file()
    spoil(records.path(folder, "x86-avx2", "venv", run_id("2.8.4")), "foreign")
    told = verb(folder, f"--reports={tmp_path / 'other'}")
    assert isinstance(told.exception, BadRecord) and "were not believed" in str(told.exception)


def test_what_is_left_out_is_kept_aside_with_the_reason_and_is_not_published(tmp_path, out, monkeypatch):
    monkeypatch.setattr(quarantine, "FOLDER", tmp_path / "quarantine")
    folder = put(tmp_path / "1", whole_record(run=run_id("2.8.4")), made(run_id("2.9.3")))
    file = records.path(folder, "x86-avx2", "venv", run_id("2.9.3"))
    unknown = file.read_bytes().replace(b'"approach":"nn-conv2d"', b'"approach":"of-a-stranger"')
    file.write_bytes(unknown)
    told = verb(folder, f"--reports={out}")
    assert "names approaches that this suite does not know: of-a-stranger" in str(told.exception)
    assert told.exception.cure == f"copies to look at: {tmp_path / 'quarantine'}"
    kept, why = sorted((tmp_path / "quarantine").iterdir())
    assert kept.read_bytes() == unknown and "of-a-stranger" in why.read_text()
    assert set(published(out)) == {run_id("2.8.4")}


def test_what_cannot_be_judged_is_left_out_before_anything_is_written(tmp_path, out, monkeypatch):
    """Whatever the rules stumble over: here a word that a rule does not know."""
    judge = judged.verdicts.judge

    def stumbles(those):
        if any(one.header.run == run_id("2.9.3") for one in those):
            raise KeyError("a word that no rule knows")
        return judge(those)

    monkeypatch.setattr(quarantine, "FOLDER", tmp_path / "quarantine")
    monkeypatch.setattr(judged.verdicts, "judge", stumbles)
    folder = put(tmp_path / "1", *(whole_record(run=run_id(one), release=one) for one in ("2.8.4", "2.9.3")))
    told = verb(folder, f"--reports={out}")
    assert "cannot be judged: KeyError: 'a word that no rule knows'" in str(told.exception), told.exception
    assert set(published(out)) == {run_id("2.8.4")}


def test_a_folder_that_is_not_there_or_holds_no_runs_is_a_mistake(tmp_path, out):
    assert verb("/nowhere", f"--reports={out}").exit_code == 2
    (tmp_path / "etc" / "ssl").mkdir(parents=True)
    told = verb(tmp_path / "etc", f"--reports={out}")
    assert isinstance(told.exception, BadUsage) and "holds no runs" in str(told.exception)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"suite_sha256": {}}, "names no suite of the runs that are executed, on_gpu, planned"),
        ({"suite_sha256": SUITES | {"executed": ""}}, "Expected `str` matching regex"),
        (
            {
                "shards": {
                    "cpu": [{"number": 1, "of": 1, "backend": "cpu", "seconds": 1, "runs": [run_id("2.8.4", "x" * 61)]}]
                }
            },
            "Expected `str` matching regex",
        ),
        (
            {
                "shards": {
                    "cpu": [{"number": 1, "of": 1, "backend": "cpu", "seconds": 10**30, "runs": [run_id("2.8.4")]}]
                }
            },
            "seconds",
        ),
    ],
)
def test_a_plan_that_cannot_be_is_refused(tmp_path, out, change, told):
    plan = msgspec.to_builtins(a_plan([run_id("2.8.4")])) | change
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    said = verb(put(tmp_path / "1", made(run_id("2.8.4"))), f"--plan={tmp_path / 'plan.json'}", f"--reports={out}")
    assert isinstance(said.exception, BadRecord) and told in str(said.exception)


def test_published_records_come_out_as_they_went_in(tmp_path, out):
    """Only records of the newest record's target and machine: others may be of older suites, and not comparable."""
    newest = max(records.headers(paths.REPORTS), key=lambda header: header.started)
    target = newest.run.partition("+")[0]
    of_target = [record for record in records.read_all(paths.REPORTS) if record.header.run.startswith(f"{target}+")]
    machine = (newest.host, newest.engine)
    kept = [record for record in of_target if (record.header.host, record.header.engine) == machine]
    merged([put(tmp_path / "1", *kept)], out, None)
    assert list(records.read_all(out)) == kept and kept


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(tmp_path, out):
    told = verb(put(tmp_path / "1", whole_record(run=run_id("2.8.4"))), f"--reports={out}", "--dry-run")
    assert told.exit_code == 0 and "1 records in 1 folders, 1 of them new" in told.output
    assert records.files(out) == [] and not (out / "support.json").exists()
