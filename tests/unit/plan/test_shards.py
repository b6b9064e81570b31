from __future__ import annotations

import dataclasses
import datetime
import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from unit.fabricated import header

from matrix import spine
from matrix.base import ids
from matrix.base.errors import BadRecord, BadUsage
from matrix.base.ids import BACKENDS, Run, Target
from matrix.catalog import releases
from matrix.catalog.releases import Catalog, Profile, Release, Wheel
from matrix.cli.main import cli
from matrix.plan import shards
from matrix.plan.due import SECONDS_A_RUN, SECONDS_AN_ENVIRONMENT
from matrix.plan.planned_run import PlannedRun
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection
from matrix.plan.shards import Part
from matrix.record import host, records
from matrix.record.records import Record

PROFILES = tuple(Profile(name=name, environment={}, backends=list(BACKENDS), why="w") for name in ("default", "other"))


def planned(*targets: tuple[str, str]) -> tuple[PlannedRun, ...]:
    """Two runs of each target, a (release, backend), in the order of the catalog."""
    wheel = Wheel(requirement="tensorflow==1", python="3.10")
    versions = sorted(
        {version for version, _ in targets}, key=lambda version: [int(part) for part in version.split(".")]
    )
    releases = tuple(
        Release(
            version=version,
            date=datetime.date(2022, 1, 1),
            wheels={backend: wheel for backend in BACKENDS if (version, backend) in targets},
        )
        for version in versions
    )
    catalog = Catalog(releases=releases, profiles=PROFILES)
    return plan_runs(catalog, Selection(releases=("all",), backends=BACKENDS), "venv")


def minute(run: Run) -> float:
    return 60.0


def write(reports: Path, **changes) -> None:
    records.write(reports, Record(header=header(**changes)))


TARGETS = st.sets(
    st.tuples(st.integers(0, 40).map(lambda minor: f"2.{minor}.0"), st.sampled_from(BACKENDS)), min_size=1, max_size=60
)


@given(TARGETS, st.integers(1, shards.MOST_JOBS), st.randoms(use_true_random=False))
def test_every_run_is_in_one_shard_and_no_target_in_two_while_there_are_enough(targets, number, random):
    runs = planned(*targets)
    if number < len({backend for _, backend in targets}):
        return
    takes = {entry.run: random.uniform(0, 900) for entry in runs}
    made = shards.plan(runs, number, takes.__getitem__).every()
    assert sorted(run for shard in made for run in shard.runs) == sorted(entry.run.id for entry in runs)
    backends = {backend for _, backend in targets}
    assert len(made) == min(number, len(runs))
    assert [shard.number for shard in made] == list(range(1, len(made) + 1))
    assert all({ids.parse_run(run).target.backend for run in shard.runs} == {shard.backend} for shard in made)
    for backend in backends:
        beside = [shard for shard in made if shard.backend == backend]
        homes = Counter(target for shard in beside for target in {run.partition("+")[0] for run in shard.runs})
        assert len(beside) > len(homes) or set(homes.values()) == {1}


@given(TARGETS, st.integers(3, 60), st.randoms(use_true_random=False))
def test_no_shard_has_a_target_more_to_do_than_another_of_its_backend(targets, number, random):
    runs = planned(*targets)
    takes = {entry.run: random.uniform(0, 900) for entry in runs}
    made = shards.plan(runs, number, takes.__getitem__)
    longest = max(SECONDS_AN_ENVIRONMENT + 2 * 900, 1)
    for beside in made.shards.values():
        loads = [shard.seconds for shard in beside]
        assert max(loads) - min(loads) <= longest


def test_a_machine_takes_the_shard_that_was_planned():
    runs = planned(*((f"2.{minor}.0", backend) for minor in range(9) for backend in BACKENDS))
    for shard in shards.plan(runs, 7, minute).every():
        part = Part(number=shard.number, of=7, folder=Path("x"))
        assert [entry.run.id for entry in shards.take(runs, part, minute)] == shard.runs


def test_the_backend_with_most_to_do_has_most_shards():
    runs = planned(*((f"2.{minor}.0", "cpu") for minor in range(8)), ("2.8.0", "cuda"), ("2.9.0", "rocm"))
    made = shards.plan(runs, 6, minute)
    assert {backend: len(beside) for backend, beside in made.shards.items()} == {"cpu": 4, "cuda": 1, "rocm": 1}


def test_what_a_run_takes_is_learnt_from_its_records_else_from_its_backend(tmp_path):
    write(tmp_path, seconds=10.0)
    write(tmp_path, seconds=30.0, engine="docker")
    write(tmp_path, profile="onednn-on", run="tf2.8.4-py310-cpu+onednn-on", seconds=50.0)
    write(
        tmp_path,
        profile="default",
        run="tf2.8.4-py310-cpu+default",
        status="not_run",
        same_as="tf2.8.4-py310-cpu+onednn-on",
    )
    seconds = shards.seconds_of(tmp_path)
    target = Target(release="2.8.4", python="3.10", backend="cpu")
    assert seconds(Run(target=target, profile="onednn-off")) == 20
    assert seconds(Run(target=target, profile="default")) == 0
    assert seconds(Run(target=target, profile="never-made")) == 30
    assert (
        seconds(Run(target=Target(release="2.8.4", python="3.10", backend="cuda"), profile="default")) == SECONDS_A_RUN
    )


