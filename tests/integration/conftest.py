"""Real environments for the integration tests: a TensorFlow target built by the engine under test."""

from __future__ import annotations

import pytest
from mini import cannot

from matrix import catalog, interpreters
from matrix.catalog import Catalog, Release
from matrix.engines import venv
from matrix.engines.protocol import Environment
from matrix.ids import Run
from matrix.runner import Planned

SMALL = "2.8.4"


@pytest.fixture(scope="session")
def data() -> Catalog:
    return catalog.load()


@pytest.fixture(scope="session")
def release(data: Catalog) -> Release:
    """A small release, or the newest whose interpreter is here."""
    here = [entry for entry in data.releases if "cpu" in entry.wheels and interpreters.find(entry.wheels["cpu"].python)]
    if not here:
        cannot("no CPython of any release is on this machine; see: nox -s doctor")
    return next((entry for entry in here if entry.version == SMALL), here[-1])


@pytest.fixture(scope="session")
def environment(release: Release) -> Environment:
    return venv.provision(release.target("cpu"), print)


@pytest.fixture
def planned(data: Catalog, release: Release) -> Planned:
    run = Run(target=release.target("cpu"), profile="default")
    return Planned(run=run, release=release, profile=data.profile("default"), engine="venv")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write the golden records anew, to be read in the diff")
