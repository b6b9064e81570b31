"""What this process starts must not outlive it, however it ends."""

from __future__ import annotations

import shutil


def dying_with_us() -> tuple[str, ...]:
    """Before a command: the kernel kills it when the thread that started it is gone (PR_SET_PDEATHSIG)."""
    return ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()