def test_more_jobs_than_github_starts_are_refused_and_what_takes_most_is_named():
    runs = planned(("2.8.0", "cpu"), ("2.8.0", "cuda"))
    takes = {entry.run: 7200 if entry.run.target.backend == "cuda" else 60 for entry in runs}
    with pytest.raises(BadUsage, match="at most 256") as told:
        shards.plan(runs, 257, takes.__getitem__)
    assert told.value.cure.index("cuda+default (2.0 h)") < told.value.cure.index("cpu+default")


def test_fewer_shards_than_backends_are_refused():
    with pytest.raises(BadUsage, match="1 shards for cpu, cuda"):
        shards.plan(planned(("2.8.0", "cpu"), ("2.8.0", "cuda")), 1, minute)


def test_a_shard_that_github_would_end_is_named():
    made = shards.plan(planned(("2.8.0", "cpu"), ("2.9.0", "cpu")), 2, lambda run: 4 * 3600.0)
    assert [shard.name for shard in made.too_long()] == ["1/2", "2/2"]


@pytest.mark.parametrize("text", ["0/5", "6/5", "1", "1/0", "a/b", "-1/5", "1/5/2", "", "1/1000", "\u0662/\u0665"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(BadUsage, match="is no shard"):
        shards.parse(text, None)


def test_a_shard_has_a_folder_of_its_own():
    assert shards.parse("2/5", None).folder == Path("shards/2-of-5")
    assert shards.parse("2/5", Path("there")) == Part(number=2, of=5, folder=Path("there"))


def test_a_shard_beyond_the_last_is_refused():
    with pytest.raises(BadUsage, match="no shard 5") as told:
        shards.take(planned(("2.8.0", "cpu"), ("2.9.0", "cpu")), Part(number=5, of=5, folder=Path()), minute)
    assert "4 shards" in told.value.cure


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"format": "plan/2"}', '{"format": "plan/1", "shards": {}}', "[" * 100_000, "\ud800"],
)
def test_what_is_no_plan_is_refused(tmp_path, text):
    (tmp_path / "plan.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(BadRecord, match=r"plan\.json"):
        shards.read(tmp_path / "plan.json")


def test_the_verb_writes_a_job_matrix_for_each_backend_and_the_step_output(tmp_path):
    outputs, release = tmp_path / "outputs", ["--release", "2.8", "--backend", "cpu", "--backend", "cuda"]
    told = CliRunner().invoke(cli, ["plan", *release, "--shards=2", "--json", f"--github-output={outputs}"])
    assert told.exit_code == 0
    document = json.loads(told.stdout)
    assert document["format"] == "plan/1" and set(document["shards"]) == {"cpu", "cuda"}
    assert outputs.read_text() == f"plan={told.stdout}"
    (tmp_path / "plan.json").write_text(told.stdout)
    assert [shard.backend for shard in shards.read(tmp_path / "plan.json").every()] == ["cpu", "cuda"]


def test_the_selection_can_come_from_the_environment():
    words = {"MATRIX_RELEASES": "2.8 2.9", "MATRIX_BACKENDS": "cuda cpu", "MATRIX_SHARDS": "2"}
    told = CliRunner().invoke(cli, ["plan", "--json"], env=words)
    runs = [run for beside in json.loads(told.stdout)["shards"].values() for shard in beside for run in shard["runs"]]
    assert {run.partition("-")[0] for run in runs} == {"tf2.8.4", "tf2.9.3"}


def test_a_shard_is_of_one_architecture_and_made_on_no_other():
    everywhere = Selection(releases=("2.20..2.21",), machines=("x86_64", "aarch64"))
    made = shards.plan(plan_runs(releases.load(), everywhere, "docker"), 4, minute)
    assert {kind: len(of) for kind, of in made.shards.items()} == {"cpu": 2, "cpu-aarch64": 2}
    on_arm = made.shards["cpu-aarch64"]
    assert {(shard.backend, shard.machine, shard.kind) for shard in on_arm} == {("cpu", "aarch64", "cpu-aarch64")}
    assert all("-cpu-aarch64+" in run for shard in on_arm for run in shard.runs)
    other = next(machine for machine in ids.MACHINES if machine != host.machine())
    with pytest.raises(BadUsage, match=f"these runs are for {other}"):
        spine.prepare(dataclasses.replace(everywhere, machines=(other,)), "venv", Path("nowhere"))
