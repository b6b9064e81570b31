"""Faults of a Docker Engine, and of the orchestrator on it: on a small project and an Engine of the test's own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import outcomes
import own_engine
import pytest
import tiny
from own_engine import Engine
from test_faults import published, statuses
from tiny import PATIENCE, Tiny

from matrix.record import records

# Of the orchestrator, here; test_faults.py has the hundred.
KILLS = int(os.environ.get("MATRIX_KILLS", "10")) // 5
SEED = 8
Told = Callable[[str, str], None]


@pytest.fixture
def told(request) -> Told:
    write = request.config.getoption("--golden")
    return lambda fault, outcome: outcomes.check(fault, "docker", outcome, write=write)


@pytest.fixture(scope="module")
def tar(tmp_path_factory) -> Path:
    return own_engine.archive(tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with own_engine.started() as running:
        yield running


@pytest.fixture(scope="module")
def whole(engine, tar, tmp_path_factory) -> Tiny:
    """Run once on that Engine, and never disturbed."""
    project = tiny.make(tmp_path_factory.mktemp("whole"))
    own_engine.prepare(project, tar, engine)
    status, said = run(project, engine)
    assert status == 0, said
    assert set(statuses(project.reports).values()) == {("complete", None), ("not_run", None)}
    return project


@pytest.fixture
def project(whole, tmp_path) -> Tiny:
    """The same with nothing run; its target is in the Engine."""
    shutil.copytree(whole.root, tmp_path / "project", symlinks=True)
    return Tiny(root=tmp_path / "project", work=whole.work, reports=tmp_path / "reports")


def start(project: Tiny, engine: Engine, *more: str) -> subprocess.Popen[str]:
    return project.start("run", "--engine=docker", f"--reports={project.reports}", *more, DOCKER_HOST=engine.host)


def run(project: Tiny, engine: Engine) -> tuple[int, str]:
    process = start(project, engine)
    said, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def made(project: Tiny) -> dict[str, str]:
    """What was published, without the image's digest: an image that is made anew has another."""
    return {name: re.sub(r'"image_digest":"[^"]*",', "", text) for name, text in published(project.reports).items()}


def goes_on(project: Tiny, whole: Tiny, engine: Engine) -> None:
    """The same command ends with the files of an undisturbed sweep, and leaves no container."""
    status, said = run(project, engine)
    assert status == 0, said
    assert made(project) == made(whole)
    assert not engine.running()


def test_the_engine_dies_in_the_middle(whole, project, engine, told):
    """Killed while a container observes: what was recorded before stays, and the run is the machine's fault."""
    shutil.copytree(whole.reports, project.reports)
    (due,) = project.reports.rglob("*+onednn-on.jsonl")
    due.unlink()
    before = {file: file.read_bytes() for file in records.files(project.reports)}
    with tiny.held(project):
        process = start(project, engine, "--again", "--profile=onednn-on")
        tiny.until(engine.observing)
        engine.kill()
        said, _ = process.communicate(timeout=PATIENCE)
    engine.start()
    assert process.returncode == 8, said
    assert "Traceback" not in said and "the Docker Engine failed" in said and "tries them again" in said
    assert before and {file: file.read_bytes() for file in before} == before
    assert statuses(project.reports)["onednn-on"] == ("not_run", True)
    goes_on(project, whole, engine)
    told(
        "the Engine dies in the middle of a run",
        "not run, and the machine's fault; exit 8; what was recorded stays; tried again by the next call",
    )


def test_an_engine_that_is_not_there(project, engine, told):
    nowhere = Engine(folder=project.reports.parent, data=project.reports.parent)
    status, said = run(project, nowhere)
    assert status == 5, said
    assert "no Docker Engine answers" in said and "choose the engine venv" in said and "Traceback" not in said
    assert not list(records.files(project.reports))
    told("no Engine answers", "ends with exit 5 and the cure before anything is run")


@contextlib.contextmanager
def image_hidden(engine: Engine) -> Iterator[None]:
    """The target's image, by another name meanwhile."""
    name = f"tf-groupconv-matrix:{tiny.TARGET}"
    with engine.client() as client:
        image = client.images.get(name)
        image.tag("hidden")
        client.images.remove(name)
        try:
            yield
        finally:
            image.tag(name)
            client.images.remove("hidden")


def test_an_index_that_cannot_be_reached_from_a_build(whole, project, engine, told):
    """This Engine's containers reach no network, and so no index."""
    with image_hidden(engine):
        status, said = run(project, engine)
    assert status == 8, said
    assert "Traceback" not in said
    assert set(statuses(project.reports).values()) == {("not_built", True)}
    goes_on(project, whole, engine)
    told(
        "the package index cannot be reached",
        "not built, and the machine's fault; exit 8; tried again by the next call",
    )


def test_the_engines_disk_is_full(whole, project, tar, told):
    with own_engine.started(size="600m") as small:
        own_engine.prepare(project, tar, small)
        filler = small.data / "filler"
        fill(filler)
        status, said = run(project, small)
        assert status == 8, said
        assert "Traceback" not in said and "no space left on device" in said
        assert {(status, machine) for status, machine in statuses(project.reports).values()} == {("not_run", True)}
        filler.unlink()
        goes_on(project, whole, small)
    told(
        "the Engine's disk is full",
        "not run, and the machine's fault; exit 8 says so; goes on from there when there is room",
    )


def fill(file: Path) -> None:
    with file.open("wb") as stream:
        try:
            while True:
                stream.write(b"\0" * 2**16)
                stream.flush()
        except OSError:
            return


ENDINGS = {
    signal.SIGINT: ("SIGINT", 130, "runs under way end and are recorded; exit 130 says how to go on"),
    signal.SIGTERM: ("SIGTERM while observing", 143, "stops at once; exit 143 says how to go on"),
}


@pytest.mark.parametrize("number", ENDINGS)
def test_asked_to_end(number, whole, project, engine, told):
    """While every cell is held up: SIGTERM ends the run all the same, SIGINT only once the cells may go on."""
    fault, status, outcome = ENDINGS[number]
    with tiny.held(project):
        process = start(project, engine)
        tiny.until(engine.observing)
        process.send_signal(number)
        if number == signal.SIGINT:
            tiny.read_until(process, "under way will end")
            tiny.until(lambda: engine.let_go() or process.poll() is not None)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == status, said
    assert "the same command goes on" in said
    assert ("complete" in {made for made, _ in statuses(project.reports).values()}) == (number == signal.SIGINT)
    assert not engine.running()
    goes_on(project, whole, engine)
    told(fault, outcome)


def test_killed_at_random_points(whole, project, engine, told):
    """How long a run took only spreads the points: what is asserted holds at each."""
    random, began = Random(SEED), time.monotonic()
    run(project, engine)
    seconds = time.monotonic() - began
    for _ in range(KILLS):
        shutil.rmtree(project.reports)
        process = start(project, engine)
        time.sleep(random.uniform(0, seconds))
        process.kill()
        process.communicate()
        assert all(record.header.status in {"complete", "not_run"} for record in records.read_all(project.reports))
        goes_on(project, whole, engine)
    told(
        "SIGKILL at a random point",
        "the same command ends the container that runs on, and gives the records of an undisturbed sweep",
    )
