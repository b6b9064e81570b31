"""The lock of a target: every package with its version and hashes. Installing follows the lock and resolves nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from matrix.base import paths
from matrix.base.errors import NotBuilt
from matrix.base.ids import Architecture, Target
from matrix.record import host

# Locks are for glibc 2.28 and newer: RHEL 8, Debian 10.
GLIBC_MINOR = 28
# uv's words for a fault on the way to the index, on this machine's disk, or for a file other than the one that the lock
# names. None of these faults says anything about TensorFlow.
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
    return (folder or paths.LOCKS) / f"{target.id}.txt"


def build_tools(target: Target) -> Path | None:
    """Return the lock of the tools that build the target's sources; None where the target takes wheels only."""
    has_sources = b"--no-binary" in _read(target)
    return paths.LOCKS / "build" / f"py{target.python.replace('.', '')}.txt" if has_sources else None


def left_out(target: Target) -> Path | None:
    """Return the names of the packages that are locked but not installed here; None where all of the lock is installed.

    These are CUDA's libraries, on a machine without a GPU: they take gigabytes and do nothing there. What TensorFlow
    plans and registers is the same without them.
    """
    without_gpu = target.backend == "cuda" and host.facts("cuda").gpu is None
    return paths.LOCKS / "left-out" / "cuda.txt" if without_gpu else None


def files(target: Target) -> list[Path]:
    """Return all files that decide what is installed, the lock first. Raise NotBuilt where the target has no lock."""
    return [path(target), *filter(None, (build_tools(target), left_out(target)))]


def sha256(target: Target) -> str:
    """Return the hash of all files that decide what is installed. Raise NotBuilt where the target has no lock."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files(target))).hexdigest()


def _read(target: Target) -> bytes:
    try:
        return path(target).read_bytes()
    except FileNotFoundError:
        raise NotBuilt(f"{target.id} has no lock", "make it with: nox -s update", machine=True) from None


def install_command(target: Target, *into: str) -> list[str]:
    """uv's arguments that install exactly the lock into the environment that the options `into` name."""
    command = ["pip", "sync", str(path(target))]
    if names := left_out(target):
        command = ["pip", "install", "--no-deps", "--excludes", str(names), "--requirements", str(path(target))]
    command += ["--quiet", "--require-hashes", *into]
    if tools := build_tools(target):
        command += ["--build-constraints", str(tools), "--require-build-hashes"]
    if b"+cpu" in _read(target):
        # PyTorch's build for CPUs is not on the package index. uv knows PyTorch's own index, unless this machine keeps
        # wheels of its own and says where, as pip is told.
        folders = os.environ.get("PIP_FIND_LINKS", "").split()
        options = [argument for folder in folders for argument in ("--find-links", folder)]
        command += options or ["--torch-backend", "cpu"]
    return command


def platform(architecture: Architecture) -> str:
    """uv's name for the oldest Linux that a lock is for."""
    return f"{architecture}-manylinux_2_{GLIBC_MINOR}"


def why_not(stderr: str) -> str:
    """uv's own words, on one line."""
    return " ".join(stderr.split())[:300] or "uv failed and said nothing"


def is_machines_fault(stderr: str) -> bool:
    return any(words.lower() in stderr.lower() for words in MACHINES_FAULTS)
