"""What can go wrong for a person: one class an exit code. Each says what happened, and the next step."""

from __future__ import annotations


class Terminated(BaseException):
    """This process was asked to end (SIGTERM)."""


class MatrixError(Exception):
    """Shown without a traceback: what happened, the likely cause, the next step."""

    exit_code = 1

    def __init__(self, what: str, cure: str = "") -> None:
        super().__init__(what)
        self.cure = cure


class BadUsage(MatrixError):
    """A selector or an option that names nothing."""

    exit_code = 2


class BadData(MatrixError):
    """A file of matrix/data/ that does not satisfy its contract."""

    exit_code = 3


class BadRecord(MatrixError):
    """A record, or a line of a target's stream, that does not satisfy its contract."""

    exit_code = 4


class MachineError(MatrixError):
    """This machine's fault, never counted against TensorFlow: disk, network, memory, engine, interpreter."""

    exit_code = 5


class Busy(MatrixError):
    """Another orchestrator holds the folder."""

    exit_code = 6


class Prevented(MatrixError):
    """A sweep that came to its end, though the machine prevented some of its runs; all others are recorded."""

    exit_code = 8


class NotBuilt(MatrixError):
    """Why a target has no environment; `machine` where the cause lies here and not with TensorFlow's packages."""

    exit_code = 7

    def __init__(self, what: str, cure: str = "", *, machine: bool) -> None:
        super().__init__(what, cure)
        self.machine = machine
