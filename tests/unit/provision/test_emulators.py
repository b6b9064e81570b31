"""Emulated runs as they are planned. That they run is shown by their published records."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from matrix.base import paths
from matrix.base.errors import BadUsage, MachineError
from matrix.base.ids import Target
from matrix.catalog import locks, releases
from matrix.judge.needs import need_cells
from matrix.judge.verdicts import NEEDS, is_control
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection
from matrix.provision import emulators
from matrix.provision.emulators import _version
from matrix.provision.engines.protocol import Environment
from matrix.provision.foreign_environments import MIDR, with_midr
from matrix.run.runner import Job, on_its_device

HASWELL = Selection(releases=("2.9",), profiles=("default",), emulator="haswell")


@pytest.fixture(autouse=True)
def qemu(monkeypatch):
    """Answer with a version in the place of QEMU, which not every machine has."""
    monkeypatch.setattr(emulators, "_version", lambda command: "7.2.22")


def test_what_is_judged_is_run_and_its_control():
    (planned,) = plan_runs(releases.load(), HASWELL, "venv")
    approaches = {cell[0] for cell in planned.cells}
    judged = {cell for approach in approaches for need in NEEDS for cell in need_cells(approach, need)}
    assert judged <= set(planned.cells)
    assert any(is_control(case) for *_, case in planned.cells)
    assert (planned.depth, HASWELL.patterns(planned)) == ("core", ())


def test_its_host_class_is_marked():
    (planned,) = plan_runs(releases.load(), HASWELL, "venv")
    assert planned.host.host_class == "x86-avx2-emulated"
    assert planned.host.cpu == "Haswell, emulated by QEMU 7.2.22"


def test_its_python_is_run_by_the_emulator_and_has_time():
    (planned,) = plan_runs(releases.load(), HASWELL, "venv")
    environment = Environment(target=planned.run.target, where="/env", recipe_sha256="0" * 64, lock_sha256="0" * 64)
    job = Job(planned=planned, environment=environment)
    emulated = on_its_device(job)
    qemu = shutil.which("qemu-x86_64") or "qemu-x86_64"
    assert emulated.environment.launcher == (qemu, "-cpu", "Haswell")
    assert emulated.limits.seconds > job.limits.seconds


@pytest.mark.parametrize(
    ("name", "engine", "cure"), [("haswel", "venv", "nearest: haswell"), ("haswell", "docker", "--engine venv")]
)
def test_what_cannot_be_emulated_is_said(name, engine, cure):
    with pytest.raises(BadUsage) as refused:
        plan_runs(releases.load(), Selection(emulator=name), engine)
    assert cure in refused.value.cure


def test_arm_runs_the_releases_that_are_locked_for_it_and_on_its_own_packages():
    arm = Selection(releases=("all",), profiles=("default",), emulator="neoverse-n1")
    runs = plan_runs(releases.load(), arm, "venv")
    assert {planned.run.target.release for planned in runs} >= {"2.21.0"}
    for planned in runs:
        assert planned.host.host_class == "arm-neoverse-n1-emulated"
        assert locks.sha256(planned.run.target) != locks.sha256(planned.release.target("cpu"))


def test_a_processor_that_qemu_does_not_know_is_refused_with_the_way_out(tmp_path, monkeypatch):
    """The QEMU is a fake: a real test would need the QEMU of every Debian."""
    qemu = tmp_path / "qemu-aarch64"
    qemu.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "qemu-aarch64 version 7.2.22" && exit\necho "  neoverse-n1"\nexit 1\n'
    )
    qemu.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert _version(("qemu-aarch64", "-cpu", "neoverse-n1")) == "7.2.22"
    with pytest.raises(MachineError, match=r"7\.2\.22 does not know neoverse-v1") as told:
        _version(("qemu-aarch64", "-cpu", "neoverse-v1"))
    assert "newer QEMU" in told.value.cure


def test_a_qemu_that_does_not_run_is_said(tmp_path, monkeypatch):
    qemu = tmp_path / "qemu-broken"
    qemu.write_text("#!/bin/sh\nexit 127\n")
    qemu.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for program in ("qemu-broken", "qemu-that-is-nowhere"):
        with pytest.raises(MachineError, match=f"{program} does not run here"):
            _version((program, "-cpu", "neoverse-n1"))


def test_runs_side_by_side_share_a_root_with_the_id(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ENVIRONMENTS", tmp_path)
    arm = Target(release="2.21.0", python="3.13", backend="cpu", architecture="aarch64")
    root = tmp_path / "debian-aarch64-py313"
    for name in ("lib", "sys", "usr"):
        (root / name).mkdir(parents=True)
    with ThreadPoolExecutor(8) as threads:
        (folder,) = set(threads.map(lambda _: with_midr(arm, "0x00000000411fd402"), range(32)))
    assert (folder / MIDR).read_text() == "0x00000000411fd402\n"
    assert {entry.name for entry in folder.iterdir() if entry.is_symlink()} == {"lib", "usr"}
