"""A planned run by the real runner, in a real environment: a CPU build, which is asked for a GPU that is not there."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest

from matrix.base import paths
from matrix.catalog import backends
from matrix.plan.selection import Selection
from matrix.run import runner
from matrix.run.runner import Job

DOUBTED = """
import json
from suite.planning import CONTROL, Planner
planner = Planner({"type": "ABACUS"})
planner.kernels = {"_FusedConv2D": {"ABACUS": ["float32"]}}
print(json.dumps(planner(CONTROL)))
"""


@pytest.fixture(scope="module")
def device() -> dict[str, str]:
    return backends.load()["cuda"].virtual_device


def test_a_build_is_asked_what_it_plans_and_registers(planned, environment, device):
    """The build for the processor stands in for one for CUDA, of some GB: Grappler plans for a GPU in both."""
    planned = replace(planned, run=replace(planned.run, target=replace(planned.run.target, backend="cuda")))
    selection = Selection(approaches=("nn-conv2d", "fused-kernel"))
    job = Job(planned=planned, environment=environment, arguments=selection.patterns(planned))
    record = runner.observe(job, selection.cells(planned), lambda _: None)
    header = record.header
    assert (header.reason, header.status, header.planned_for) == (None, "complete", device)
    assert header.kernels["Conv2D"].keys() == {"CPU"}
    assert {one.outcome for one in record.observations if one.evidence == "planned"} == {"pass"}
    of_kernels = [one for one in record.observations if one.evidence == "registered"]
    assert {one.reason for one in of_kernels} == {
        "this build registers no GPU kernel of _FusedConv2D for f32",
        "this build registers no GPU kernel of _FusedConv2D for f16",
    }
    sources = {one.fusion.source for one in record.observations if one.fusion}
    assert sources == {"grappler_plan"}


def test_a_plan_is_doubted_where_the_control_is_not_fused(environment):
    """As if the build had the fused kernel for a device that Grappler does not know."""
    command = [f"{environment.where}/bin/python", "-W", "ignore", "-c", DOUBTED]
    ended = subprocess.run(command, cwd=paths.SUITE.parent, capture_output=True, text=True, check=True)
    observation = json.loads(ended.stdout.splitlines()[-1])
    assert observation["outcome"] == "skipped" and "fusion" not in observation
    assert observation["reason"].startswith(
        "not believed: the control, g1-k3/bias_relu/f32/nhwc for ABACUS, is planned as"
    )
