"""What libraries tell of a convolution: what oneDNN, cuDNN and MIOpen execute, what XLA makes. No TensorFlow here."""

import ctypes
import os
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from typing import Iterator, List, Tuple

from . import Evidence, cudnn_log, cudnn_plans, miopen_log, onednn_verbose, xla_dump
from .primitive import Primitive

LIBRARIES = (onednn_verbose, cudnn_log, cudnn_plans, miopen_log)


def ask() -> None:
    """Before the first convolution of this process."""
    for library in LIBRARIES:
        os.environ.update(library.VARIABLES)


@contextmanager
def captured(evidence: Evidence, descriptors: Tuple[int, ...] = (1,)) -> Iterator[None]:
    """Take what is printed inside, and keep what it tells. What came on standard error goes on there."""
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as printed, ExitStack() as kept:
        for descriptor in descriptors:
            kept.enter_context(_redirected(descriptor, printed.fileno()))
        try:
            yield
        finally:
            ctypes.CDLL(None).fflush(None)
            sys.stderr.flush()
            kept.close()
            printed.seek(0)
            printed_bytes = printed.read()
            if 2 in descriptors:
                os.write(2, printed_bytes)
            text = printed_bytes.decode("utf-8", "replace")
            evidence.hlo = xla_dump.take()
            evidence.primitives += parse(text)
            evidence.onednn_isa = onednn_verbose.isa(text) or evidence.onednn_isa


@contextmanager
def _redirected(descriptor: int, to: int) -> Iterator[None]:
    kept = os.dup(descriptor)
    os.dup2(to, descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


def parse(text: str) -> List[Primitive]:
    return [primitive for library in LIBRARIES for primitive in library.parse(text)]
