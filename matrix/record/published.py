"""The published reports: those of the checkout, or the copy that an installed package brings as one archive."""

from __future__ import annotations

from pathlib import Path

from matrix.base import paths
from matrix.base.errors import MachineError


def folder() -> Path:
    """Return the folder. An installed package unpacks its archive into the working folder at the first question.

    Raise MachineError where that folder cannot be written to.
    """
    if paths.IS_CHECKOUT:
        return paths.REPORTS
    import hashlib  # noqa: PLC0415 - only for what follows, which a checkout does not need
    import tarfile  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    archive = paths.BUNDLED / "reports.tar.xz"
    unpacked = paths.WORK / f"reports-{hashlib.sha256(archive.read_bytes()).hexdigest()[:12]}"
    if not unpacked.is_dir():
        try:
            paths.WORK.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=paths.WORK) as part, tarfile.open(archive) as files:
                files.extraction_filter = getattr(tarfile, "data_filter", None)  # Debian 12's Python has none
                files.extractall(part)  # noqa: S202 - the archive is the package's own
                (Path(part) / "reports").rename(unpacked)
        except OSError as fault:
            if unpacked.is_dir():  # another process was quicker
                return unpacked
            cure = "set MATRIX_WORK to a folder that you can write to, with 100 MB free"
            raise MachineError(f"cannot unpack the records into {paths.WORK}: {fault.strerror}", cure) from fault
    return unpacked
