"""What oneDNN prints during a call, and how long its convolutions took by it. No TensorFlow here."""

import ctypes
import os
import sys
import tempfile
from typing import Any, Callable

from ..evidence.onednn_verbose import CONVOLUTION


def printed(call: Callable[[], Any]) -> str:
    """What the call wrote to standard output."""
    sys.stdout.flush()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            call()
        finally:
            ctypes.CDLL(None).fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
        file.seek(0)
        return file.read().decode("utf-8", "replace")


def seconds(text: str) -> float:
    """Of all convolutions that the lines tell of, forward and backward; a line ends with its milliseconds."""
    told = [line for line in text.splitlines() if CONVOLUTION.match(line)]
    return sum(float(line.rsplit(",", 1)[1]) for line in told) / 1000
