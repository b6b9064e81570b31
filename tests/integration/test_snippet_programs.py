"""Every program that the answers print, executed as it is printed in a real TensorFlow of the release it is for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from itertools import product
from pathlib import Path

import pytest
from mini import cannot

from matrix.answers import block_snippets, snippets, upstream_issue
from matrix.answers.reproduction import Reproduction
from matrix.base import paths
from matrix.base.errors import BadUsage
from matrix.catalog import releases
from matrix.catalog.approaches import APPROACHES
from matrix.provision import interpreters
from matrix.provision.engines import venv
from matrix.suite import catalog as suite
from matrix.suite.cases import BLOCKS

# Before oneDNN's switch, before and after it is on by default, the last with Keras 2, and one with Keras 3.
PLACES = {
    "2.4.4": "default",
    "2.8.4": "onednn-off",
    "2.9.3": "onednn-on",
    "2.15.1": "onednn-off",
    "2.21.0": "onednn-on",
}
MODES = ("eager", "graph", "jit", "keras")
IN_TARGET = Path(__file__).with_name("snippets_in_target.py")
# TensorFlow's own refusals. Where it refuses, the program is not advised; a fault of the program reads otherwise.
REFUSALS = (
    "support grouped convolutions", "NHWC", "must match last dimension of input", "equal length strides",
    "match filter input depth", "number of input elements that are sliced", "Gradients for grouped convolutions",
    "filter_size does not have enough elements",
)  # fmt: skip
# Keras' transposed layers take no groups: they say so, or take them and make a filter of another shape.
WITHOUT_GROUPS = ("Unrecognized keyword arguments", "made a filter of another shape")


def layers(name: str) -> list[suite.Case]:
    """The approach's layer in the core, the same under a stride, and a person's own: 32 groups, or one channel each."""
    base = suite.parse_case(f"{APPROACHES[name].base}/none/f32/nhwc")
    channels = 64 if base.groups != base.cin else 32
    own = snippets.layer(groups=32, cin=channels, kernel=3, size=7, batch=1)
    if not (APPROACHES[name].place or APPROACHES[name].common):
        return [base, own]
    return [
        base,
        base._replace(strides=(2, 2)),
        own,
        own._replace(dilation=2),
        base._replace(layout="nchw", dtype="f16"),
    ]


@pytest.mark.parametrize(("release", "profile"), PLACES.items())
def test_every_program_computes_the_convolution(data, release, profile):
    target, chosen = data.release(release).target("cpu"), data.profile(profile)
    if not interpreters.find(target.python):
        cannot(f"no CPython {target.python} is on this machine; see: nox -s doctor")
    python = Path(venv.provision(target, print).where) / "bin" / "python"

    programs = []
    for name, about in APPROACHES.items():
        for mode, case in product(MODES, layers(name) if about.function or about.layers else ()):
            if mode in {"graph", "jit"} and case.strides != (1, 1):  # only the line above the function is another
                continue
            try:
                text = snippets.program(name, case, release, chosen, mode)
            except BadUsage:
                continue
            told = f"{name}/{mode}/{case}"
            form = "grouped" if about.form == "depthwise" or about.computes == "grouped-2d" else about.form
            programs.append([told, text, form, about.rank, case._asdict()])
    programs += of_blocks(release, chosen)
    ended = subprocess.run(
        [python, IN_TARGET],
        input=json.dumps(programs),
        env={"PATH": os.defpath, "HOME": tempfile.gettempdir(), "PYTHONPATH": str(paths.SUITE.parent),
             "TF_CPP_MIN_LOG_LEVEL": "3", **chosen.environment},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    outcomes = dict(json.loads(line) for line in ended.stdout.splitlines())
    assert len(outcomes) == len(programs), ended.stderr[-2000:]
    refused = {
        told
        for told, one in outcomes.items()
        if isinstance(one, str)
        and any(text in one for text in (WITHOUT_GROUPS if re.match(r"keras-groups-.*transpose/", told) else REFUSALS))
    }
    passed = {told for told, one in outcomes.items() if isinstance(one, float) and one <= 1}
    faults = [f"{told.split('(')[0]}: {outcomes[told]}"[:200] for told in outcomes.keys() - passed - refused]
    assert not faults
    for name, about in APPROACHES.items():
        if (about.place and profile == "onednn-on") or name in {"split-concat", "depthwise"}:
            own = [told for told in passed if told.startswith(f"{name}/keras/")]
            assert len(own) >= 4, "it takes the place of Conv2D(groups=...) in a model"
    if profile == "onednn-on":
        assert {f"{name}/{block}" for block in BLOCKS for name in block_snippets.approaches(block)} <= passed


def of_blocks(release: str, profile: releases.Profile) -> list[list[object]]:
    """The programs of every approach in every block, inferred and trained."""
    made: list[list[object]] = []
    for block in BLOCKS:
        for name in block_snippets.approaches(block):
            about = APPROACHES[name]
            form = "grouped" if about.form == "depthwise" or about.computes == "grouped-2d" else about.form
            case = suite.parse_case(f"{block}/bn_relu/f32/nhwc")
            text = block_snippets.program(name, block, release, profile)
            made.append([f"{name}/{block}", text, form, about.rank, case._asdict()])
    return made


def test_a_bug_report_s_script_raises_what_it_says(data, tmp_path):
    cell = ("nn-conv2d", "graph", "forward", "g4-k3/bias_relu/f32/nhwc")
    wanted = Reproduction(cell=cell, release="2.8.4", profile=data.profile("onednn-off"), told="")
    target = data.release("2.8.4").target("cpu")
    if not interpreters.find(target.python):
        cannot(f"no CPython {target.python} is on this machine; see: nox -s doctor")
    python = Path(venv.provision(target, print).where) / "bin" / "python"
    program = tmp_path / "program.py"
    program.write_text(upstream_issue.script(wanted))
    variables = {"PATH": os.defpath, "HOME": tempfile.gettempdir()}
    ended = subprocess.run([python, program], env=variables, capture_output=True, text=True, check=False)
    assert ended.returncode and "does not support grouped convolutions" in ended.stderr
