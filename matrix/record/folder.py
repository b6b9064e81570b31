"""A folder of reports: who may write to it, and whether its records have been judged."""

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
    """Return the file that says that the report is behind the records.

    It is there from before a record is written until the record is judged; a process that was killed leaves it.
    """
    return reports / ".behind"


def readme(reports: Path) -> Path | None:
    """Return the README that shows these reports: only the published reports have one."""
    return paths.README if reports.resolve() == paths.REPORTS else None


@contextmanager
def holding(reports: Path) -> Iterator[None]:
    """Lock the folder, so that one process at a time writes to it. Raise Busy where another process holds it."""
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
    """Say who has locked the file, by the kernel's list, which knows no process elsewhere (NFS, another container)."""
    held = re.findall(r"FLOCK .* (\d+) \S+:(\d+) ", Path("/proc/locks").read_text(encoding="ascii"))
    with contextlib.suppress(OSError, psutil.Error):  # the process has ended in the meantime
        for pid in (int(pid) for pid, inode in held if int(inode) == lock.stat().st_ino):
            process = psutil.Process(pid)
            since = datetime.datetime.fromtimestamp(process.create_time(), datetime.UTC)
            return f"process {pid} ({' '.join(process.cmdline())}), at work since {since:%Y-%m-%d %H:%M} UTC,"
    return "another run of the matrix"
