from __future__ import annotations

import threading

from filelock import FileLock

from matrix.base import paths
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


def test_an_environment_that_was_moved_is_built_anew(tmp_path, monkeypatch):
    """Its scripts begin with the path of its Python: in another place they are not found."""
    target = parse_target("tf2.8.4-py310-cpu")
    monkeypatch.setattr(paths, "ENVIRONMENTS", tmp_path / "here")
    folder = venv._folder(target)
    folder.mkdir(parents=True)
    assert not venv.is_built(target)
    (folder / venv.READY).write_text(str(folder))
    (tmp_path / "link").symlink_to(tmp_path / "here")
    monkeypatch.setattr(paths, "ENVIRONMENTS", tmp_path / "link")
    assert venv.is_built(target), "a link leads to the same place"
    (tmp_path / "here").rename(tmp_path / "there")
    monkeypatch.setattr(paths, "ENVIRONMENTS", tmp_path / "there")
    assert not venv.is_built(target)
