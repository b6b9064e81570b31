"""The probe, run as a person would: one file, in an environment that has TensorFlow and NumPy."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from matrix.answers.probe import pack
from matrix.base import paths
from matrix.record import contribution

MINUTE = 60


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("probe") / "probe.pyz"
    pack.build(paths.REPORTS, file)
    return file


def run(probe: Path, environment, *options: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """How it ended, and after how many seconds of the wall's clock."""
    python = Path(environment.where) / "bin" / "python"
    began = time.monotonic()
    ended = subprocess.run([python, probe, *options], cwd=probe.parent, capture_output=True, text=True, check=False)
    return ended, time.monotonic() - began


def test_a_minute_is_enough_though_two_others_keep_the_machine_busy(probe, environment, tmp_path):
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2)]
    try:
        ended, seconds = run(probe, environment, "--json", f"--output={tmp_path}/probe.jsonl")
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert seconds < MINUTE - 5
    if "was not imported within 50 s" in ended.stderr:  # more than those two keep it busy
        ended, _ = run(probe, environment, "--json", "--seconds=300", f"--output={tmp_path}/probe.jsonl")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["observed"] + found["not_reached"] == len(pack.cells())
    assert found["table"]["nn-conv2d"]["graph"] in {"yes", "error"}
    taken = contribution.read(tmp_path / "probe.jsonl")
    assert (taken.header.release, taken.header.observations) == (found["release"], found["observed"])


def test_too_little_time_is_said_and_ends_in_time(probe, environment):
    ended, seconds = run(probe, environment, "--seconds=0.5")
    assert (ended.returncode, ended.stdout) == (1, "") and seconds < 5
    assert "was not imported within 0.5 s: --seconds 2 gives it time" in ended.stderr


def test_without_a_fork_a_process_that_dies_costs_its_cell_and_the_rest_goes_on(probe, environment, tmp_path):
    """What machines without a fork do, with a suite whose second cell ends the process."""
    cells = ["/".join(cell) for cell in pack.cells()[:3]]
    program = tmp_path / "elsewhere.py"
    program.write_text(ELSEWHERE.format(probe=str(probe), cells=cells))
    python = Path(environment.where) / "bin" / "python"
    ended = subprocess.run(
        [python, program], capture_output=True, text=True, check=False, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    told = json.loads(ended.stdout.splitlines()[-1])
    assert [one["outcome"] == "crash" for one in told] == [False, True, False], ended.stderr[-2000:]


# The probe's own main with another platform's name; the child is this program again, which `HERE` names.
ELSEWHERE = """\
import json, os, sys, zipimport
sys.path.insert(0, {probe!r})
main = {{"__name__": "probe_main", "__file__": {probe!r} + "/__main__.py"}}
exec(zipimport.zipimporter({probe!r}).get_code("__main__"), main)
main["HERE"] = os.path.abspath(__file__)
if "--suite" in sys.argv:
    sys.platform = "elsewhere"
    from suite import observe
    honest = observe.observe
    dies = {cells!r}[1]
    observe.observe = lambda *cell: os._exit(11) if "/".join(cell) == dies else honest(*cell)
    sys.exit(main["_observe_here"](sys.argv[2:]))
about, observations = main["_observe"]({cells!r}, 100)
print(json.dumps(observations))
"""
