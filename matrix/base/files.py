"""Writes files whole or not at all, and published JSON so that a change in git is a change of one entry."""

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
    """Write beside `path`, flush to the disk, then rename: a crash leaves either the old file or the new file.

    Raise MachineError where the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
        part = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            part.chmod(0o644)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as fault:
        raise cannot_write(path, fault) from fault


def remove_parts(folder: Path) -> None:
    """Remove the unfinished files of writers that were killed. Call it only where nobody else can be writing."""
    for part in folder.rglob(f".*{PART}"):
        part.unlink()


def cannot_write(path: Path, fault: OSError) -> MachineError:
    return MachineError(f"cannot write {path}: {fault.strerror}", CURES.get(fault.errno or 0, "see to that disk"))


def encode(document: msgspec.Struct) -> bytes:
    """JSON with sorted keys, and with each element of a top-level list on a line of its own."""
    fields: dict[str, object] = msgspec.json.decode(_encoder.encode(document))
    parts = []
    for name, value in fields.items():
        if isinstance(value, list) and value:
            text = b"[\n" + b",\n".join(_encoder.encode(element) for element in value) + b"\n]"
        else:
            text = _encoder.encode(value)
        parts.append(b'"' + name.encode() + b'":' + text)
    return b"{\n" + b",\n".join(parts) + b"\n}\n"


_encoder = msgspec.json.Encoder(order="sorted")
