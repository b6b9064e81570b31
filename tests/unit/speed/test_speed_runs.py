"""Speed runs by a fake engine, which sends what a process of the speed suite would: nothing is measured here."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console
from unit.timings import USUAL, Machine, encode, lines

from matrix.base import paths
from matrix.base.errors import BadUsage, Busy
from matrix.catalog import locks
from matrix.cli import main as command_line
from matrix.plan.selection import Selection
from matrix.provision.engines import ENGINES
from matrix.provision.engines.protocol import Ended, Environment
from matrix.record import folder, speed_records
from matrix.speed import speed_runs
from matrix.speed.speed_runs import Asked

RELEASE = Selection(releases=("2.15.1",), profiles=("onednn-on",))
RUN = "tf2.15.1-py311-cpu+onednn-on"


class FakeProcess:
    def __init__(self, said: bytes, status: int = 0) -> None:
        self.left, self.status = [said[at : at + 5000] for at in range(0, len(said), 5000)], status

    def read(self, seconds):
        if not self.left:
            raise EOFError
        return ("out", self.left.pop(0))

    def kill(self):
        pass

    def wait(self):
        return Ended(status=self.status)


class FakeEngine:
    """`says` returns the output of the process with a number; `started` counts how often each was started."""

    def __init__(self) -> None:
        self.started: Counter[int] = Counter()
        self.modules: set[str] = set()
        self.says = self.usual
        self.status = 0

    def usual(self, number: int, **around) -> bytes:
        drawn = {name: Machine(number, 1).samples(seconds)[0] for name, seconds in USUAL.items()}
        return encode(lines(drawn, number, **{"tensorflow": "2.15.1"} | around))

    def trouble(self):
        return None

    def recipe(self, target):
        return "0" * 64

    def is_built(self, target):
        return True

    def provision(self, target, say):
        return Environment(target=target, where="there", recipe_sha256="0" * 64, lock_sha256="2" * 64)

    def done(self, environment):
        pass

    def start(self, environment, program, arguments, variables, limits):
        number = int(arguments[arguments.index("--process") + 1])
        self.started[number] += 1
        self.modules.add(program.module)
        return FakeProcess(self.says(number), self.status)


@pytest.fixture
def engine(monkeypatch, tmp_path):
    fake = FakeEngine()
    monkeypatch.setitem(ENGINES, "venv", fake)
    monkeypatch.setattr(paths, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(speed_runs, "WORK", tmp_path / "speed")
    return fake


@pytest.fixture
def reports(tmp_path) -> Path:
    return tmp_path / "reports"


def make(reports: Path, **asked):
    session = speed_runs.prepare(Asked(**{"selection": RELEASE, "engine": "venv"} | asked), reports)
    return speed_runs.carry_out(session, reports, Console(quiet=True))


def due(reports: Path, **asked) -> list[str]:
    session = speed_runs.prepare(Asked(**{"selection": RELEASE, "engine": "venv"} | asked), reports)
    return [one.run for one in session.due]


def file_of(reports: Path) -> Path:
    return next(iter(speed_records.SPEED.files(reports)))


def test_a_run_has_so_many_fresh_processes_and_one_file(engine, reports):
    outcome = make(reports)
    assert engine.started == dict.fromkeys(range(5), 1) and engine.modules == {"suite.speed"}
    made = speed_records.read(file_of(reports))
    assert outcome.made == (made,) and outcome.failed == ()
    assert (made.run, made.processes, made.depth, made.profile) == (RUN, 5, "default", "onednn-on")
    assert made.control.pairs == 1 and made.points[0].fastest == "nn-conv2d"
    assert folder.behind(reports).exists(), "the report is to be renewed"


def test_what_is_current_is_not_made_again(engine, reports):
    assert due(reports) == [RUN]
    make(reports)
    assert due(reports) == [] == due(reports, depth="quick")
    assert due(reports, depth="full") == due(reports, again=True) == [RUN]


def test_another_suite_or_environment_makes_it_due(engine, reports, monkeypatch):
    make(reports)
    engine.recipe = lambda target: "9" * 64
    assert due(reports) == [RUN]
    engine.recipe = lambda target: "0" * 64
    assert due(reports) == []
    monkeypatch.setattr(speed_runs, "speed_sha256", lambda peer: "8" * 64)
    assert due(reports) == [RUN]


def test_without_a_profile_onednn_is_switched_on_and_off_where_it_can_be(engine, reports):
    releases = Selection(releases=("2.4.4", "2.15.1"))
    assert due(reports, selection=releases) == [
        "tf2.4.4-py38-cpu+default", "tf2.15.1-py311-cpu+onednn-on", "tf2.15.1-py311-cpu+onednn-off",
    ]  # fmt: skip


def test_an_interrupt_loses_nothing_that_was_whole(engine, reports):
    def interrupted(number: int) -> bytes:
        if number == 3:
            raise KeyboardInterrupt
        return engine.usual(number)

    engine.says = interrupted
    with pytest.raises(KeyboardInterrupt):
        make(reports)
    assert speed_records.SPEED.files(reports) == []
    engine.says = engine.usual
    make(reports)
    assert engine.started == {0: 1, 1: 1, 2: 1, 3: 2, 4: 1}
    assert len(speed_records.read(file_of(reports)).points) == 1


def test_also_one_that_is_made_again_goes_on(engine, reports):
    make(reports)
    engine.says, whole = (lambda number: engine.usual(number) if number < 2 else b"\n"), engine.usual
    assert make(reports, again=True).failed
    engine.says = whole
    make(reports, again=True)
    assert engine.started == {0: 2, 1: 2, 2: 3, 3: 2, 4: 2}


def test_where_only_the_file_is_gone_it_is_made_of_the_kept_samples(engine, reports):
    make(reports)
    before = file_of(reports).read_bytes()
    file_of(reports).unlink()
    make(reports)
    assert file_of(reports).read_bytes() == before and engine.started.total() == 5


def test_what_was_kept_and_is_broken_is_measured_anew(engine, reports):
    make(reports)
    kept = sorted(speed_runs.WORK.rglob("process-*.jsonl"))
    kept[0].write_bytes(kept[0].read_bytes()[:-20])
    kept[1].write_bytes(b"\xff")
    file_of(reports).unlink()
    make(reports)
    assert engine.started == {0: 2, 1: 2, 2: 1, 3: 1, 4: 1}


def test_again_keeps_what_the_run_before_found(engine, reports, monkeypatch):
    make(reports)
    monkeypatch.setattr(speed_runs, "_now", lambda: "2026-01-02T03:04:05Z")
    first = speed_records.read(file_of(reports))
    engine.says = lambda number: engine.usual(number + 100)
    make(reports, again=True)
    second = speed_records.read(file_of(reports))
    assert engine.started.total() == 10 and all(one.before is None for one in first.points[0].ratios)
    found = {(one.variant, one.against): one.interval for one in first.points[0].ratios}
    assert {(one.variant, one.against): one.before for one in second.points[0].ratios} == found


def test_a_shallower_run_does_not_take_the_place_of_a_deeper_one(engine, reports):
    make(reports)
    before = file_of(reports).read_bytes()
    outcome = make(reports, depth="quick", again=True)
    assert outcome.made == () and [one.depth for one in outcome.unpublished] == ["quick"]
    assert file_of(reports).read_bytes() == before


Fake = FakeEngine()


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (lambda number: Fake.usual(number)[:-30], "ended with exit status 0 before its closing line"),
        (lambda number: b"Segmentation fault\n", "JSON is malformed"),
        (lambda number: Fake.usual(number, tensorflow="2.8.4"), "says that it is 2.8.4"),
        (lambda number: Fake.usual(number, tensorflow="no version"), "says that it is no version"),
        (lambda number: encode([*lines({})[:1], {"not_imported": "ImportError: x"}]), "ImportError: x"),
        (lambda number: encode([*lines({})[:1], {"refused": "too old"}]), "too old"),
        (lambda number: b"x" * 100_000, "more than 64 KiB"),
    ],
)
def test_what_does_not_end_well_is_told_and_not_published(engine, reports, says, why):
    engine.says = says
    outcome = make(reports)
    assert outcome.made == () and speed_records.SPEED.files(reports) == []
    assert [run for run, _ in outcome.failed] == [RUN] and why in outcome.failed[0][1]


def test_one_that_fails_does_not_hold_up_the_others(engine, reports):
    engine.says = lambda number: engine.usual(number) if engine.started.total() > 1 else b"\n"
    outcome = make(reports, selection=replace(RELEASE, profiles=("onednn-on", "onednn-off")))
    assert len(outcome.failed) == len(outcome.made) == 1


def test_a_peer_is_a_run_of_its_own(engine, reports):
    engine.says = lambda number: engine.usual(number, tensorflow=None, peer="torch", packages={"torch": "2.13.0"})
    make(reports, selection=Selection(releases=()), peers=("torch",))
    made = speed_records.read(file_of(reports))
    assert (made.run, made.peer, made.release) == ("peer-torch-py311-cpu", "torch", "2.13.0")
    assert engine.modules == {"suite.speed.peers.torch_peer"}


def test_networks_and_all_threads_have_files_of_their_own(engine, reports):
    make(reports)
    engine.says = lambda number: engine.usual(number, threads=2)
    make(reports, threads=2)
    engine.says = engine.usual
    make(reports, depth="network")
    assert {file.name for file in speed_records.SPEED.files(reports)} == {
        f"{RUN}.speed.json", f"{RUN}.all-threads.speed.json", f"{RUN}.networks.speed.json",
    }  # fmt: skip
    assert [due(reports), due(reports, threads=2), due(reports, depth="networks")] == [[], [], [RUN]]
    runs, _ = speed_records.readable(reports)
    assert [run.threads for run in speed_records.preferred(runs).values()] == [1]


def test_other_libraries_are_timed_on_one_thread(engine, reports):
    with pytest.raises(BadUsage, match="one thread"):
        make(reports, peers=("torch",), threads=2)


@pytest.mark.parametrize("peer", speed_runs.PEERS)
def test_every_peer_has_its_program_and_its_lock(peer):
    assert locks.files(speed_runs.peer(peer, "venv").target)[0].is_file()
    assert (paths.SUITE / "speed" / "peers" / f"{peer}_peer.py").is_file()


def test_a_wheel_that_no_index_has_comes_from_where_pip_is_told(monkeypatch):
    target = speed_runs.peer("torch", "venv").target
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")
    assert locks.install_command(target)[-4:] == ["--find-links", "/wheels", "--find-links", "/more"]
    monkeypatch.delenv("PIP_FIND_LINKS")
    assert locks.install_command(target)[-2:] == ["--torch-backend", "cpu"]


def test_nothing_named_is_a_mistake(engine, reports):
    with pytest.raises(BadUsage, match="nothing is named"):
        due(reports, selection=Selection(releases=()))


def test_it_runs_alone(engine, reports):
    with folder.holding(reports), pytest.raises(Busy):
        make(reports)


def test_the_verb_says_before_what_is_due_and_after_what_was_found(engine, reports, monkeypatch):
    arguments = [
        "speed",
        "--release",
        "2.15.1",
        "--profile",
        "onednn-on",
        "--engine",
        "venv",
        "--reports",
        str(reports),
    ]
    plan = CliRunner().invoke(command_line.cli, [*arguments, "--plan"])
    assert "due: 1, current: 0; about 5 min" in plan.output and not engine.started
    made = CliRunner().invoke(command_line.cli, arguments, catch_exceptions=False)
    assert re.findall(rf"{re.escape(RUN)}: process (\d) took", made.output) == list("01234")
    assert "resnext50-56 x1, forward (graph): nn-conv2d" in made.output
    assert "Control: of 1 pairs of the same program 0 were called different" in made.output
    assert json.loads((reports / "support.json").read_text())["control"] == {"pairs": 1, "false_alarms": 0}
    assert not folder.behind(reports).exists()
    assert "due: 0, current: 1; nothing to do" in CliRunner().invoke(command_line.cli, arguments).output
