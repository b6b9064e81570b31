"""Fake observations: crashes, hangs and lies, on demand."""

import inspect
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import clock, messages

POISON = []


def start(lane):
    pass


def onednn_isa(cell):
    return ""


def observe(approach, mode, check, case):
    found = {
        "approach": approach,
        "mode": mode,
        "check": check,
        "case": case,
        "outcome": "pass",
        "evidence": "executed",
    }
    return dict(found, **(FAKES.get(approach, _pass)() or {}))


def _pass():
    pass


def _die(number):
    def fake():
        os.kill(os.getpid(), number)
        time.sleep(60)

    return fake


def _abort():
    # as TensorFlow's CHECK macros word it
    os.write(2, b"2026-01-01 00:00:00.000000: F tensorflow/core/fake.cc:1] Check failed: groups == 1 (4 vs. 1)\n")
    os.abort()


def _hang():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def _memory_hog():
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1)) * 32 * 2**20)


def _endless_output():
    while True:
        os.write(1, b"chatter\n" * 1000)


def _frames():
    """The worker's pipe to its parent: the one descriptor above the standard ones that it writes its words to."""
    return next(frame.frame.f_locals["inlet"] for frame in inspect.stack(0) if "inlet" in frame.frame.f_locals)


def _write(data):
    def fake():
        os.write(_frames(), data)
        os._exit(0)

    return fake


def _endless_line():
    frames = _frames()
    while True:
        os.write(frames, b"x" * 4096)


def _suite_fault():
    raise AssertionError("a fault of the suite itself")


def _poisoned():
    if POISON:
        os.kill(os.getpid(), signal.SIGSEGV)


def _crowd():
    """As many processes as a fork bomb has after a moment, each in a session of its own, out of the worker's reach."""
    for _ in range(30):
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
            os._exit(0)


def _huge_error():
    return {"outcome": "error", "error": messages.describe(ValueError("no groups here " * 20_000))}


def _huge_words():
    return {"outcome": "error", "error": {"type": "ValueError", "message": "no groups here " * 20_000}}


def _flaky():
    """Dies the first time that it is asked, and never again."""
    seen = Path(os.environ["HOME"]) / "seen"
    if not seen.exists():
        seen.touch()
        os.kill(os.getpid(), signal.SIGSEGV)


def _clock_jumps():
    """A day ahead at every look, then a year back; what was spent is nonsense, what was observed is not."""
    jumps = iter(range(10**6))
    time.time = time.perf_counter = lambda: next(jumps) * 86400.0
    with clock.spending("jumping"):
        time.time = time.perf_counter = lambda: -365 * 86400.0


def _child_holds_pipe():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False)
    os._exit(3)


FAKES = {
    "fake-segfault": _die(signal.SIGSEGV),
    "fake-sigfpe": _die(signal.SIGFPE),
    "fake-abort": _abort,
    "fake-hang": _hang,
    "fake-memory-hog": _memory_hog,
    "fake-endless-output": _endless_output,
    "fake-exit-zero": lambda: os._exit(0),
    "fake-half-line": _write(b'{"outcome": "pa'),
    "fake-invalid-utf8": _write(b'{"outcome": "\xff\xfe"}\n'),
    "fake-endless-line": _endless_line,
    "fake-suite-fault": _suite_fault,
    "fake-poisoner": lambda: POISON.append(True),
    "fake-poisoned": _poisoned,
    "fake-child-holds-pipe": _child_holds_pipe,
    "fake-crowd": _crowd,
    "fake-huge-error": _huge_error,
    "fake-huge-words": _huge_words,
    "fake-flaky": _flaky,
    "fake-clock-jumps": _clock_jumps,
}
