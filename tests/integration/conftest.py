"""Real environments for the integration tests: a TensorFlow target built by the engine under test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from mini import cannot

from matrix.base.ids import Run
from matrix.catalog import releases
from matrix.catalog.releases import Catalog, Release
from matrix.plan.planned_run import PlannedRun
from matrix.provision import images, interpreters
from matrix.provision.engines import docker, venv
from matrix.provision.engines.protocol import Environment

SMALL = "2.8.4"


@pytest.fixture(scope="session")
def data() -> Catalog:
    return releases.load()


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


@pytest.fixture(scope="session")
def image(release) -> Iterator[Environment]:
    """A target's image; in CI made from nothing, base and all."""
    if trouble := docker.trouble():
        cannot(f"no Docker Engine can be used: {trouble}")
    if os.environ.get("CI") == "true":
        docker.clean()
    yield docker.provision(release.target("cpu"), print)
    images.connect().close()


@pytest.fixture
def planned(data: Catalog, release: Release) -> PlannedRun:
    run = Run(target=release.target("cpu"), profile="default")
    return PlannedRun(run=run, release=release, profile=data.profile("default"), engine="venv")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write the golden records anew, to be read in the diff")
