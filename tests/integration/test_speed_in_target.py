"""`python -m suite.speed` and its pytest-benchmark caller on a real TensorFlow, at the smallest depth."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from mini import cannot

from matrix.base import paths
from matrix.provision import interpreters
from matrix.provision.engines import venv

POINT = "resnext50-14/1/graph/train"
VARIANTS = {
    *("nn-conv2d", "keras-groups", "split-concat", "slice-loop", "masked-dense", "patches-einsum"),
    *("keras-per-group", "depthwise-sum"),
    *("dense", "again", "planted"),
}


def started(folder: str, *arguments: str, onednn: str = "1") -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.defpath, "HOME": tempfile.gettempdir(), "TF_ENABLE_ONEDNN_OPTS": onednn}
    command = [str(Path(folder) / "bin" / "python"), "-m", *arguments]
    path = {"PYTHONPATH": str(paths.SUITE.parent)}
    return subprocess.run(command, env=variables | path, capture_output=True, text=True, check=False)


def stream(folder: str, *arguments: str, onednn: str = "1") -> list[dict]:
    ended = started(folder, "suite.speed", "--depth=quick", *arguments, onednn=onednn)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_process_says_samples_of_every_variant(environment):
    opening, surroundings, *lines, closing = stream(environment.where, "--process=0", POINT)
    assert opening["format"] == "speed-stream/1"
    assert surroundings["threads"] == len(surroundings["pinned"]) == surroundings["points"] == 1
    assert surroundings["peak"]["f32"] > 0 and surroundings["bandwidth"] > 0
    assert {line["variant"] for line in lines} == VARIANTS and closing == {"closing": len(VARIANTS)}
    assert [line["order"] for line in lines] == list(range(len(VARIANTS)))
    for line in lines:
        assert ("failure" in line) != ("samples" in line)
        assert "failure" in line or (line["first"] > 0 and min(line["samples"]) > 0)
        assert "failure" in line or len(line["lost"]) == len(line["samples"])
    told = {line["variant"]: line for line in lines}
    assert "samples" in told["split-concat"]
    # oneDNN's own part of a call, and no more than all of it.
    assert 0 < told["nn-conv2d"]["primitive"] < 2 * min(told["nn-conv2d"]["samples"])


def test_a_network_is_timed_with_the_memory_that_it_takes_on_all_threads(environment):
    chosen = ("--depth=networks", "--threads=all", "shufflenet/1/graph/forward")
    _, surroundings, *lines, _ = stream(environment.where, *chosen)
    assert surroundings["threads"] == len(os.sched_getaffinity(0)) and surroundings["pinned"] == []
    told = {line["variant"]: line for line in lines}
    assert {"nn-conv2d", "split-concat", "dense", "again"} <= told.keys()
    assert all(told[name]["memory"] > 4e6 for name in ("split-concat", "dense"))  # 0.9 million filter values and maps


def test_half_precision_is_timed_beside_the_same_program_in_f32(environment):
    *_, closing = told = stream(environment.where, "--depth=half", "shufflenet-28/1/graph/forward/f16")
    lines = {line["variant"]: line for line in told if "variant" in line}
    assert {line["dtype"] for line in lines.values()} == {"f16"} and closing == {"closing": len(lines)}
    beside = lines["in-f32"]
    assert "samples" in beside and "samples" in lines[beside["of"]]


def test_what_fails_without_onednn_says_why_and_the_controls_repeat_another(environment, release):
    if release.version != "2.8.4":
        pytest.skip(f"{release.version} may do other things without oneDNN")
    *_, closing = told = stream(environment.where, "--process=1", POINT, onednn="0")
    lines = {line["variant"]: line for line in told if "variant" in line}
    assert lines["nn-conv2d"]["failure"]["type"] == "UnimplementedError"
    assert lines["again"]["of"] == lines["planted"]["of"] == "split-concat"
    assert closing == {"closing": len(lines)}


def test_pytest_benchmark_calls_the_same_programs(environment):
    chosen = ("-k", "shufflenet-28/1/graph/forward/dense", "--benchmark-columns=median,rounds")
    ended = started(environment.where, "pytest", str(paths.SUITE / "bench_speed.py"), *chosen)
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert re.search(r"test_speed\[shufflenet-28/1/graph/forward/dense\] +\d", ended.stdout)


def test_1_x_is_refused_in_words(data):
    release = next(entry for entry in data.releases if entry.version.startswith("1.15"))
    if not interpreters.find(release.wheels["cpu"].python):
        cannot(interpreters.cure(release.wheels["cpu"].python))
    ended = started(venv.provision(release.target("cpu"), print).where, "suite.speed", "--depth=quick")
    assert ended.returncode == 1
    assert json.loads(ended.stdout.splitlines()[-1]) == {
        "refused": f"speed is measured from 2.0 on: this is {release.version}"
    }
    assert "speed is measured from 2.0 on" in ended.stderr
