"""Files are written whole or not at all; published JSON is written so that git shows what changed in it."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import msgspec

from matrix.base.errors import MachineError

PART = ".part"
CURES = {
    errno.ENOSPC: "make room on that disk; what was written before is whole, and the same command goes on from there",
    errno.EDQUOT: "make room within your quota; the same command goes on from what was written before",
    errno.EACCES: "make the folder writable for this user, or name another",
    errno.EROFS: "the disk is mounted read-only: mount it writable, or name another folder",
}


def write_whole(path: Path, data: bytes) -> None:
    """Write beside `path`, flush to the disk, then rename; a crash leaves the old file or the new one.

    Raise MachineError where the disk does not take it.
    """
    try:
        _write(path, data)
    except OSError as fault:
        raise cannot_write(path, fault) from fault


def remove_parts(folder: Path) -> None:
    """What writers left below the folder that were killed; for whoever alone writes there."""
    for part in folder.rglob(f".*{PART}"):
        part.unlink()


def cannot_write(path: Path, fault: OSError) -> MachineError:
    return MachineError(f"cannot write {path}: {fault.strerror}", CURES.get(fault.errno or 0, "see to that disk"))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def encode(document: msgspec.Struct) -> bytes:
    """JSON with one entry a line and keys sorted, so that a change in git is a change of an entry."""
    fields: dict[str, object] = msgspec.json.decode(_encoder.encode(document))
    parts = []
    for name, value in fields.items():
        lines = [_encoder.encode(entry) for entry in value] if isinstance(value, list) else []
        text = b"[\n" + b",\n".join(lines) + b"\n]" if lines else _encoder.encode(value)
        parts.append(b'"' + name.encode() + b'":' + text)
    return b"{\n" + b",\n".join(parts) + b"\n}\n"


_encoder = msgspec.json.Encoder(order="sorted")
