"""Prefixes for a command of this machine that confine what the command starts. Empty where the machine cannot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from matrix.provision import sandbox


def dying_with_us() -> tuple[str, ...]:
    """Let the kernel kill the command when the thread that started it is gone (PR_SET_PDEATHSIG)."""
    return ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()


# What a Python and TensorFlow read of a system, and nothing of a person's.
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/proc", "/sys", "/etc/alternatives", "/etc/group",
    "/etc/hosts", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/nsswitch.conf",
    "/etc/os-release", "/etc/passwd",
)  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
LARGEST_FILE = 4 * 2**30


@cache
def without_network() -> tuple[str, ...]:
    """Give the command a network and message queues of its own, where the kernel grants this to an ordinary user."""
    prefix = ("unshare", "--map-root-user", "--net", "--ipc", "--")
    try:
        granted = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        granted = False
    return prefix if granted else ()


def sandboxed(*, read: Sequence[Path], write: Sequence[Path], memory: int, files: int) -> tuple[str, ...]:
    """Confine the command to what it is given: see matrix/provision/sandbox.py. `read`: folders that it may read, with
    programs that it may run; `write`: folders that are its own.
    """
    spec = {
        "parent": os.getpid(),
        "limits": {"RLIMIT_NOFILE": files, "RLIMIT_DATA": memory, "RLIMIT_FSIZE": LARGEST_FILE},
        "read": [*SYSTEM, *map(str, read)],
        "write": list(map(str, write)),
        "devices": DEVICES,
    }
    return (sys.executable, "-I", "-S", sandbox.__file__, json.dumps(spec))


def with_limits(open_files: int) -> tuple[str, ...]:
    """Limit the files that the command may open, and forbid core dumps."""
    return ("prlimit", "--core=0", f"--nofile={open_files}", "--") if shutil.which("prlimit") else ()


@cache
def lacking(*, on_device: bool) -> tuple[str, ...]:
    """Say what of the confinement is not in force on this machine, for the records."""
    network = (
        () if without_network() else ("no namespace for an ordinary user: the machine's network interfaces are seen",)
    )
    if on_device:
        return (*network, "no sandbox: the driver of a GPU is reached by files and sockets that nobody lists")
    return (*network, *sandbox.lacking())
