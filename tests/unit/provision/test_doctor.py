from __future__ import annotations

import subprocess
from types import SimpleNamespace

import msgspec
import psutil
import pytest
from click.testing import CliRunner
from unit import fabricated

from matrix.base.errors import MachineError
from matrix.cli.main import cli
from matrix.provision import doctor, images
from matrix.record import host

GPU = msgspec.structs.replace(fabricated.header().host, gpu="NVIDIA H100", driver="570.1")


FACTS, GPU_USERS = host.facts.__wrapped__, doctor.gpu_users  # the real functions, without what they remember


@pytest.fixture
def machine(monkeypatch):
    """A machine with enough memory and disk and with a GPU that nobody uses, whatever this machine has."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * 2**30))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=500 * 2**30))
    monkeypatch.setattr(host, "facts", lambda backend: GPU)
    monkeypatch.setattr(doctor, "gpu_users", lambda backend: [])
    monkeypatch.setattr(doctor.docker, "trouble", lambda: None)
    monkeypatch.setattr(images, "is_local", lambda: True)
    monkeypatch.setattr(images, "free", lambda: 100 * 2**30)
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
    machine.setattr(images, "free", lambda: 2**30)
    machine.setattr(host, "facts", lambda backend: fabricated.header().host)
    machine.setattr(doctor, "gpu_users", lambda backend: ["process 7"])
    assert [what.partition(":")[0] for what in missing("cuda")] == [
        "memory", "disk", "the Docker Engine's disk", "GPU and driver",
        "the GPU is used by process 7",
    ]  # fmt: skip
    assert all(finding.cure for finding in doctor.ready("rocm"))
    assert len(missing("cpu")) == 3


def test_the_disk_of_a_docker_engine_on_this_machine_is_looked_at(machine):
    machine.setattr(images, "free", lambda: 3 * 2**30)
    assert missing("cpu") == ["the Docker Engine's disk: 3 GiB free, 10 wanted"]
    machine.setattr(images, "is_local", lambda: False)
    assert missing("cpu") == []
    machine.setattr(images, "is_local", raises(MachineError("none answers")))
    machine.setattr(doctor.docker, "trouble", lambda: "none answers")
    assert missing("cpu") == []


def test_where_it_cannot_be_told_who_uses_the_gpu_the_machine_is_not_ready(machine):
    machine.setattr(doctor, "gpu_users", raises(FileNotFoundError("nvidia-smi")))
    assert missing("cuda") == ["who uses the GPU"]
    machine.setattr(doctor, "gpu_users", raises(subprocess.TimeoutExpired("nvidia-smi", 20)))
    assert missing("cuda") == ["who uses the GPU"]


def raises(fault: Exception):
    def call(*_: str):
        raise fault

    return call


FAKE_NVIDIA_SMI = """#!/bin/sh
# A fake that answers as NVIDIA's program does on a machine with a GPU, whose users are the words of USERS.
case "$*" in
    *--query-gpu=name,driver_version,compute_cap*) echo "NVIDIA Fake 9000, 570.00, 9.0" ;;
    "--id=0 --query-compute-apps=pid "*) for user in $USERS; do echo "$user"; done ;;
    *) echo "the fake does not know: $*" >&2; exit 2 ;;
esac
"""


@pytest.fixture
def fake_nvidia_smi(tmp_path, monkeypatch):
    """Put a fake nvidia-smi on the PATH of this machine, which may have none."""
    program = tmp_path / "nvidia-smi"
    program.write_text(FAKE_NVIDIA_SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(host, "facts", FACTS)
    return monkeypatch


def test_who_uses_an_nvidia_gpu_is_its_drivers_word(fake_nvidia_smi):
    fake_nvidia_smi.setenv("USERS", "17 42")
    assert doctor.gpu_users("cuda") == ["process 17", "process 42"]


def test_driver_gpu_and_its_users_are_what_the_fake_nvidia_smi_says(machine, fake_nvidia_smi):
    machine.setattr(doctor, "gpu_users", GPU_USERS)
    machine.setenv("USERS", "")
    told = [finding.what for finding in doctor.ready("cuda") if finding.ok]
    assert told[-2:] == ["NVIDIA Fake 9000, driver 570.00", "nobody else uses the GPU"]
    assert missing("cuda") == []
    machine.setenv("USERS", "4711")
    assert missing("cuda") == ["the GPU is used by process 4711"]


def test_without_a_driver_there_is_no_gpu(machine, fake_nvidia_smi, tmp_path):
    machine.setattr(doctor, "gpu_users", GPU_USERS)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed' >&2\nexit 9\n")
    assert missing("cuda") == ["GPU and driver", "who uses the GPU"]


def test_who_uses_an_amd_gpu_is_the_kernels_word(tmp_path):
    (tmp_path / "4711").mkdir()
    assert doctor.gpu_users("rocm", tmp_path) == ["process 4711"]


def test_the_verb_fails_where_the_machine_is_not_ready_and_only_then(machine):
    assert CliRunner().invoke(cli, ["doctor", "--ready", "cuda"]).exit_code == 0
    machine.setattr(doctor, "gpu_users", lambda backend: ["process 7"])
    told = CliRunner().invoke(cli, ["doctor", "--ready", "cuda"])
    assert isinstance(told.exception, MachineError)
    assert "missing the GPU is used by process 7\n        wait for their end" in told.stdout
