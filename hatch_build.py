"""Puts into the wheel what an installed package needs of the checkout: reports (as one archive), docs, Dockerfiles.

The reports are hundreds of files that resemble each other: compressed together they take a fiftieth of their size.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Bundle(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # it works on the checkout
            return
        root = Path(self.root)
        archive = Path(tempfile.mkdtemp()) / "reports.tar.xz"
        archive.write_bytes(_packed(root / "reports"))
        bundled = {archive: archive.name}
        for folder, pattern in (("docs", "*.md"), ("dockerfiles", "*")):
            bundled |= {file: f"{folder}/{file.name}" for file in (root / folder).glob(pattern)}
        build_data["force_include"] |= {str(file): f"matrix/bundled/{name}" for file, name in bundled.items()}


def _packed(reports: Path) -> bytes:
    """Return the same bytes for the same reports. Hidden files are working files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for file in sorted(reports.rglob("*")):
            name = file.relative_to(reports.parent)
            if file.is_file() and not any(part.startswith(".") for part in name.parts):
                member = tarfile.TarInfo(name.as_posix())
                member.size = file.stat().st_size
                with file.open("rb") as content:
                    archive.addfile(member, content)
    return packed.getvalue()
