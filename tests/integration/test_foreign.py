"""Another machine's Python for real: Debian's, unpacked, with a wheel for that machine, run by QEMU. A small package
stands in for TensorFlow, whose import alone takes a minute so.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from dataclasses import replace

import msgspec
import pytest
import tiny
from mini import cannot, chunks

from matrix.base import paths
from matrix.base.ids import Target
from matrix.catalog import locks
from matrix.provision import emulators, foreign_environments
from matrix.provision.engines import venv
from matrix.provision.engines.protocol import Limits, Program

TARGET = Target(release="2.21.0", python="3.13", backend="cpu", architecture="aarch64")
TELL = f"""
import {tiny.PACKAGE}, json, pathlib, platform, sys
package = {tiny.PACKAGE}.__file__
midr = pathlib.Path("/{foreign_environments.MIDR}").read_text().strip()
print(json.dumps([platform.machine(), sys.version_info[:2], midr, package]))
"""


@pytest.fixture
def _own_folders(monkeypatch, tmp_path):
    for name in ("mmdebstrap", "qemu-aarch64"):
        if shutil.which(name) is None:
            cannot(f"{name} is not on this machine")
    monkeypatch.setattr(paths, "ENVIRONMENTS", tmp_path / "environments")
    monkeypatch.setattr(paths, "LOCKS", tmp_path / "locks")


@pytest.mark.usefixtures("_own_folders")
@pytest.mark.skipif(platform.machine() == "aarch64", reason="nothing is foreign about it here")
def test_its_python_runs_on_the_processor_that_is_emulated(tmp_path):
    locks.path(TARGET).parent.mkdir(parents=True)
    locks.path(TARGET).write_text(tiny._lock())
    suite = tmp_path / "tell"
    suite.mkdir()
    (suite / "__main__.py").write_text(TELL)
    environment = venv.provision(TARGET, print)
    emulator = msgspec.structs.replace(emulators.load()["neoverse-n1"], midr="0x00000000413fd0c1")
    launched = replace(environment, launcher=emulator.launcher(TARGET))
    process = venv.start(launched, Program(suite=suite), (), {}, Limits())
    said = b"".join(data for stream, data in chunks(process) if stream == "out")
    assert process.wait().status == 0
    machine, python, midr, package = json.loads(said)
    assert (machine, python, midr) == ("aarch64", [3, 13], "0x00000000413fd0c1")
    assert package.startswith(environment.where) and str(sys.prefix) not in package
