from __future__ import annotations

import threading

from filelock import FileLock

from matrix.base.ids import parse_target
from matrix.provision.engines import venv


def test_whoever_waits_for_another_orchestrator_says_so(tmp_path):
    told, lock = [], str(tmp_path / "environment.lock")
    is_waiting = threading.Event()

    def say(what):
        told.append(what)
        is_waiting.set()

    def builds():
        with venv._alone(lock, parse_target("tf2.8.4-py310-cpu"), say):
            told.append("built")

    with FileLock(lock):
        thread = threading.Thread(target=builds)
        thread.start()
        is_waiting.wait()
        assert told == ["waiting for another process that installs tf2.8.4-py310-cpu"]
    thread.join()
    assert told[1:] == ["built"]
