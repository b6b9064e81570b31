"""Runs on a GPU: what they are given, and which observations count. The GPU is a fake among this machine's facts."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from matrix.base import paths
from matrix.catalog import releases
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection
from matrix.provision.engines import venv
from matrix.provision.engines.protocol import Environment, Limits, Program
from matrix.record import host
from matrix.run import runner
from matrix.run.runner import End, Job, on_its_device

CUDA = Selection(releases=("2.21",), backends=("cuda",), profiles=("default",))
CELL = ("nn-conv2d", "graph", "forward", "g4-k3/none/f32/nhwc")
OBSERVATION = dict(zip(("approach", "mode", "check", "case"), CELL, strict=True), evidence="executed", outcome="pass")


@pytest.fixture
def job(monkeypatch) -> Job:
    facts = host.facts("cpu")
    monkeypatch.setattr(host, "facts", lambda backend: msgspec.structs.replace(facts, gpu="A fake", driver="1.0"))
    (planned,) = plan_runs(releases.load(), CUDA, "venv")
    environment = Environment(target=planned.run.target, where="/env", recipe_sha256="0" * 64, lock_sha256="0" * 64)
    return Job(planned=planned, environment=environment)


def suite_says(monkeypatch, imported: dict) -> None:
    """A fake suite: it describes TensorFlow like this, and observes one cell."""
    lines = [{"format": "stream/1", "python": "3.13.0"}, imported, OBSERVATION, {"closing": 1, "seconds": {}}]

    def follow(job, stream, arguments):
        stream.feed("".join(json.dumps(line) + "\n" for line in lines).encode())
        return End(reason="it ended")

    monkeypatch.setattr(runner, "_follow", follow)


def test_it_has_a_gpus_variables_limits_and_modules(job) -> None:
    assert job.planned.how == "on_gpu" and job.planned.virtual_device is None
    assert job.planned.variables["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert on_its_device(job).limits.memory > job.limits.memory


@pytest.mark.parametrize(("gpus", "counted"), [([], 0), (["A fake, compute capability: 9.0"], 1)])
def test_what_a_release_says_that_found_no_gpu_is_no_observation_of_one(job, monkeypatch, gpus, counted) -> None:
    imported = {"tensorflow": "2.21.0", "packages": {}, "build_info": None, "cells": 1, "onednn": None, "gpus": gpus}
    suite_says(monkeypatch, imported)
    record = runner.observe(job, [CELL], lambda observation: None)
    assert len(record.observations) == record.header.observations == counted
    assert record.header.status == ("complete" if counted else "partial")
    assert bool(record.header.machine) == (not counted)


@pytest.mark.parametrize("said", ["2.20.0", "no version"])
def test_a_target_that_calls_itself_another_release_does_not_end_the_sweep(job, monkeypatch, said) -> None:
    imported = {"tensorflow": said, "packages": {}, "build_info": None, "cells": 1, "onednn": None, "gpus": ["A fake"]}
    suite_says(monkeypatch, imported)
    header = runner.observe(job, [CELL], lambda observation: None).header
    assert (header.status, header.reason) == ("partial", f"the target says that it is TensorFlow {said}")


def test_the_loader_is_told_of_the_wheels_libraries(job, tmp_path, monkeypatch) -> None:
    for name in ("cusolver", "cudnn"):
        (tmp_path / "lib" / "python3.13" / "site-packages" / "nvidia" / name / "lib").mkdir(parents=True)
    environment = Environment(target=job.planned.run.target, where=str(tmp_path), recipe_sha256="", lock_sha256="")
    monkeypatch.setattr(venv, "_Process", lambda command, variables, home: variables)
    variables = venv.start(environment, Program(suite=paths.SUITE), (), {"TOLD": "yes"}, Limits())
    folders = variables["LD_LIBRARY_PATH"].split(":")
    assert [folder.rpartition("nvidia/")[2] for folder in folders] == ["cudnn/lib", "cusolver/lib"]
    assert variables["TOLD"] == "yes"
    Path(variables["HOME"]).rmdir()
