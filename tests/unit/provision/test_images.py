"""The parts of the Docker engine that can be tested without an Engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from docker.errors import APIError, ImageNotFound

from matrix.base.errors import BadData, MachineError, NotBuilt
from matrix.base.ids import Target, parse_target
from matrix.catalog import backends
from matrix.provision import base_images, images, interpreters
from matrix.provision.engines import docker
from matrix.record import host


def test_a_process_knows_its_own_label_and_those_of_the_ended():
    assert not images.has_ended(images.owner())
    assert not images.has_ended(f"{images.owner()} build-of-its-own")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    place, _, started = images.owner().split(" ")
    assert images.has_ended(f"{place} {ended.pid} {started}")


def test_another_process_with_the_same_number_is_another():
    place, pid, started = images.owner().split(" ")
    assert int(pid) == os.getpid()
    assert images.has_ended(f"{place} {pid} {float(started) - 100:.2f}")


def test_nothing_is_said_of_another_machines_processes():
    assert not images.has_ended("00000000-0000-0000-0000-000000000000/1 999999 1.00")


def test_the_last_words_of_a_build_are_its_failed_steps():
    log = [
        {"stream": "Step 1/2 : RUN true\n"},
        {"stream": " ---> Running in 0123456789ab\n"},
        {"stream": "Step 2/2 : RUN uv pip sync\n"},
        {"stream": " ---> Running in ba9876543210\n"},
        {"stream": "\x1b[91merror: \x1b[0mno wheel\n"},
        {"stream": "Removing intermediate container ba9876543210\n"},
        {"errorDetail": {"code": 2}, "error": "The command returned a non-zero code: 2"},
    ]
    assert images._last_words(log) == "error: no wheel\n"


def test_of_an_engines_fault_its_own_words_are_told_and_not_the_address_around_them():
    """The address would fill the reason of a record, with this process' label in it."""
    answer = requests.Response()
    answer.status_code, answer.url, answer.reason = 500, "http+docker://localhost/build?labels=owner+1234", "Error"
    with pytest.raises(MachineError) as fault, images.faults():
        raise APIError("500 Server Error", answer, "no space left on device")
    assert str(fault.value) == "the Docker Engine failed: no space left on device"


def test_a_suite_that_cannot_be_added_is_the_machines_fault_and_ends_no_sweep(monkeypatch, tmp_path):
    def full(*_arguments, **_options):
        raise NotBuilt("ADD failed: no space left on device", machine=False)

    monkeypatch.setattr(images, "build", full)
    (tmp_path / "suite").mkdir()
    with pytest.raises(MachineError, match="no space left"):
        docker._with_suite("sha256:0", tmp_path / "suite")


