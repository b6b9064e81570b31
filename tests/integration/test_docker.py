"""The engine `docker` on a real Engine: what it builds, what a container of it may do, and what it leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import outcomes
import pytest
from mini import FAKES, chunks, fake_cells, mini_suite
from test_fakes import FOR_A_CELL, GOLDEN, SECONDS_A_CELL, TELLING

from matrix.base import paths
from matrix.base.ids import Run
from matrix.plan.planned_run import PlannedRun
from matrix.provision import base_images, images
from matrix.provision.engines import ENGINES, docker
from matrix.provision.engines.protocol import Ended, Environment, Limits, Program
from matrix.record import records
from matrix.record.records import Record
from matrix.run import runner
from matrix.run.runner import Job

HERE = Path(__file__).parent
GREEDY = HERE / "greedy"
CELL = "nn-conv2d/eager/forward/g4-k3/bias_relu/f32/nhwc"


@pytest.fixture
def planned(data, release, image, monkeypatch) -> PlannedRun:
    monkeypatch.setitem(ENGINES, "docker", docker)
    run = Run(target=release.target("cpu"), profile="default")
    return PlannedRun(run=run, release=release, profile=data.profile("default"), engine="docker")


def follow(environment: Environment, suite: Path, limits: Limits | None = None) -> tuple[bytes, bytes, Ended]:
    """Standard output, standard error and end of a suite that ends by itself."""
    process = docker.start(environment, Program(suite=suite), [], {"TOLD": "yes"}, limits or Limits())
    said = {"out": b"", "err": b""}
    for stream, data in chunks(process):
        said[stream] += data
    return said["out"], said["err"], process.wait()


@pytest.fixture(scope="session")
def seen(image) -> dict:
    out, err, ended = follow(image, HERE / "confined", Limits(memory=2**30, processes=100, files=1000))
    assert (ended, err) == (Ended(status=0), b"")
    return json.loads(out)


def observe(planned, environment, suite, wanted, *arguments, **limits):
    job = Job(planned=planned, environment=environment, suite=suite, arguments=arguments, limits=Limits(**limits))
    return runner.observe(job, wanted, lambda observation: None)


def test_the_suite_observes_in_the_image(planned, image):
    wanted = [tuple(CELL.split("/", 3))]
    record = observe(planned, image, paths.SUITE, wanted, CELL)
    assert (record.header.status, record.header.engine) == ("complete", "docker")
    assert record.header.image_digest == image.image_digest == images.find(docker._tag(image.target)).id
    reference, digest = record.header.base.split(" ")
    assert digest == base_images._digest(images.find(reference)) and digest.startswith("sha256:")
    assert (record.header.loosened or []) == list(image.loosened)
    assert [one.outcome for one in record.observations] == ["pass"]


def test_what_is_built_is_not_built_again(image, monkeypatch):
    assert docker.is_built(image.target)
    assert docker.recipe(image.target) == image.recipe_sha256
    monkeypatch.setattr(images, "build", lambda *_, **__: pytest.fail("it was built again"))
    assert docker.provision(image.target, pytest.fail) == image


def test_another_dockerfile_is_another_recipe(image, tmp_path, monkeypatch):
    changed = shutil.copytree(paths.DOCKERFILES, tmp_path / "dockerfiles") / "cpu.Dockerfile"
    changed.write_text(changed.read_text() + "RUN true\n")
    monkeypatch.setattr(paths, "DOCKERFILES", changed.parent)
    assert not docker.is_built(image.target)


def test_what_the_installation_needed_is_not_in_the_image(image):
    engine = images.connect()
    told = json.dumps(engine.api.history(image.where)) + json.dumps(engine.images.get(image.where).attrs)
    assert "certificates" not in told and "BEGIN" not in told
    layers = [line["Id"] for line in engine.api.history(image.where)]
    found = engine.containers.run(
        image.where, ["find", "/", "-xdev", "-name", "build", "-o", "-name", "*.pem"],
        remove=True, network_mode="none",
    )  # fmt: skip
    assert b"/build\n" not in found.splitlines(keepends=True) and b"certificates.pem" not in found, layers


def test_a_container_has_no_network(seen):
    assert seen["interfaces"] == ["lo"]


def test_nothing_is_writable_but_tmp(seen):
    assert seen["writable"] == ["/tmp"]


def test_nobody_in_a_container_is_root_or_becomes_it(seen):
    assert seen["uid"] == 1000
    assert seen["status"]["NoNewPrivs"] == "1"
    assert {seen["status"][kind] for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {"0" * 16}
    assert seen["status"]["Seccomp"] == "2"


def test_a_container_has_the_limits_of_the_run(seen):
    assert (seen["open_files"], seen["core"]) == ([1000, 1000], [0, 0])
    assert (seen["memory"], seen["processes"]) == (str(2**30), "100")
    if images.connect().info().get("SwapLimit"):  # not every kernel can
        assert seen["memory_and_swap"] in {str(2**30), "0"}  # version 1 limits both together, version 2 swap apart
    assert seen["processors"] == sorted(os.sched_getaffinity(0))


def test_a_container_has_the_variables_of_the_run(seen, monkeypatch):
    assert seen["environment"]["TOLD"] == "yes"
    assert not {"SSL_CERT_FILE", "HTTPS_PROXY"} & set(seen["environment"])


def test_a_bad_cell_costs_one_cell(planned, image, tmp_path, request):
    """The same fakes as in the engine venv give the same record."""
    record = observe(planned, image, mini_suite(tmp_path), fake_cells(), *FOR_A_CELL)
    first, *rest = records.encode(record).decode().splitlines()
    telling = {key: value for key, value in json.loads(first).items() if key in TELLING}
    golden = (GOLDEN / "cells.jsonl").read_text().splitlines()
    assert [telling, *rest] == [json.loads(golden[0]), *golden[1:]]
    tell_cells(record, request)


def tell_cells(record: Record, request: pytest.FixtureRequest) -> None:
    for one in record.observations:
        if not one.approach.endswith(("-before", "-after")):
            fault = one.approach.removeprefix("fake-").replace("-", " ")
            outcomes.check(fault, "docker", outcomes.of_cell(one), write=request.config.getoption("--golden"))


@pytest.mark.parametrize("main", sorted((FAKES / "mains").glob("*.py")), ids=lambda path: path.stem)
def test_a_suite_that_lies_ends_as_a_record(main, planned, image, tmp_path, request):
    record = observe(planned, image, mini_suite(tmp_path, main=main), fake_cells())
    golden = json.loads((GOLDEN / f"{main.stem}.jsonl").read_text().splitlines()[0])
    assert (record.header.status, record.header.observations) == (golden["status"], golden["observations"])
    write = request.config.getoption("--golden")
    outcomes.check(f"a suite: {main.stem.replace('_', ' ')}", "docker", outcomes.of_record(record), write=write)


def test_a_fork_bomb_and_a_memory_hog_cost_a_cell_each(planned, image, tmp_path, request):
    suite = mini_suite(tmp_path, fakes=GREEDY)
    limits = (f"--seconds={SECONDS_A_CELL}", "--memory=64e9")
    record = observe(planned, image, suite, fake_cells(GREEDY), *limits, memory=3 * 2**29)
    seen = {one.approach: one.outcome for one in record.observations}
    fakes = {name: outcome for name, outcome in seen.items() if not name.endswith(("-before", "-after"))}
    assert record.header.status == "complete"
    assert fakes == {"fake-fork-bomb": "timeout", "fake-unwatched-memory-hog": "oom", "fake-full-tmp": "skipped"}
    assert all(outcome == "pass" for name, outcome in seen.items() if name not in fakes)
    tell_cells(record, request)


def test_a_suite_that_takes_all_memory_ends_as_a_record(planned, image, tmp_path):
    record = observe(planned, image, mini_suite(tmp_path, main=GREEDY / "main.py"), (), memory=2**29)
    assert (record.header.status, record.header.reason) == ("not_imported", "it was ended for want of memory")


def test_a_hang_ends_with_its_container(planned, image, tmp_path):
    """The reason is the same where this machine takes more than those 2 s to start the suite."""
    suite = mini_suite(tmp_path, main=HERE / "hang.py")
    record = observe(planned, image, suite, (), silence=2)
    assert record.header.reason == "it was silent for 2 s"
    assert not images.connect().containers.list(all=True, filters={"label": f"{images.OWNER}={images.owner()}"})


def test_a_suite_that_never_ends_has_its_time(planned, image, tmp_path):
    """The reason is the same where this machine takes more than those 3 s to start the suite."""
    suite = mini_suite(tmp_path, main=HERE / "endless.py")
    record = observe(planned, image, suite, (), seconds=3)
    assert record.header.reason == "it took more than 3 s"
    assert not images.connect().containers.list(all=True, filters={"label": f"{images.OWNER}={images.owner()}"})


def test_nothing_of_the_host_is_in_a_container(image, tmp_path):
    """As the Engine itself tells of one that runs."""
    process = docker.start(image, Program(suite=mini_suite(tmp_path, main=HERE / "hang.py")), [], {}, Limits())
    process._container.reload()
    told = process._container.attrs
    process.kill()
    process.wait()
    kept = {
        name: told["HostConfig"][name] for name in ("Binds", "Devices", "DeviceRequests", "VolumesFrom", "Privileged")
    }
    assert told["Mounts"] == [] and not any(kept.values()), kept
    assert told["HostConfig"]["LogConfig"]["Type"] == "none"


def test_an_image_whose_runs_are_done_can_go_while_the_orchestrator_is_at_work(image, tmp_path):
    """The suite's layer stands on a target's image, and would keep it."""
    (tmp_path / "Dockerfile").write_text(f"FROM {image.where}\nLABEL of=this-test\n")
    target = replace(image, where=images.build(tmp_path, labels={images.OWNER: images.owner()}).id)
    out, _, ended = follow(target, HERE / "confined")
    assert ended == Ended(status=0) and out
    images.remove(target.where)
    assert images.find(target.where)
    docker.done(target)
    images.remove(target.where)
    assert images.find(target.where) is None


def test_what_a_killed_orchestrator_left_is_removed_and_nothing_else(image, tmp_path):
    suite = mini_suite(tmp_path, main=HERE / "hang.py")
    killed = subprocess.Popen(
        [sys.executable, HERE / "orphan.py", image.where, suite], stdout=subprocess.PIPE, text=True
    )
    left = killed.stdout.readline().strip()
    alive = docker.start(image, Program(suite=suite), [], {}, Limits())
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    names = {container.id for container in images.connect().containers.list()}
    assert left in names
    images.reap()
    now = {container.id for container in images.connect().containers.list()}
    assert names - now == {left}
    alive.kill()
    assert alive.wait() == Ended(status=-signal.SIGKILL)
