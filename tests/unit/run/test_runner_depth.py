from __future__ import annotations

import json

import pytest

from matrix.catalog import releases
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection
from matrix.provision.engines.protocol import Environment
from matrix.record import records
from matrix.run import runner
from matrix.run.runner import End, Job

CELL = ("nn-conv2d", "graph", "forward", "g4-k3/none/f32/nhwc")
OBSERVATION = dict(zip(("approach", "mode", "check", "case"), CELL, strict=True), evidence="executed", outcome="pass")


@pytest.mark.parametrize("depth", ["core", "full"])
def test_line_1_holds_the_depth_that_the_suite_was_asked_for_and_says(monkeypatch, depth):
    """The suite is a fake: it observes one cell, and says as the real one does to which depth it was asked."""
    selection = Selection(releases=("2.21",), backends=("cpu",), profiles=("onednn-off",), depth=depth)
    (planned,) = plan_runs(releases.load(), selection, "venv")
    environment = Environment(target=planned.run.target, where="/env", recipe_sha256="0" * 64, lock_sha256="0" * 64)

    def follow(job, stream, arguments):
        asked = arguments[arguments.index("--depth") + 1]
        told = {"tensorflow": "2.21.0", "packages": {}, "build_info": None, "cells": 1, "onednn": False, "depth": asked}
        lines = [{"format": "stream/1", "python": "3.13.0"}, told, OBSERVATION, {"closing": 1, "seconds": {}}]
        stream.feed("".join(json.dumps(line) + "\n" for line in lines).encode())
        return End(reason="it ended")

    monkeypatch.setattr(runner, "_follow", follow)
    record = runner.observe(Job(planned=planned, environment=environment), [CELL], lambda observation: None)
    assert (record.header.status, record.header.depth) == ("complete", depth)
    assert json.loads(records.encode(record).split(b"\n")[0])["depth"] == depth
