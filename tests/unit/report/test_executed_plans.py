from __future__ import annotations

import msgspec
from unit.fabricated import header, record, where

from matrix.record.records import Host, Record
from matrix.report.executed_plans import executed_plans
from matrix.report.markdown import render

RUN = {"run": "tf2.21.0-py313-cuda+default", "release": "2.21.0", "backend": "cuda", "profile": "default"}
A100 = {"type": "GPU", "model": "NVIDIA A100"}
H200 = msgspec.structs.replace(header().host, host_class="cuda-sm90", gpu="NVIDIA H200", driver="580")
FUSED = where("fusion", "graph", "bias_relu", epilogue="fused")


def planned(change=FUSED) -> Record:
    return record(change, **RUN, planned_for=A100)


def on_gpu(change=FUSED, host: Host = H200) -> Record:
    return record(change, **RUN, host=host)


def test_a_plan_that_was_executed_as_it_was_made():
    (pair,) = executed_plans([planned(), on_gpu()])
    assert pair.cells > 0 and not pair.differing
    assert f"| NVIDIA H200 | {pair.cells} | {pair.cells} |" in _without_links(render("plans.md.jinja", executed=[pair]))


def test_what_the_device_did_otherwise_is_named():
    (pair,) = executed_plans([planned(), on_gpu(where("fusion", "graph", "bias_relu", epilogue="partly"))])
    assert [(cell[0], cell[3].split("/")[1]) for cell, _, _ in pair.differing] == [("nn-conv2d", "bias_relu")]
    text = render("plans.md.jinja", executed=[pair])
    assert "planned fused (Conv2D), executed partly (Conv2D)" in text


def test_a_run_of_the_cpu_and_a_plan_alone_are_no_pair():
    assert not list(executed_plans([planned(), record(**RUN)]))
    assert not list(executed_plans([planned()]))


def _without_links(text: str) -> str:
    return text.replace("[", "").replace("](runs/cuda-sm90/venv/tf2.21.0-py313-cuda+default.jsonl)", "")
