"""Examines what this machine has and lacks for the matrix, and whether it is ready for a run of a backend."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from matrix.base import paths
from matrix.base.ids import Backend
from matrix.catalog import releases
from matrix.provision import debian_systems, engines, images, interpreters
from matrix.provision.engines import docker
from matrix.provision.engines.protocol import Limits
from matrix.record import host

FREE_BYTES = 15 * 2**30
DRIVERS: dict[Backend, str] = {
    "cuda": "install NVIDIA's driver until `nvidia-smi` answers",
    "rocm": "the kernel's amdgpu driver must show it: /sys/class/kfd/kfd/topology/nodes",
}
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")


@dataclass(frozen=True, kw_only=True)
class Finding:
    ok: bool
    what: str
    cure: str = ""


def examine() -> Iterator[Finding]:
    for name, engine in engines.ENGINES.items():
        trouble = engine.trouble()
        yield _finding(ok=trouble is None, what=f"engine {name}", cure=trouble or "")

    users: dict[str, list[str]] = {}
    for release in releases.load().releases:
        targets = [release.targets(backend, host.machine())[:1] for backend in release.wheels]
        for python in dict.fromkeys(target.python for target in itertools.chain(*targets)):
            users.setdefault(python, []).append(release.version)
    for version in sorted(users, key=lambda text: tuple(map(int, text.split(".")))):
        found = interpreters.find(version)
        what = f"CPython {version}: {found or 'not here'} (TensorFlow {', '.join(users[version])})"
        if not found and interpreters.can_fetch(version):
            what += "; uv fetches it for a run, where the network allows"
        debians = "; the engine docker takes Debian's" if version in debian_systems.PYTHONS.values() else ""
        yield _finding(
            ok=bool(found) or interpreters.can_fetch(version), what=what, cure=f"{interpreters.cure(version)}{debians}"
        )

    yield _any_gpu()
    yield _disk()
    yield from _network()
    facts = host.facts("cpu")
    onednn = "switches itself on" if host.onednn_switches_itself_on(facts) else "does not switch itself on"
    what = f"host class {facts.host_class}: from TensorFlow 2.9, oneDNN {onednn} here ({facts.cpu})"
    yield Finding(ok=True, what=what)


def ready(backend: Backend) -> Iterator[Finding]:
    """Examine what a run of the backend takes: memory, disk, and a GPU with its driver that nobody else uses."""
    free, wanted = psutil.virtual_memory().available, Limits().memory
    what = f"memory: {free / 2**30:.1f} GiB free, {wanted / 2**30:.0f} wanted"
    yield _finding(ok=free >= wanted, what=what, cure="end what uses it, or take a larger machine")

    yield _disk()
    # The images of an Engine on another machine lie on a disk that cannot be seen from here.
    if docker.trouble() is None and images.is_local():
        free, wanted = images.free(), images.FREE
        what = f"the Docker Engine's disk: {free / 2**30:.0f} GiB free, {wanted / 2**30:.0f} wanted"
        yield _finding(ok=free >= wanted, what=what, cure="make room there: nox -s clean, docker image prune")

    if backend != "cpu":
        facts = host.facts(backend)
        what = f"{facts.gpu}, driver {facts.driver or 'of the kernel'}" if facts.gpu else "GPU and driver"
        yield _finding(ok=bool(facts.gpu), what=what, cure=DRIVERS[backend])
        yield _nobody_elses_gpu(backend)


def gpu_users(backend: Backend, processes: Path = Path("/sys/class/kfd/kfd/proc")) -> list[str]:
    """List the processes that have the GPU open, as NVIDIA's driver or AMD's part of the kernel lists them.

    Of several NVIDIA GPUs this is the first, which runs take.
    """
    if backend == "rocm":
        return sorted(f"process {entry.name}" for entry in processes.iterdir())
    query = ["nvidia-smi", "--id=0", "--query-compute-apps=pid", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout
    return [f"process {line.strip()}" for line in answer.splitlines() if line.strip()]


def _nobody_elses_gpu(backend: Backend) -> Finding:
    """Another's work changes times, and may take the memory that a cell needs."""
    try:
        others = gpu_users(backend)
    except (OSError, subprocess.SubprocessError) as fault:
        return Finding(ok=False, what="who uses the GPU", cure=f"cannot be told: {fault}")
    what = f"the GPU is used by {', '.join(others)}" if others else "nobody else uses the GPU"
    return _finding(ok=not others, what=what, cure="wait for their end, or end them")


def _any_gpu() -> Finding:
    facts = host.facts("cuda")
    if facts.gpu:
        return Finding(ok=True, what=f"{facts.gpu}, driver {facts.driver}")
    if Path("/dev/kfd").exists():
        return Finding(ok=True, what="an AMD GPU (/dev/kfd)")
    cure = "only cuda and rocm need one; for NVIDIA install its driver until `nvidia-smi` answers"
    return Finding(ok=False, what="GPU and driver", cure=cure)


def _disk() -> Finding:
    folder = next(folder for folder in (paths.WORK, *paths.WORK.parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    cure = "make room, or free what the matrix built with: nox -s clean"
    return _finding(ok=free >= FREE_BYTES, what=f"disk: {free / 2**30:.0f} GiB free, 15 wanted", cure=cure)


def _network() -> Iterator[Finding]:
    bundles = {name: os.environ[name] for name in docker.CA_VARIABLES if os.environ.get(name)}
    for name, file in bundles.items():
        if not Path(file).is_file():
            yield Finding(ok=False, what=f"CA bundle {name}={file}", cure="it names no file: mend or unset it")
    bundle = next(iter(bundles.values()), "the one uv brings")
    proxy = next((os.environ[name] for name in PROXY_VARIABLES if os.environ.get(name)), "none")
    yield Finding(ok=True, what=f"CA bundle: {bundle}; proxy: {proxy}")


def _finding(*, ok: bool, what: str, cure: str) -> Finding:
    """Leave out the cure where nothing is wrong."""
    return Finding(ok=ok, what=what, cure="" if ok else cure)
