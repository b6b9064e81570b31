"""A folder of records: who may write to it, and whether what is in it has been judged."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from matrix.base import paths
from matrix.base.errors import Busy
from matrix.base.files import cannot_write, remove_parts


def behind(reports: Path) -> Path:
    """Is there from before a record is written until it is judged: a process that was killed between leaves it."""
    return reports / ".behind"


def readme(reports: Path) -> Path | None:
    """The README shows the published reports and no others."""
    return paths.README if reports.resolve() == paths.REPORTS else None


@contextmanager
def holding(reports: Path) -> Iterator[None]:
    """One orchestrator at a time writes to a folder. Raise Busy where another does."""
    lock = FileLock(reports / ".lock")
    try:
        reports.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        remove_parts(reports)
    except Timeout:
        cure = "wait for it, or name another --reports"
        raise Busy(f"{_holder(reports / '.lock')} holds {reports}", cure) from None
    except OSError as fault:
        raise cannot_write(reports, fault) from fault
    try:
        yield
    finally:
        lock.release()


def _holder(lock: Path) -> str:
    """Who has locked the file, by the kernel's own list; a process elsewhere (NFS, another container) is not in it."""
    held = re.findall(r"FLOCK .* (\d+) \S+:(\d+) ", Path("/proc/locks").read_text(encoding="ascii"))
    with contextlib.suppress(OSError, psutil.Error):  # it has ended meanwhile
        for pid in (int(pid) for pid, inode in held if int(inode) == lock.stat().st_ino):
            since = datetime.datetime.fromtimestamp(psutil.Process(pid).create_time(), datetime.UTC)
            command = " ".join(psutil.Process(pid).cmdline())
            return f"process {pid} ({command}), at work since {since:%Y-%m-%d %H:%M} UTC,"
    return "another run of the matrix"
