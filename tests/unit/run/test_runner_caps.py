from __future__ import annotations

import json

import pytest

from matrix.catalog import releases
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection
from matrix.provision.engines.protocol import Environment
from matrix.record.records import Given
from matrix.run import runner
from matrix.run.runner import End, Job

CELL = ("nn-conv2d", "graph", "forward", "g4-k3/none/f32/nhwc")
OBSERVATION = dict(zip(("approach", "mode", "check", "case"), CELL, strict=True), evidence="executed", outcome="pass")


@pytest.mark.parametrize(
    ("says", "believed"),
    [
        ({"onednn_isa": "Intel AVX2"}, True),
        ({"onednn_isa": "Intel AVX"}, True),
        ({"onednn_isa": "Intel AVX-512 with Intel DL Boost"}, False),
        ({}, False),
    ],
)
def test_what_is_observed_under_a_cap_counts_only_where_onednn_says_that_it_kept_to_it(monkeypatch, says, believed):
    selection = Selection(releases=("2.21",), backends=("cpu",), profiles=("onednn-on+isa-avx2",))
    (planned,) = plan_runs(releases.load(), selection, "venv")
    assert {planned.variables[name] for name in releases.MAX_ISA} == {"AVX2"}
    environment = Environment(target=planned.run.target, where="/env", recipe_sha256="0" * 64, lock_sha256="0" * 64)
    imported = {"tensorflow": "2.21.0", "packages": {}, "build_info": None, "cells": 1, "onednn": True, **says}
    lines = [{"format": "stream/1", "python": "3.13.0"}, imported, OBSERVATION, {"closing": 1, "seconds": {}}]

    def follow(job, stream, arguments):
        stream.feed("".join(json.dumps(line) + "\n" for line in lines).encode())
        return End(reason="it ended")

    monkeypatch.setattr(runner, "_follow", follow)
    record = runner.observe(Job(planned=planned, environment=environment), [CELL], lambda observation: None)
    assert record.header.onednn_isa == says.get("onednn_isa")
    assert (record.header.status, len(record.observations)) == (("complete", 1) if believed else ("partial", 0))
    cap = {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2"}
    assert record.header.setting == Given(environment={"TF_ENABLE_ONEDNN_OPTS": "1", **cap})
    assert believed or record.header.reason.startswith("oneDNN was to keep to avx2, and says of itself: ")
