"""Five machines share the work of two targets: one is killed and starts again, one never answers. Without GitHub, on
real TensorFlow, with the suite cut to a few cells.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from matrix.base import paths
from matrix.catalog.releases import Catalog, Release
from matrix.record import records
from matrix.record.records import Record

MACHINES = 5
FEW_CELLS = """

_every_cell = cells


def cells(depth="full"):
    return tuple(
        cell
        for cell in _every_cell(depth)
        if (cell.approach, cell.case) in {(name, "g4-k3/bias_relu/f32/nhwc") for name in ("nn-conv2d", "split-concat")}
        and cell.mode in {"eager", "graph"}
    )
"""
# The command line as it is, but for the suite: `matrix.suite` is looked for in the first folder before the project's.
MATRIX = """
import sys
import matrix
matrix.__path__.insert(0, sys.argv.pop(1))
from matrix.cli.main import main
sys.exit(main())
"""


@dataclass(frozen=True, kw_only=True)
class World:
    """A suite of few cells, two releases, and a folder of published records without any."""

    suite: Path
    releases: tuple[Release, Release]
    reports: Path

    def command(self, verb: str, *arguments: str) -> list[str]:
        return [sys.executable, "-c", MATRIX, str(self.suite.parent), verb, f"--reports={self.reports}", *arguments]

    def matrix(self, verb: str, *arguments: str) -> str:
        done = subprocess.run(
            self.command(verb, *arguments), cwd=paths.ROOT, capture_output=True, text=True, check=False, timeout=1800
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def chosen(self) -> list[str]:
        return [f"--release={release.version}" for release in self.releases]

    def shard(self, number: int, folder: Path) -> list[str]:
        return [*self.chosen, "--engine=venv", f"--shard={number}/{MACHINES}", f"--into={folder}"]


@pytest.fixture(scope="module")
def world(data: Catalog, release: Release, environment, tmp_path_factory) -> World:
    """The small release and the next one, which has the same Python wherever `release` is the usual one."""
    folder = tmp_path_factory.mktemp("machines")
    suite = folder / "suite"
    shutil.copytree(paths.SUITE, suite, ignore=shutil.ignore_patterns("__pycache__"))
    with (suite / "catalog.py").open("a") as catalog:
        catalog.write(FEW_CELLS)
    number = [entry.version for entry in data.releases].index(release.version)
    neighbour = data.releases[number + 1 if number + 1 < len(data.releases) else number - 1]
    return World(suite=suite, releases=(release, neighbour), reports=folder / "reports")


def kill_when_it_observes(command: list[str]) -> None:
    with subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True) as machine:
        assert machine.stdout
        assert any("observing" in line for line in machine.stdout)
        machine.kill()


def test_five_machines_do_what_one_does(world: World, tmp_path):
    world.matrix("run", "--engine=venv", *world.chosen)
    alone = {record.header.run: record for record in records.read_all(world.reports)}
    shutil.rmtree(world.reports)

    (tmp_path / "plan.json").write_text(world.matrix("plan", *world.chosen, f"--shards={MACHINES}", "--json"))
    shards = json.loads((tmp_path / "plan.json").read_text())["shards"]["cpu"]
    assert len(shards) == MACHINES and sorted(run for shard in shards for run in shard["runs"]) == sorted(alone)
    # A run that no other is another name of: nobody else brings it.
    missing = next(shard for shard in shards if f"{target(world)}+onednn-on" in shard["runs"])
    killed = next(shard for shard in shards if shard is not missing and "+default" not in shard["runs"][0])
    kill_when_it_observes(world.command("run", *world.shard(killed["number"], tmp_path / str(killed["number"]))))
    assert not list((tmp_path / str(killed["number"])).rglob("*.jsonl"))
    with ThreadPoolExecutor(MACHINES) as machines:
        numbers = [shard["number"] for shard in shards if shard is not missing]
        list(machines.map(lambda number: world.matrix("run", *world.shard(number, tmp_path / str(number))), numbers))

    told = world.matrix("merge", str(tmp_path), f"--plan={tmp_path / 'plan.json'}")
    together = {record.header.run: record for record in records.read_all(world.reports)}
    assert set(together) == set(alone)
    lost = {
        run for run in missing["runs"] if together[run].header.status == "not_run" and not together[run].header.same_as
    }
    assert f"{target(world)}+onednn-on" in lost
    assert {run: without_times(record) for run, record in together.items() if run not in lost} == {
        run: without_times(record) for run, record in alone.items() if run not in lost
    }
    for run in lost:
        assert together[run].header.status == "not_run"
        assert f"not run: {run}: shard {missing['number']}/{MACHINES} brought nothing" in told
    assert (world.reports / "SUPPORT.md").is_file()


def target(world: World) -> str:
    return world.releases[0].target("cpu").id


def without_times(record: Record) -> Record:
    header = msgspec.structs.replace(record.header, started="2026-01-01T00:00:00Z", seconds=None)
    return Record(header=header, observations=record.observations)
