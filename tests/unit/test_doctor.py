from __future__ import annotations

import subprocess
from types import SimpleNamespace

import fabricated
import msgspec
import psutil
import pytest
from click.testing import CliRunner

from matrix import commands, doctor, host
from matrix.errors import MachineError

GPU = msgspec.structs.replace(fabricated.header().host, gpu="NVIDIA H100", driver="570.1")


@pytest.fixture
def machine(monkeypatch):
    """With memory, disk and a GPU that nobody uses, whatever this one has."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * 2**30))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=500 * 2**30))
    monkeypatch.setattr(host, "facts", lambda backend: GPU)
    monkeypatch.setattr(doctor, "gpu_users", lambda backend: [])
    return monkeypatch


def missing(backend: str) -> list[str]:
    return [finding.what for finding in doctor.ready(backend) if not finding.ok]


@pytest.mark.parametrize("backend", ["cpu", "cuda", "rocm"])
def test_a_machine_that_has_all_is_ready(machine, backend):
    assert missing(backend) == []
    assert all(not finding.cure for finding in doctor.ready(backend))


def test_each_piece_that_is_missing_is_named_with_its_cure(machine):
    machine.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**30))
    machine.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**30))
    machine.setattr(host, "facts", lambda backend: fabricated.header().host)
    machine.setattr(doctor, "gpu_users", lambda backend: ["process 7"])
    assert [what.partition(":")[0] for what in missing("cuda")] == [
        "memory", "disk", "GPU and driver", "the GPU is used by process 7",
    ]  # fmt: skip
    assert all(finding.cure for finding in doctor.ready("rocm"))
    assert len(missing("cpu")) == 2


def test_where_it_cannot_be_told_who_uses_the_gpu_the_machine_is_not_ready(machine):
    machine.setattr(doctor, "gpu_users", raises(FileNotFoundError("nvidia-smi")))
    assert missing("cuda") == ["who uses the GPU"]
    machine.setattr(doctor, "gpu_users", raises(subprocess.TimeoutExpired("nvidia-smi", 20)))
    assert missing("cuda") == ["who uses the GPU"]


def raises(fault: Exception):
    def call(backend: str):
        raise fault

    return call


def test_who_uses_an_nvidia_gpu_is_its_drivers_word(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\n[ "$1" = --query-compute-apps=pid ] && printf "17\\n42\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert doctor.gpu_users("cuda") == ["process 17", "process 42"]


def test_who_uses_an_amd_gpu_is_the_kernels_word(tmp_path):
    (tmp_path / "4711").mkdir()
    assert doctor.gpu_users("rocm", tmp_path) == ["process 4711"]


def test_the_verb_fails_where_the_machine_is_not_ready_and_only_then(machine):
    assert CliRunner().invoke(commands.cli, ["doctor", "--ready", "cuda"]).exit_code == 0
    machine.setattr(doctor, "gpu_users", lambda backend: ["process 7"])
    told = CliRunner().invoke(commands.cli, ["doctor", "--ready", "cuda"])
    assert isinstance(told.exception, MachineError)
    assert "missing the GPU is used by process 7\n        wait for their end" in told.stdout
