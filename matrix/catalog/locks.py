"""The lock of a target: every package, its version and its hashes. Installing follows it and resolves nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from matrix.base import paths
from matrix.base.errors import NotBuilt
from matrix.base.ids import Machine, Target
from matrix.record import host

USUAL: Machine = "x86_64"
# The oldest glibc that a lock is good for: RHEL 8, Debian 10.
GLIBC_MINOR = 28
# How uv words what went wrong on the way to the index, on this machine's disk, or that the index gave another file than
# the lock names: all of them say nothing of TensorFlow.
MACHINES_FAULTS = (
    "error sending request",
    "dns error",
    "timed out",
    "connection",
    "No space left",
    "os error 28",
    "Permission denied",
    "Hash mismatch",
)


def path(target: Target, folder: Path | None = None) -> Path:
    """Those of another machine than most people's have a folder of their own."""
    folder = folder or paths.LOCKS
    return (folder if target.machine == USUAL else folder / target.machine) / f"{target.id}.txt"


def build_tools(target: Target) -> Path | None:
    """The lock of what its sources are built with; None where the target takes wheels only."""
    has_sources = b"--no-binary" in _read(target)
    return paths.LOCKS / "build" / f"py{target.python.replace('.', '')}.txt" if has_sources else None


def left_out(target: Target) -> Path | None:
    """The names of CUDA's libraries, which fill gigabytes and drive nothing where there is no GPU: what TensorFlow
    plans and registers it says without them. None where all of the lock is installed.
    """
    without_gpu = target.backend == "cuda" and host.facts("cuda").gpu is None
    return paths.LOCKS / "left-out" / "cuda.txt" if without_gpu else None


def files(target: Target) -> list[Path]:
    """All that decides what is installed, the lock first. Raise NotBuilt where the target has none."""
    return [path(target), *filter(None, (build_tools(target), left_out(target)))]


def sha256(target: Target) -> str:
    """Of the files that decide what is installed. Raise NotBuilt where the target has no lock."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files(target))).hexdigest()


def _read(target: Target) -> bytes:
    try:
        return path(target).read_bytes()
    except FileNotFoundError:
        raise NotBuilt(f"{target.id} has no lock", "make it with: nox -s update", machine=True) from None


def install_command(target: Target, *into: str) -> list[str]:
    """uv's arguments that make what `into` names, in uv's own options, equal to the lock."""
    tools, elsewhere = build_tools(target), _elsewhere(target)
    building = ["--build-constraints", str(tools), "--require-build-hashes"] if tools else []
    command = ["pip", "sync", str(path(target))]
    if names := left_out(target):
        command = ["pip", "install", "--no-deps", "--excludes", str(names), "--requirements", str(path(target))]
    return [*command, "--quiet", "--require-hashes", *into, *building, *elsewhere]


def _elsewhere(target: Target) -> list[str]:
    """PyTorch's build for CPUs is not on the package index: uv knows PyTorch's own, unless this machine keeps wheels of
    its own and says where, as pip is told.
    """
    if b"+cpu" not in _read(target):
        return []
    kept = os.environ.get("PIP_FIND_LINKS", "").split()
    return [argument for place in kept for argument in ("--find-links", place)] or ["--torch-backend", "cpu"]


def platform(machine: Machine) -> str:
    """What uv calls the oldest Linux that a lock is good for."""
    return f"{machine}-manylinux_2_{GLIBC_MINOR}"


def why_not(stderr: str) -> str:
    """uv's own words, on one line."""
    return " ".join(stderr.split())[:300] or "uv failed and said nothing"


def is_machines_fault(stderr: str) -> bool:
    return any(words.lower() in stderr.lower() for words in MACHINES_FAULTS)
