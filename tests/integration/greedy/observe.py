"""Fake observations that take processes, memory and room without end."""

import os
import time
from pathlib import Path


def start(lane):
    pass


def onednn_isa(cell):
    return ""


def observe(approach, mode, check, case):
    FAKES.get(approach, lambda: None)()
    return {"approach": approach, "mode": mode, "check": check, "case": case, "outcome": "pass", "evidence": "executed"}


def _fork_bomb():
    while True:
        try:
            os.fork()
        except BlockingIOError:
            time.sleep(0.01)


def _memory_hog():
    kept = []
    while True:
        kept.append(b"x" * 32 * 2**20)


def _full_tmp():
    full = Path("/tmp/full")
    try:
        with full.open("wb") as file:
            while True:
                file.write(b"x" * 2**20)
    finally:
        full.unlink()


FAKES = {"fake-fork-bomb": _fork_bomb, "fake-unwatched-memory-hog": _memory_hog, "fake-full-tmp": _full_tmp}
