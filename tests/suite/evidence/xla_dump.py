"""The optimized HLO that XLA writes of what it compiles for a processor."""

import glob
import os
import shutil
import tempfile
from typing import List

TEXTS = "*after_optimizations.txt"
_folders: List[str] = []


def ask() -> None:
    """Before XLA compiles for the first time in this process. Not before 1.14: XLA dies of a flag that it lacks."""
    _folders.append(tempfile.mkdtemp(prefix="xla-"))
    flags = [os.environ.get("XLA_FLAGS", ""), "--xla_dump_to=" + _folders[-1], "--xla_dump_hlo_as_text"]
    os.environ["XLA_FLAGS"] = " ".join(flags).strip()


def take() -> List[str]:
    """What was written since the last time, a text a module. XLA makes the folder anew."""
    texts = []
    for folder in _folders[-1:]:
        for path in sorted(glob.glob(os.path.join(folder, TEXTS))):
            with open(path) as file:
                texts.append(file.read())
        shutil.rmtree(folder, ignore_errors=True)
    return texts
