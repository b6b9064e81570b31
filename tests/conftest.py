"""Which tests go to the same worker, where several work side by side (`pytest -n`)."""

from __future__ import annotations

from pathlib import PurePath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# They share a Docker Engine: one of them removes images that another is using.
ENGINE = ("test_docker.py", "test_engine_faults.py", "test_engines_elsewhere.py")


class ByFileAndEngine(LoadFileScheduling):
    """Tests of a file share what its fixtures make, and files share an Engine."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "engine" if PurePath(file).name in ENGINE else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFileAndEngine:
    """Take this scheduler in the place of the one that `--dist` names."""
    return ByFileAndEngine(config, log)
