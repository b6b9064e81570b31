"""The suite on the oldest Python that it must run on; ruff has no target for it."""

from __future__ import annotations

import subprocess

import pytest
from mini import cannot

from matrix.base import paths
from matrix.provision import interpreters
from matrix.provision.engines import venv

OLDEST = "3.6"
IMPORT_ALL = """
import importlib, pkgutil, suite
names = [found.name for found in pkgutil.walk_packages(suite.__path__, "suite.") if not found.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


@pytest.fixture(scope="module")
def python(data):
    if not interpreters.find(OLDEST):
        cannot(f"CPython {OLDEST} is not on this machine: {interpreters.cure(OLDEST)}")
    release = next(entry for entry in data.releases if entry.wheels["cpu"].python == OLDEST and entry.landmark)
    return f"{venv.provision(release.target('cpu'), print).where}/bin/python"


def test_every_module_of_the_suite_is_imported(python):
    ended = subprocess.run(
        [python, "-W", "ignore", "-c", IMPORT_ALL], cwd=paths.SUITE.parent, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    modules = {file.stem for file in paths.SUITE.glob("*.py")} - {"__init__", "__main__"}
    assert int(ended.stdout.split()[-1]) >= len(modules)
