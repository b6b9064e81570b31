"""A forked process that says lines of JSON, for a parent that outlives its crash or its hang. No TensorFlow here."""

import ctypes
import json
import os
import select
import signal
import sys
import time
import traceback

MAX_LINE = 64 * 1024
OUTPUT_KEPT = 16 * 1024
OUTPUT_RELAYED = 256 * 1024
SUITE_FAULT = 70  # EX_SOFTWARE


class Fork(object):
    """`task(say)` in a fork, where `say(value)` sends a line. What it prints is relayed to standard error, up to a cap.

    `output` is the end of what it printed, where a crash says why. `endless`: a line had no end, and reading stopped.
    """

    def __init__(self, task, max_line=MAX_LINE):
        self.max_line = max_line
        self.output = b""
        self.endless = False
        self._relayed = 0
        self._buffer = b""
        sys.stderr.flush()
        self._lines, inlet = os.pipe()
        self._printed, printing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._lines)
            os.close(self._printed)
            _live(task, inlet, printing)
        _lead_a_group(self.pid)
        os.close(inlet)
        os.close(printing)

    def read(self, seconds=0.1):
        """The lines that came within so many seconds, as bytes; None at the end of all lines, or once it has gone."""
        ready, _, _ = select.select([self._lines, self._printed], [], [], seconds)
        if self._printed in ready:
            self._relay(os.read(self._printed, 65536))
        if self._lines not in ready:
            return None if self._has_gone() else []
        data = os.read(self._lines, 65536)
        if not data:
            return None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > self.max_line:
            self.endless = True
            return None
        return lines

    def drain(self, seconds):
        """Let a process that is dying by itself die of its own cause, and hear its last words."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and select.select([self._printed], [], [], max(0, end - time.monotonic()))[0]:
            data = os.read(self._printed, 65536)
            if not data:
                return
            self._relay(data)

    def end(self):
        """Kill it with all that it started; return its status as os.waitpid gives it."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self._lines)
        os.close(self._printed)
        return status

    def _has_gone(self):
        """And all that it said was read. What it started may hold the pipe open for ever."""
        gone = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return gone and not select.select([self._lines], [], [], 0)[0]

    def _relay(self, data):
        self.output = (self.output + data)[-OUTPUT_KEPT:]
        os.write(2, data[: max(0, OUTPUT_RELAYED - self._relayed)])
        self._relayed += len(data)


def is_suite_fault(status):
    """Whether an exception of the suite's own ended the process: its traceback is among what it printed."""
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == SUITE_FAULT


def _live(task, inlet, printing):
    """The child's whole life."""
    _lead_a_group(0)
    # prctl(PR_SET_PDEATHSIG, SIGKILL): when the run is killed, a process that hangs goes with it
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    os.dup2(printing, 1)
    os.dup2(printing, 2)
    status = 0
    try:
        task(lambda value: write_line(inlet, value))
    except BaseException:  # a fault of the suite: TensorFlow's own are observations
        traceback.print_exc()
        status = SUITE_FAULT
    sys.stderr.flush()
    os._exit(status)


def write_line(descriptor, value):
    """As one line of JSON, whole."""
    data = json.dumps(value, sort_keys=True).encode("utf-8") + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]


def _lead_a_group(pid):
    # Both the process and its parent say it, whichever comes first: what the process starts is ended with it.
    try:
        os.setpgid(pid, pid)
    except (PermissionError, ProcessLookupError):  # it has gone already
        pass
