"""The lock of a target: every package, its version and its hashes. Installing follows it and resolves nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

from matrix import paths
from matrix.errors import NotBuilt
from matrix.ids import Target

# How uv words what went wrong on the way to the index, or on this machine's disk.
MACHINES_FAULTS = ("error sending request", "dns error", "timed out", "connection", "No space left", "os error 28")


def path(target: Target) -> Path:
    return paths.LOCKS / f"{target.id}.txt"


def sha256(target: Target) -> str:
    """Raise NotBuilt where the target has no lock."""
    try:
        return hashlib.sha256(path(target).read_bytes()).hexdigest()
    except FileNotFoundError:
        raise NotBuilt(f"{target.id} has no lock", "make it with: nox -s update", machine=True) from None


def install_command(target: Target, python: Path) -> list[str]:
    """uv's arguments that make the environment of this interpreter equal to the lock."""
    return ["pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(path(target))]


def why_not(stderr: str) -> str:
    """uv's own words, on one line."""
    return " ".join(stderr.split())[:300] or "uv failed and said nothing"


def is_machines_fault(stderr: str) -> bool:
    return any(words.lower() in stderr.lower() for words in MACHINES_FAULTS)
