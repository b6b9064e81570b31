"""Prefixes for a command of this machine that confine what the command starts. Empty where the machine cannot."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache


def dying_with_us() -> tuple[str, ...]:
    """Let the kernel kill the command when the thread that started it is gone (PR_SET_PDEATHSIG)."""
    return ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()


@cache
def without_network() -> tuple[str, ...]:
    """Give the command a network namespace of its own, where the kernel grants this to an ordinary user."""
    prefix = ("unshare", "--map-root-user", "--net", "--")
    try:
        granted = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        granted = False
    return prefix if granted else ()


def with_limits(open_files: int) -> tuple[str, ...]:
    """Limit the files that the command may open, and forbid core dumps."""
    return ("prlimit", "--core=0", f"--nofile={open_files}", "--") if shutil.which("prlimit") else ()
