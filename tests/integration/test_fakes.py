"""Isolation, proven with fakes: each misbehaves through the real runner, and its record is compared with a golden one.

`pytest tests/integration/test_fakes.py --golden` writes the golden records anew.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from mini import FAKES, fake_cells, mini_suite

from matrix import records, runner
from matrix.engines.protocol import Environment, Limits
from matrix.records import Record
from matrix.runner import Job, Planned

GOLDEN = Path(__file__).parent / "golden"
# Of line 1, what a fault decides; the rest is of the machine and the day.
TELLING = ("status", "reason", "observations")
LIMITS = Limits(seconds=240, silence=20)


def observe(planned: Planned, environment: Environment, suite: Path, *arguments: str) -> Record:
    job = Job(planned=planned, environment=environment, suite=suite, arguments=arguments, limits=LIMITS)
    return runner.observe(job, fake_cells(), lambda observation: None)


def check_golden(name: str, record: Record, *, write: bool) -> None:
    first, *rest = records.encode(record).decode().splitlines()
    header = json.loads(first)
    telling = json.dumps({key: header[key] for key in TELLING if key in header}, sort_keys=True)
    got = "\n".join([telling, *rest]) + "\n"
    if write:
        (GOLDEN / f"{name}.jsonl").write_text(got)
    assert got == (GOLDEN / f"{name}.jsonl").read_text()


def test_a_bad_cell_costs_one_cell(planned, environment, tmp_path, request):
    """Every fake between two bystanders, on a real TensorFlow: crashes, a hang, a memory hog, lies."""
    record = observe(planned, environment, mini_suite(tmp_path), "--seconds=8", "--memory=1600000000")
    check_golden("cells", record, write=request.config.getoption("--golden"))
    bystanders = [one for one in record.observations if one.approach.endswith(("-before", "-after"))]
    assert bystanders and all(one.outcome == "pass" for one in bystanders)


@pytest.mark.parametrize("main", sorted((FAKES / "mains").glob("*.py")), ids=lambda path: path.stem)
def test_a_suite_that_lies_ends_as_a_record(main, planned, environment, tmp_path, request):
    record = observe(planned, environment, mini_suite(tmp_path, main=main))
    check_golden(main.stem, record, write=request.config.getoption("--golden"))
    assert record.header.status != "complete"


@pytest.mark.parametrize("tensorflow", sorted((FAKES / "tensorflows").glob("*.py")), ids=lambda path: path.stem)
def test_an_import_that_does_not_come_back(tensorflow, planned, environment, tmp_path, request):
    record = observe(planned, environment, mini_suite(tmp_path, tensorflow=tensorflow))
    check_golden(f"import_{tensorflow.stem}", record, write=request.config.getoption("--golden"))
    assert record.header.status == "not_imported"


def test_a_target_that_is_not_what_it_was_built_to_be(planned, environment, data, tmp_path):
    other = next(entry for entry in data.releases if entry.version != planned.release.version)
    other_run = replace(planned, release=other, run=replace(planned.run, target=other.target("cpu")))
    record = observe(other_run, environment, mini_suite(tmp_path), "--seconds=8", "--memory=1600000000")
    assert record.header.status == "partial"
    assert f"says that it is TensorFlow {planned.release.version}" in (record.header.reason or "")