def test_proxies_reach_the_build_and_nothing_else_does(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    assert images._proxies() == {"HTTPS_PROXY": "http://proxy.example:3128"}


def test_a_base_of_our_own_changes_with_what_it_is_made_of():
    cpu = backends.load()["cpu"]
    recipes = {base_images._recipe(cpu, python) for python in ("3.10", "3.11", "3.12")}
    assert len(recipes) == 3
    assert cpu.reference("3.10") == "python:3.10-slim"


@pytest.mark.parametrize(
    ("backend", "python", "here", "debian"),
    [
        ("cpu", "3.11", False, "bookworm"),
        ("cpu", "3.12", False, "bookworm"),
        ("cpu", "3.13", True, "bookworm"),
        ("cpu", "3.13", False, "trixie"),
        ("cuda", "3.14", True, "bookworm"),
        ("cuda", "3.14", False, "forky"),
        ("rocm", "3.11", False, "trixie"),
    ],
)
def test_the_debian_that_brings_a_python_stands_in_for_an_interpreter(backend, python, here, debian, monkeypatch):
    monkeypatch.setattr(interpreters, "find", lambda version: Path("/usr/bin/python") if here else None)
    chosen = backends.load()[backend]
    assert base_images._debian(chosen, python) == debian
    assert f"base:{debian}" in base_images._tag(chosen, python)


def test_a_release_that_needs_more_of_the_system_has_a_base_of_its_own():
    tags = {}
    for release, python in (("2.5.3", "3.9"), ("2.6.0", "3.9"), ("2.7.0", "3.9"), ("2.14.0", "3.11")):
        chosen = backends.of(Target(release=release, python=python, backend="rocm"))
        tags[release] = base_images._tag(chosen, python).partition(":")[2]
        made = " ".join(base_images._mmdebstrap(chosen, "trixie", "-"))
        assert ("librocblas0" in made, "libamdhip64-6/forky" in made) == (release == "2.6.0", release == "2.14.0")
    assert tags == {
        "2.5.3": "trixie-rocm-py3.9",
        "2.6.0": "trixie-rocm-blas-py3.9",
        "2.7.0": "trixie-rocm-py3.9",
        "2.14.0": "trixie-rocm-hip6-py3.11",
    }
    assert backends.of(Target(release="2.14.0", python="3.11", backend="cpu")) is backends.load()["cpu"]


def test_every_backend_has_a_dockerfile_with_its_parameters():
    for name in backends.load():
        text = backends.dockerfile(name).read_text()
        for parameter in ("BASE", "OWNER", "PYTHON", "INSTALL"):
            assert f"ARG {parameter}\n" in text
        assert ("ARG TOOLKIT\n" in text) == bool(backends.load()[name].toolkits)


def test_a_release_that_brings_its_libraries_needs_no_toolkit():
    cuda = backends.load()["cuda"]
    assert cuda.toolkit("2.15.1") is None
    assert cuda.toolkit("2.13.1") == "nvidia/cuda:11.8.0-cudnn8-devel-ubuntu22.04"
    assert cuda.toolkit("2.22.0rc0") is None
    assert backends.load()["cpu"].toolkit("2.8.4") is None


def test_a_gpu_is_given_to_its_own_backend_only(monkeypatch):
    monkeypatch.setattr(host, "gpu_uuid", lambda: "GPU-00000000-0000-0000-0000-000000000000")
    assert docker._devices("cpu") == {}
    (request,) = docker._devices("cuda")["device_requests"]
    assert request.device_ids == ["GPU-00000000-0000-0000-0000-000000000000"]
    assert docker._toolkit(parse_target("tf2.8.4-py310-cuda")) == "nvidia/cuda:11.2.2-cudnn8-devel-ubuntu20.04"


@pytest.fixture
def able(monkeypatch) -> dict:
    """The abilities that a fake Engine reports."""
    abilities = dict.fromkeys(docker.LIMITED, True) | {"SecurityOptions": ["name=seccomp,profile=default"]}
    monkeypatch.setattr(images, "connect", lambda: SimpleNamespace(info=lambda: abilities))
    monkeypatch.setattr(images, "is_local", lambda: True)
    return abilities


def test_an_engine_that_can_limit_everything_loosens_nothing(able):
    assert docker._loosened("cpu") == ()


def test_what_an_engine_cannot_limit_is_told(able):
    able |= {"SwapLimit": False, "PidsLimit": False, "SecurityOptions": None}
    told = ("swap is not limited", "processes are not counted", "no seccomp profile")
    assert docker._loosened("cpu") == told


def test_a_gpu_that_is_given_is_told(able, monkeypatch):
    monkeypatch.setattr(host, "gpu_uuid", lambda: "GPU-00000000-0000-0000-0000-000000000000")
    assert docker._loosened("cuda") == ("GPU GPU-00000000-0000-0000-0000-000000000000",)
    assert docker._loosened("cpu") == ()


def test_an_amd_gpu_comes_with_its_groups_and_is_told(able, tmp_path, monkeypatch):
    """Files of this user stand in for the devices."""
    (tmp_path / "dri").mkdir()
    for name in ("kfd", "dri/renderD128", "dri/card0"):
        (tmp_path / name).touch()
    monkeypatch.setattr(docker, "DEV", tmp_path)
    own = (tmp_path / "kfd").stat().st_gid
    devices = [f"{tmp_path}/kfd", f"{tmp_path}/dri"]
    assert docker._devices("rocm") == {"devices": devices, "group_add": [own]}
    assert docker._loosened("rocm") == (f"{tmp_path}/kfd and {tmp_path}/dri, with groups {own}",)
    assert docker._devices("cuda") == docker._devices("cpu") == {}


def test_a_fault_of_the_data_is_told_with_its_line(tmp_path):
    file = tmp_path / "backends.toml"
    file.write_text('[[backend]]\nname = "cpu"\nimage = "python:{python}-slim"\ndebian = "potato"\n')
    with pytest.raises(BadData, match=r"backends\.toml:4: debian: .*potato"):
        backends.load(file)


def test_a_context_that_is_not_there_is_said(monkeypatch):
    """docker itself would take the local Engine, and the records would come from a machine that nobody asked for."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "the-big-one")
    monkeypatch.setattr(images, "connect", images.connect.__wrapped__)
    assert (docker.trouble() or "").startswith("there is no Docker context the-big-one; see: docker context ls")


def test_why_no_engine_answers_is_said_in_the_systems_words(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setattr(images, "connect", images.connect.__wrapped__)  # the client that others share stays open
    with pytest.raises(MachineError, match=r"tcp://127\.0\.0\.1:1: \[Errno 111\] Connection refused") as caught:
        images.connect()
    assert "DOCKER_HOST" in caught.value.cure
    assert (docker.trouble() or "").startswith("no Docker Engine answers at tcp://127.0.0.1:1")


def test_an_image_that_another_process_removes_meanwhile_is_left_out(monkeypatch):
    """The client is a fake: the moment between the Engine's list and its answer for each image cannot be had."""

    def get(image: str) -> str:
        if image == "gone":
            raise ImageNotFound("No such image: gone")
        return image

    api = SimpleNamespace(images=lambda filters: [{"Id": "here"}, {"Id": "gone"}] if filters == {"label": "x"} else [])
    monkeypatch.setattr(images, "connect", lambda: SimpleNamespace(api=api, images=SimpleNamespace(get=get)))
    assert images.listed(label="x") == ["here"]
