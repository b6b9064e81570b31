"""Reads a Keras model's HDF5 file in a process of its own.

The library that reads HDF5 is C and was made for friendly files: a broken one can crash it, or have it ask for any
memory. So it runs apart, with a limit on memory and time. Links that lead elsewhere are not followed, and no weight is
read, only its shape.
"""

import json
import os
import pkgutil
import subprocess
import sys
from typing import Any, Dict

from .layers import Unreadable, clean

SECONDS, MEBIBYTES = 60, 4096
CHILD = "hdf5_child.py"


def read(path: str) -> Dict[str, Any]:
    """Return `config`, the description as JSON, and `weights`, their shapes by path."""
    source = pkgutil.get_data(__package__, CHILD)
    assert source is not None
    command = [sys.executable, "-c", source.decode("utf-8"), path, str(SECONDS), str(MEBIBYTES)]
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")  # more threads want more memory, and compute nothing here
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unreadable("it was not read within {} s".format(SECONDS))
    try:
        found = json.loads(ended.stdout.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Unreadable("the HDF5 library failed on it (status {}): it is broken".format(ended.returncode))
    if "fault" in found:
        raise Unreadable(clean(found["fault"], 200))
    return dict(found)
