"""Fake observations: crashes, hangs and lies, on demand."""

import inspect
import os
import signal
import subprocess
import sys
import time

POISON = []


def observe(approach, mode, check, case):
    FAKES.get(approach, _pass)()
    return {"approach": approach, "mode": mode, "check": check, "case": case, "outcome": "pass", "evidence": "executed"}


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
    return next(frame.frame.f_locals["frames"] for frame in inspect.stack(0) if "frames" in frame.frame.f_locals)


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
}
