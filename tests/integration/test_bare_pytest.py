"""`pytest tests/suite`, in any environment that has TensorFlow, gives the same outcomes as the matrix."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from matrix.base import paths
from matrix.run import runner
from matrix.run.runner import Job

# One of each kind, so that pass, error, wrong and crash can all show; the rest is of the same code.
APPROACHES = ("nn-conv2d", "keras-groups-transpose", "fused-kernel")
MODES = ("eager", "graph")
LINE = re.compile(r"test_cell\[([^\]]+)\] (PASSED|FAILED|SKIPPED)")
OUTCOMES = {"pass": "PASSED", "absent": "SKIPPED", "skipped": "SKIPPED"}


def test_bare_pytest_and_the_matrix_agree(planned, data, environment):
    """With oneDNN off, which refuses some of them: whether it is on by default depends on the processor."""
    off = data.profile("onednn-off")
    planned = replace(planned, run=replace(planned.run, profile=off.name), profile=off)
    wanted = [cell for cell in planned.cells if cell[0] in APPROACHES and cell[1] in MODES]
    patterns = tuple(f"{approach}/{mode}/*" for approach in APPROACHES for mode in MODES)
    record = runner.observe(Job(planned=planned, environment=environment, arguments=patterns), wanted, lambda one: None)
    ours = {"/".join(one.cell): OUTCOMES.get(one.outcome, "FAILED") for one in record.observations}
    assert ours == _bare_pytest(Path(environment.where), planned.variables, patterns)
    assert set(ours.values()) >= {"PASSED", "FAILED"}


def test_programs_are_what_people_write_and_observations_tell_what_happened(environment):
    """The suite's own tests, on a real TensorFlow: they look at graphs before and after the optimizers."""
    ended = subprocess.run(
        [Path(environment.where) / "bin" / "python", "-m", "pytest", "-q", "test_programs.py", "test_observe.py"],
        cwd=paths.SUITE,
        env={"PATH": os.defpath, "HOME": tempfile.gettempdir()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert re.search(r"^\d+ passed", ended.stdout, re.MULTILINE), ended.stdout[-2000:]


def _bare_pytest(environment: Path, variables: dict[str, str], patterns: tuple[str, ...]) -> dict[str, str]:
    chosen = " or ".join(pattern.removesuffix("/*") for pattern in patterns)
    ended = subprocess.run(
        [environment / "bin" / "python", "-m", "pytest", "-v", "test_correctness.py", "-k", chosen],
        cwd=paths.SUITE,
        env={"PATH": os.defpath, "HOME": tempfile.gettempdir(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    told = dict(LINE.findall(ended.stdout))
    assert told, ended.stdout[-2000:]
    return told
