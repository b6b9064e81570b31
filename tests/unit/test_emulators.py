"""What an emulated run is planned as. That it runs is seen by its published records."""

from __future__ import annotations

import pytest

from matrix import catalog, emulators
from matrix.engines.protocol import Environment
from matrix.errors import BadUsage
from matrix.needs import need_cells
from matrix.plan import Selection, plan
from matrix.runner import Job, on_its_device
from matrix.verdicts import NEEDS, is_control

HASWELL = Selection(releases=("2.9",), profiles=("default",), emulator="haswell")


@pytest.fixture(autouse=True)
def qemu(monkeypatch):
    """A version stands in for QEMU's own, which not every machine has."""
    monkeypatch.setattr(emulators, "_version", lambda program: "7.2.22")


def test_what_is_judged_is_run_and_its_control():
    (planned,) = plan(catalog.load(), HASWELL, "venv")
    approaches = {cell[0] for cell in planned.cells}
    judged = {cell for approach in approaches for need in NEEDS for cell in need_cells(approach, need)}
    assert judged <= set(planned.cells)
    assert any(is_control(case) for *_, case in planned.cells)
    assert set(HASWELL.patterns(planned)) == {"/".join(cell) for cell in planned.cells}


def test_its_host_class_is_marked():
    (planned,) = plan(catalog.load(), HASWELL, "venv")
    assert planned.host.host_class == "x86-avx2-emulated"
    assert planned.host.cpu == "Haswell, emulated by QEMU 7.2.22"


def test_its_python_is_run_by_the_emulator_and_has_time():
    (planned,) = plan(catalog.load(), HASWELL, "venv")
    environment = Environment(target=planned.run.target, where="/env", recipe_sha256="0" * 64, lock_sha256="0" * 64)
    job = Job(planned=planned, environment=environment)
    emulated = on_its_device(job)
    assert emulated.environment.launcher == ("qemu-x86_64", "-cpu", "Haswell")
    assert emulated.limits.seconds > job.limits.seconds


@pytest.mark.parametrize(
    ("name", "engine", "cure"), [("haswel", "venv", "nearest: haswell"), ("haswell", "docker", "--engine venv")]
)
def test_what_cannot_be_emulated_is_said(name, engine, cure):
    with pytest.raises(BadUsage) as refused:
        plan(catalog.load(), Selection(emulator=name), engine)
    assert cure in refused.value.cure
