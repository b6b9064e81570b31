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
# What a fault decides of line 1; the rest depends on the machine and the day.
TELLING = ("status", "reason", "observations")
# Enough for any cell but those that hang, also on a loaded machine: the longest fills 1.5 GiB.
SECONDS_A_CELL = 30
FOR_A_CELL = (f"--seconds={SECONDS_A_CELL}", "--memory=1600000000")
# A real import may take minutes on a loaded machine; only one that is known to hang is given less.
IMPATIENT = Limits(silence=20)


def observe(
    planned: PlannedRun, environment: Environment, suite: Path, *arguments: str, limits: Limits | None = None
) -> Record:
    job = Job(planned=planned, environment=environment, suite=suite, arguments=arguments, limits=limits or Limits())
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
    record = observe(planned, environment, mini_suite(tmp_path), *FOR_A_CELL)
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
    limits = IMPATIENT if tensorflow.stem == "hangs" else None
    record = observe(planned, environment, mini_suite(tmp_path, tensorflow=tensorflow), limits=limits)
    check_golden(f"import_{tensorflow.stem}", record, write=request.config.getoption("--golden"))
    told(f"an import that {tensorflow.stem}", record, request)
    assert record.header.status == "not_imported"


def test_a_target_that_is_not_what_it_was_built_to_be(planned, environment, data, tmp_path):
    other = next(entry for entry in data.releases if entry.version != planned.release.version)
    other_run = replace(planned, release=other, run=replace(planned.run, target=other.target("cpu")))
    limits = ("--seconds=8", "--memory=1600000000")  # few seconds: how the cells come out is not asked
    record = observe(other_run, environment, mini_suite(tmp_path), *limits)
    assert record.header.status == "partial"
    assert f"says that it is TensorFlow {planned.release.version}" in (record.header.reason or "")
