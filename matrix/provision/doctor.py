"""What this machine has and lacks for the matrix, each missing piece with its cure; and, before work is given to it,
whether it can do that of a backend.
"""

from __future__ import annotations

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
from matrix.provision import debian, engines, images, interpreters
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
    yield from _engines()
    yield from _interpreters()
    yield _gpu()
    yield _disk()
    yield from _network()
    yield _onednn()


def ready(backend: Backend) -> Iterator[Finding]:
    """What a run of the backend takes: memory, disk, and a GPU with its driver that nobody else uses."""
    yield _memory()
    yield _disk()
    yield from _engines_disk()
    if backend != "cpu":
        yield _device(backend)
        yield _alone(backend)


def _device(backend: Backend) -> Finding:
    facts = host.facts(backend)
    if facts.gpu:
        return Finding(ok=True, what=f"{facts.gpu}, driver {facts.driver or 'of the kernel'}")
    return Finding(ok=False, what="GPU and driver", cure=DRIVERS[backend])


def _memory() -> Finding:
    free = psutil.virtual_memory().available
    what = f"memory: {free / 2**30:.1f} GiB free, {Limits().memory / 2**30:.0f} wanted"
    enough = free >= Limits().memory
    return Finding(ok=enough, what=what, cure="" if enough else "end what uses it, or take a larger machine")


def _alone(backend: Backend) -> Finding:
    """Another's work changes times, and may take the memory that a cell needs."""
    try:
        others = gpu_users(backend)
    except (OSError, subprocess.SubprocessError) as fault:
        return Finding(ok=False, what="who uses the GPU", cure=f"cannot be told: {fault}")
    what = f"the GPU is used by {', '.join(others)}" if others else "nobody else uses the GPU"
    return Finding(ok=not others, what=what, cure="wait for their end, or end them" if others else "")


def gpu_users(backend: Backend, processes: Path = Path("/sys/class/kfd/kfd/proc")) -> list[str]:
    """The processes that have the GPU open, as NVIDIA's driver or AMD's part of the kernel lists them.

    Of several NVIDIA GPUs it is the first, which runs take.
    """
    if backend == "rocm":
        return sorted(f"process {entry.name}" for entry in processes.iterdir())
    query = ["nvidia-smi", "--id=0", "--query-compute-apps=pid", "--format=csv,noheader"]
    told = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout
    return [f"process {line.strip()}" for line in told.splitlines() if line.strip()]


def _engines() -> Iterator[Finding]:
    for name, engine in engines.ENGINES.items():
        trouble = engine.trouble()
        yield Finding(ok=trouble is None, what=f"engine {name}", cure=trouble or "")


def _interpreters() -> Iterator[Finding]:
    data = releases.load()
    wanted = {wheel.python for release in data.releases for wheel in release.wheels.values()}
    for version in sorted(wanted, key=lambda text: tuple(map(int, text.split(".")))):
        found = interpreters.find(version)
        users = [release.version for release in data.releases if _uses(release, version)]
        what = f"CPython {version}: {found or 'not here'} (TensorFlow {', '.join(users)})"
        yield Finding(ok=found is not None, what=what, cure="" if found else _cure(version))


def _cure(version: str) -> str:
    debians = "; the engine docker takes Debian's" if version in debian.PYTHONS.values() else ""
    return f"{interpreters.cure(version)}{debians}"


def _uses(release: releases.Release, version: str) -> bool:
    return any(wheel.python == version for wheel in release.wheels.values())


def _gpu() -> Finding:
    facts = host.facts("cuda")
    if facts.gpu:
        return Finding(ok=True, what=f"{facts.gpu}, driver {facts.driver}")
    if Path("/dev/kfd").exists():
        return Finding(ok=True, what="an AMD GPU (/dev/kfd)")
    cure = "only cuda and rocm need one; for NVIDIA install its driver until `nvidia-smi` answers"
    return Finding(ok=False, what="GPU and driver", cure=cure)


def _disk() -> Finding:
    there = next(folder for folder in (paths.WORK, *paths.WORK.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    cure = "" if free >= FREE_BYTES else "make room, or free what the matrix built with: nox -s clean"
    return Finding(ok=free >= FREE_BYTES, what=f"disk: {free / 2**30:.0f} GiB free, 15 wanted", cure=cure)


def _engines_disk() -> Iterator[Finding]:
    """Where a local Docker Engine has its images; another's cannot be looked at."""
    if docker.trouble() is not None or not images.is_local():
        return
    free = images.free()
    what = f"the Docker Engine's disk: {free / 2**30:.0f} GiB free, {images.FREE / 2**30:.0f} wanted"
    enough = free >= images.FREE
    yield Finding(ok=enough, what=what, cure="" if enough else "make room there: nox -s clean, docker image prune")


def _network() -> Iterator[Finding]:
    for name in docker.CA_VARIABLES:
        if (value := os.environ.get(name)) and not Path(value).is_file():
            yield Finding(ok=False, what=f"CA bundle {name}={value}", cure="it names no file: mend or unset it")
    bundle = next((os.environ[name] for name in docker.CA_VARIABLES if os.environ.get(name)), None)
    proxy = next((os.environ[name] for name in PROXY_VARIABLES if os.environ.get(name)), None)
    yield Finding(ok=True, what=f"CA bundle: {bundle or 'the one uv brings'}; proxy: {proxy or 'none'}")


def _onednn() -> Finding:
    facts = host.facts("cpu")
    here = "switches itself on" if host.onednn_switches_itself_on(facts) else "does not switch itself on"
    return Finding(
        ok=True, what=f"host class {facts.host_class}: from TensorFlow 2.9, oneDNN {here} here ({facts.cpu})"
    )
