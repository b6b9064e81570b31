"""Keeps aside what somebody brought and nobody believes, so that a person can look at it. It is never published."""

from __future__ import annotations

import hashlib
from pathlib import Path

from matrix.base import paths
from matrix.base.errors import BadRecord
from matrix.base.files import write_whole
from matrix.record.file_format import read_at_most

FOLDER = paths.WORK / "quarantine"
MOST_BYTES = 16 * 2**20


def set_aside(file: Path, why: str) -> Path | None:
    """Copy the file under a name of our own, and beside it write why. Return None where it is no plain file, or lies
    behind a link.
    """
    if any(folder.is_symlink() for folder in file.parents[:3]):
        return None
    try:
        data = read_at_most(file, MOST_BYTES)
    except (BadRecord, OSError):
        return None
    kept = FOLDER / hashlib.sha256(data).hexdigest()[:12]
    write_whole(kept, data)
    write_whole(kept.with_name(f"{kept.name}.why"), f"{file}\n{why}\n".encode("utf-8", "backslashreplace"))
    return kept
