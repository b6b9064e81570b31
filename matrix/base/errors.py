"""The errors that are shown to a person: one class for each exit code. Each says what happened and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

MOST_NAMES = 12


class Terminated(BaseException):
    """This process received SIGTERM."""


class MatrixError(Exception):
    """Shown without a traceback: `what` happened, with its likely cause, and `cure`, the next step."""

    exit_code = 1

    def __init__(self, what: str, cure: str = "") -> None:
        super().__init__(what)
        self.cure = cure


class BadUsage(MatrixError):
    """A selector or an option names nothing."""

    exit_code = 2


class BadData(MatrixError):
    """A file of matrix/data/ breaks its contract."""

    exit_code = 3


class BadRecord(MatrixError):
    """A record, or a line of a target's stream, breaks its contract. `file`: where it lies, if it is one."""

    exit_code = 4

    def __init__(self, what: str, cure: str = "", file: Path | None = None) -> None:
        super().__init__(what, cure)
        self.file = file


class MachineError(MatrixError):
    """The fault lies with this machine (disk, network, memory, engine, interpreter), never with TensorFlow."""

    exit_code = 5


class Busy(MatrixError):
    """Another process of the matrix is writing to the folder."""

    exit_code = 6


class NotBuilt(MatrixError):
    """A target's environment could not be built. `machine`: the cause is this machine, not TensorFlow's packages."""

    exit_code = 7

    def __init__(self, what: str, cure: str = "", *, machine: bool) -> None:
        super().__init__(what, cure)
        self.machine = machine

    @classmethod
    def because(cls, fault: MachineError) -> NotBuilt:
        """Say that this machine's fault kept the target from being built."""
        return cls(str(fault), fault.cure, machine=True)


class Prevented(MatrixError):
    """A sweep came to its end, but the machine prevented some of its runs. All other runs are recorded."""

    exit_code = 8


def unknown(what: str, name: str, known: Sequence[str]) -> BadUsage:
    """Return the error for a name that is not known, with the nearest names that are."""
    near = difflib.get_close_matches(name, known, n=4, cutoff=0.4)
    shown = f"nearest: {', '.join(near)}" if near else f"there are: {', '.join(known[:MOST_NAMES])}"
    return BadUsage(f"no {what} is named {name!r}", shown + (", ..." if not near and len(known) > MOST_NAMES else ""))
