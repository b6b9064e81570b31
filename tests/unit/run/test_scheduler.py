"""The order in which targets are built and run, and which images a sweep keeps on a disk that is too small."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from matrix.base import paths
from matrix.base.errors import MachineError, NotBuilt
from matrix.base.ids import Run, Target
from matrix.catalog import releases
from matrix.plan.planned_run import PlannedRun
from matrix.plan.selection import Selection
from matrix.provision import images
from matrix.provision.engines import ENGINES, docker
from matrix.provision.engines.protocol import Environment
from matrix.record.records import Record
from matrix.run import runner, scheduler

DATA = releases.load()
RELEASES = [release for release in DATA.releases if "cpu" in release.wheels][:12]
PROFILE = DATA.profile("onednn-off")


class Silent:
    """A progress that nobody watches."""

    def __getattr__(self, name: str) -> Callable[..., contextlib.AbstractContextManager[None]]:
        return lambda *_: contextlib.nullcontext()


@dataclass
class Disk:
    """A fake engine on a disk with room for `size` environments; an environment whose runs are done may go."""

    size: int
    held: dict[Target, bool] = field(default_factory=dict)  # whether the environment is still needed
    most: int = 0
    tried: list[Target] = field(default_factory=list)
    gate: threading.Lock = field(default_factory=threading.Lock)

    def provision(self, target: Target, say: Callable[[str], None]) -> Environment:
        with self.gate:
            self.tried.append(target)
            for old in [held for held, needed in self.held.items() if not needed][: len(self.held) + 1 - self.size]:
                del self.held[old]
            if len(self.held) >= self.size:
                raise NotBuilt("no room", machine=True)
            self.held[target] = True
            self.most = max(self.most, sum(self.held.values()))
        return Environment(target=target, where=target.id, recipe_sha256="0" * 64, lock_sha256="0" * 64)

    def done(self, environment: Environment) -> None:
        with self.gate:
            self.held[environment.target] = False


def sweep(disk: Disk, monkeypatch, instead=None) -> list[Record]:
    def observe(job, wanted, observed):
        assert disk.held[job.environment.target], "its image went before its run was done"
        return runner.not_run(job.planned, MachineError("observed"))

    monkeypatch.setitem(ENGINES, "docker", disk)
    monkeypatch.setattr(runner, "default_is", lambda job, data: None)
    monkeypatch.setattr(runner, "observe", instead or observe)
    due = [
        PlannedRun(
            run=Run(target=release.target("cpu"), profile=name), release=release, profile=PROFILE, engine="docker"
        )
        for release in RELEASES
        for name in ("onednn-off", "onednn-on")
    ]
    made = list(scheduler.execute(due, Selection(), DATA, Silent(), Path("/nonexistent")))
    assert sorted(record.header.run for record in made) == sorted(planned.run.id for planned in due)
    return made


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_disk_for_a_few_images_is_enough_for_all(size, monkeypatch):
    made = sweep(Disk(size), monkeypatch)
    assert {record.header.status for record in made} == {"not_run"}


def test_few_targets_are_built_ahead(monkeypatch):
    disk = Disk(size=100)
    sweep(disk, monkeypatch)
    assert disk.most <= scheduler.slots() + scheduler.AHEAD
    assert len(disk.tried) == len(RELEASES)
    assert not any(disk.held.values())


def test_a_disk_without_room_for_one_is_tried_twice_and_told(monkeypatch):
    disk = Disk(size=0)
    made = sweep(disk, monkeypatch)
    assert {(record.header.status, record.header.machine) for record in made} == {("not_built", True)}
    assert Counter(disk.tried) == {release.target("cpu"): 2 for release in RELEASES}


@pytest.fixture
def engine(monkeypatch):
    """A fake Engine with the images of three targets, 5 GiB each, and 4 GiB of free disk."""
    ids = ["newest", "middle", "oldest"]
    there = {name: SimpleNamespace(id=name, labels={}, attrs={"Created": str(9 - n)}) for n, name in enumerate(ids)}
    suites = {"suite": "oldest"}

    def remove(image: str) -> None:
        if image not in suites.values():  # the Engine, too, keeps an image that another stands on
            there.pop(image, None)
        suites.pop(image, None)

    usage = lambda _: SimpleNamespace(free=(4 + 5 * (3 - len(there))) * 2**30)  # noqa: E731
    monkeypatch.setattr(images, "connect", lambda: SimpleNamespace(info=lambda: {"DockerRootDir": "/"}))
    monkeypatch.setattr(images, "listed", lambda **_: list(there.values()))
    monkeypatch.setattr(images, "is_local", lambda: True)
    monkeypatch.setattr(images, "remove", remove)
    monkeypatch.setattr(images.shutil, "disk_usage", usage)
    monkeypatch.setattr(docker, "_needed", set(ids))
    monkeypatch.setattr(docker, "_with_suites", {"oldest": {"suite"}})
    return there


def of(where: str) -> Environment:
    return Environment(target=RELEASES[0].target("cpu"), where=where, recipe_sha256="0" * 64, lock_sha256="0" * 64)


def test_no_image_goes_while_a_run_of_it_is_due(engine):
    with pytest.raises(NotBuilt, match="4 GiB free on the Engine's disk, 10 needed"):
        images.make_room(docker._needed)
    assert set(engine) == {"newest", "middle", "oldest"}


def test_the_oldest_whose_runs_are_done_go_until_there_is_room(engine):
    for where in ("newest", "oldest"):
        docker.done(of(where))
    images.make_room(docker._needed)
    assert set(engine) == {"middle"}


def test_no_more_goes_than_is_wanted(engine, monkeypatch):
    monkeypatch.setattr(images, "FREE", 8 * 2**30)
    for where in ("newest", "middle", "oldest"):
        docker.done(of(where))
    images.make_room(docker._needed)
    assert set(engine) == {"newest", "middle"}


@pytest.mark.parametrize("where", ["provision", "observe"])
def test_a_fault_of_the_matrix_itself_costs_its_own_runs_and_no_other(where, monkeypatch, tmp_path):
    """Such as an error that nobody thought of, when the engine builds, or when the runner reads what a target says."""
    disk, first = Disk(size=100), RELEASES[0].target("cpu")
    sound = disk.provision

    def provision(target, say):
        if where == "provision" and target == first:
            raise ValueError("nobody thought of this\x1b[31m")
        return sound(target, say)

    def observe(job, wanted, observed):
        if where == "observe" and job.environment.target == first:
            raise ValueError("nobody thought of this\x1b[31m")
        return runner.not_run(job.planned, MachineError("observed"))

    monkeypatch.setattr(paths, "LOGS", tmp_path)
    monkeypatch.setattr(disk, "provision", provision)
    made = sweep(disk, monkeypatch, observe)
    reasons = {record.header.run: record.header.reason for record in made if record.header.machine}
    of_first = {run: why for run, why in reasons.items() if run.startswith(first.id)}
    assert len(reasons) == len(made) and len(of_first) == 2
    for run, why in of_first.items():
        assert why == f"a fault of the matrix itself, ValueError: nobody thought of this [31m; see {run}.traceback.log"
        assert "nobody thought of this" in (tmp_path / f"{run}.traceback.log").read_text()
    assert {why for run, why in reasons.items() if run not in of_first} == {"observed"}


@pytest.mark.parametrize(
    ("number", "name"), [(9, "SIGKILL"), (11, "SIGSEGV"), (35, "SIGRTMIN+1"), (63, "SIGRTMIN+29"), (32, "SIGRTMIN-2")]
)
def test_every_signal_has_a_name(number, name):
    assert runner.signal_name(number) == name


def test_a_run_that_waits_for_memory_says_so_and_does_not_begin_once_all_is_to_end(monkeypatch):
    told = []
    progress = SimpleNamespace(waiting=lambda run, why: told.append((run, why)), waited=told.append)
    crew = scheduler._Crew(DATA, frozenset(), Selection(), progress, Path("/nonexistent"))
    free = iter([3, 1, 1, 4])
    memory = lambda: SimpleNamespace(available=next(free) * 2**30)  # noqa: E731
    monkeypatch.setattr(scheduler.psutil, "virtual_memory", memory)
    with crew._memory("one"), crew._memory("other"):
        assert told[1][1].startswith("a run takes up to 2 GiB of memory, 1.0 are free; close what else runs here")
        assert told == ["one", ("other", told[1][1]), "other"]
    monkeypatch.setattr(scheduler.psutil, "virtual_memory", lambda: SimpleNamespace(available=2**30))
    crew.closed.set()
    with crew._memory("alone"), pytest.raises(scheduler._NotBegun), crew._memory("never"):
        pass


@pytest.mark.parametrize(("is_current", "made"), [(True, ["default"]), (False, ["default", "onednn-off"])])
def test_what_is_current_is_not_made_again_under_another_name(is_current, made, tmp_path, monkeypatch):
    target = RELEASES[0].target("cpu")
    other = PlannedRun(
        run=Run(target=target, profile="onednn-off"), release=RELEASES[0], profile=PROFILE, engine="docker"
    )
    run = replace(other, run=Run(target=target, profile="default"), profile=DATA.profile("default"))
    monkeypatch.setitem(ENGINES, "docker", Disk(size=1))
    monkeypatch.setattr(runner, "default_is", lambda job, data: other)
    monkeypatch.setattr(runner, "observe", lambda job, *_: runner.not_run(job.planned, MachineError("observed")))
    monkeypatch.setattr(scheduler, "current", lambda *_: object() if is_current else None)
    found = list(scheduler.execute([run], Selection(), DATA, Silent(), tmp_path))
    assert [one.header.profile for one in found] == made


BUILDS_FOR_EVER = """
import sys, time
from pathlib import Path
from unit.run.test_scheduler import DATA, PROFILE, RELEASES, Disk
from matrix.base.ids import Run
from matrix.plan.planned_run import PlannedRun
from matrix.plan.selection import Selection
from matrix.provision.engines import ENGINES
from matrix.run import scheduler
from matrix.run.progress import Plain
from rich.console import Console

class Stuck(Disk):
    def provision(self, target, say):
        say("building for ever")
        while True:
            time.sleep(1)

ENGINES["docker"] = Stuck(size=1)
target = RELEASES[0].target("cpu")
run = PlannedRun(run=Run(target=target, profile="onednn-off"), release=RELEASES[0], profile=PROFILE, engine="docker")
list(scheduler.execute([run], Selection(), DATA, Plain(Console(file=sys.stdout), {}), Path("/nonexistent")))
"""


def test_a_second_interrupt_ends_what_cannot_be_stopped():
    process = subprocess.Popen(
        [sys.executable, "-uc", BUILDS_FOR_EVER], env=os.environ | {"PYTHONPATH": f"{paths.ROOT}:{paths.ROOT}/tests"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for words in ("building for ever", "once more stops them at once"):
        assert any(words in line for line in process.stdout), process.stderr.read()
        process.send_signal(signal.SIGINT)
    said, faults = process.communicate(timeout=60)
    assert process.returncode == 130, faults
    assert "stopped: what did not end in time is left behind" in said
