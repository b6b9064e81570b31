"""Every verb that answers a question gives the answer in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from unit.contributions import contribute
from unit.fabricated import observe, record

from matrix.cli.main import cli
from matrix.record import records

FUSED = "Fused conv implementation does not support grouped convolutions for now."
CASE = "g4-k3/bias_relu/f32/nhwc"


VERBS = [
    ("explain", "Fused conv implementation does not support grouped convolutions"),
    ("advise", "--release=2.8", "--need=infer"),
    ("show", "--release=2.8", "--approach=nn-conv2d"),
    ("claims",),
    ("diff", "onednn-off", "onednn-on"),
    ("probe", "--output={folder}/probe.pyz"),
    ("contribute", "{folder}/probe.jsonl"),
    ("bisect", "--no-runs", "--approach=nn-conv2d", "--check=forward", "--profile=onednn-off", "2.9.3", "2.8.4"),
]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_every_answer_can_be_had_as_json(verb, reports, tmp_path):
    new = record(run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3")
    records.write(reports, new)
    contribute(tmp_path, observe(("nn-conv2d", "graph", "forward", CASE)))
    arguments = [argument.format(folder=tmp_path) for argument in verb]
    asked = CliRunner().invoke(cli, [*arguments, f"--reports={reports}", "--json"])
    assert asked.exit_code == 0, asked.output
    assert json.loads(asked.stdout)
    told = CliRunner().invoke(cli, [*arguments, f"--reports={reports}"])
    assert told.exit_code == 0 and not told.stdout.startswith(("{", "["))


def test_what_a_bisection_found_as_json(reports):
    records.write(reports, record(run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3"))
    asked = CliRunner().invoke(cli, [*VERBS[-1], f"--reports={reports}", "--json"])
    found = json.loads(asked.stdout)
    assert found["cell"] == f"nn-conv2d/graph/forward/{CASE}" and found["narrowed"] is None
    assert found["by_records"]["good"]["release"] == "2.9.3" and FUSED in found["by_records"]["bad"]["outcome"]


def test_what_was_taken_says_where_it_lies(reports, tmp_path):
    file = contribute(tmp_path, observe(("nn-conv2d", "graph", "forward", CASE)))
    asked = CliRunner().invoke(cli, ["contribute", str(file), "--take", f"--reports={reports}", "--json"])
    found = json.loads(asked.stdout)
    assert Path(found["taken"]).read_bytes() == file.read_bytes()
    assert found["other"] == [{"cell": f"nn-conv2d/graph/forward/{CASE}", "published": "error", "there": "pass"}]
