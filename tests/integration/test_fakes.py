"""Isolation, proven with fakes: each misbehaves through the real runner, and its record is compared with a golden one.

`pytest tests/integration/test_fakes.py --golden` writes the golden records anew.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import outcomes
import psutil
import pytest
from mini import FAKES, fake_cells, mini_suite

from matrix.plan.planned_run import PlannedRun
from matrix.provision.engines.protocol import Environment, Limits
from matrix.record import records
from matrix.record.records import Record
from matrix.run import runner
from matrix.run.runner import Job

GOLDEN = Path(__file__).parent / "golden"
# Of line 1, what a fault decides; the rest is of the machine and the day.
TELLING = ("status", "reason", "observations")
# A real import may be slow on a loaded machine; a fake one that hangs is known to.
LIMITS = Limits(seconds=480, silence=180)
IMPATIENT = Limits(seconds=240, silence=20)


def observe(
    planned: PlannedRun, environment: Environment, suite: Path, *arguments: str, limits: Limits = LIMITS
) -> Record:
    job = Job(planned=planned, environment=environment, suite=suite, arguments=arguments, limits=limits)
    return runner.observe(job, fake_cells(), lambda observation: None)


def check_golden(name: str, record: Record, *, write: bool) -> None:
    first, *rest = records.encode(record).decode().splitlines()
    header = json.loads(first)
    telling = json.dumps({key: header[key] for key in TELLING if key in header}, sort_keys=True)
    got = "\n".join([telling, *rest]) + "\n"
    if write:
        (GOLDEN / f"{name}.jsonl").write_text(got)
    assert got == (GOLDEN / f"{name}.jsonl").read_text()


def told(fault: str, record: Record, request: pytest.FixtureRequest) -> None:
    outcomes.check(fault, "venv", outcomes.of_record(record), write=request.config.getoption("--golden"))


def test_a_bad_cell_costs_one_cell(planned, environment, tmp_path, request):
    """Every fake between two bystanders, on a real TensorFlow: crashes, a hang, a memory hog, lies."""
    record = observe(planned, environment, mini_suite(tmp_path), "--seconds=8", "--memory=1600000000")
    check_golden("cells", record, write=request.config.getoption("--golden"))
    bystanders = [one for one in record.observations if one.approach.endswith(("-before", "-after"))]
    assert bystanders and all(one.outcome == "pass" for one in bystanders)
    for one in record.observations:
        if one not in bystanders:
            fault = one.approach.removeprefix("fake-").replace("-", " ")
            outcomes.check(fault, "venv", outcomes.of_cell(one), write=request.config.getoption("--golden"))
    assert not list(left_by(tmp_path))


def left_by(folder: Path) -> Iterator[psutil.Process]:
    """Processes of the suite in this folder."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("PYTHONPATH") == str(folder):
                yield process


@pytest.mark.parametrize("main", sorted((FAKES / "mains").glob("*.py")), ids=lambda path: path.stem)
def test_a_suite_that_lies_ends_as_a_record(main, planned, environment, tmp_path, request):
    record = observe(planned, environment, mini_suite(tmp_path, main=main))
    check_golden(main.stem, record, write=request.config.getoption("--golden"))
    told(f"a suite: {main.stem.replace('_', ' ')}", record, request)
    assert record.header.status != "complete"


@pytest.mark.parametrize("tensorflow", sorted((FAKES / "tensorflows").glob("*.py")), ids=lambda path: path.stem)
def test_an_import_that_does_not_come_back(tensorflow, planned, environment, tmp_path, request):
    record = observe(planned, environment, mini_suite(tmp_path, tensorflow=tensorflow), limits=IMPATIENT)
    check_golden(f"import_{tensorflow.stem}", record, write=request.config.getoption("--golden"))
    told(f"an import that {tensorflow.stem}", record, request)
    assert record.header.status == "not_imported"


def test_a_target_that_is_not_what_it_was_built_to_be(planned, environment, data, tmp_path):
    other = next(entry for entry in data.releases if entry.version != planned.release.version)
    other_run = replace(planned, release=other, run=replace(planned.run, target=other.target("cpu")))
    record = observe(other_run, environment, mini_suite(tmp_path), "--seconds=8", "--memory=1600000000")
    assert record.header.status == "partial"
    assert f"says that it is TensorFlow {planned.release.version}" in (record.header.reason or "")
