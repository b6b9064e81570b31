"""A hostile module in the engine `venv`, on a kernel that grants namespaces and on one that does not."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import outcomes
import pytest
from mini import cannot

from matrix.base.ids import parse_target
from matrix.provision import confinement, sandbox
from matrix.provision.engines import venv
from matrix.provision.engines.protocol import Environment, Limits, Program

HOSTILE = Path(__file__).parent / "hostile"
MEMORY = 256 * 2**20
TARGET = parse_target(f"tf2.8.4-py3{sys.version_info.minor}-cpu")


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Environment:
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return Environment(target=TARGET, where=str(folder), recipe_sha256="0" * 64, lock_sha256="0" * 64)


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What the hostile suite is told of this machine: where it would find what it looks for."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "secret").write_text("a token")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "stays").touch()
    with socket.socket(socket.AF_UNIX) as engine, socket.create_server(("127.0.0.1", 0)) as server:
        engine.bind(str(tmp_path / "docker.sock"))
        engine.listen()
        yield {
            "orchestrator": os.getpid(), "home": str(Path.home()), "secret": str(tmp_path / "secret"),
            "reports": str(tmp_path / "reports"), "socket": str(tmp_path / "docker.sock"),
            "port": server.getsockname()[1], "memory": MEMORY,
        }  # fmt: skip


def run(environment, told) -> dict[str, str]:
    process = venv.start(environment, Program(suite=HOSTILE), [json.dumps(told)], {}, Limits(memory=MEMORY))
    said = {"out": b"", "err": b""}
    with contextlib.suppress(EOFError):
        while True:
            for stream, data in filter(None, [process.read(1.0)]):
                said[stream] += data
    assert process.wait().status == 0, said["err"]
    return json.loads(said["out"])


@pytest.mark.parametrize("namespaces", [True, False], ids=["with namespaces", "without namespaces"])
def test_a_hostile_wheel_gets_nowhere_and_tensorflow_everywhere_it_must(
    namespaces, environment, told, monkeypatch, request
):
    if sandbox.landlock_version() < 6:
        cannot(f"the kernel has Landlock {sandbox.landlock_version()}, and version 6 closes all that is tried here")
    if namespaces and not confinement.without_network():
        cannot("no namespaces are granted to an ordinary user here")
    if not namespaces:
        monkeypatch.setattr(confinement, "without_network", tuple)
    came_to = run(environment, told)
    works = {what: how for what, how in came_to.items() if what.startswith("work: ")}
    assert set(works.values()) == {"done"}, works
    tried = {what: how for what, how in came_to.items() if what not in works}
    refused = {"PermissionError", "MemoryError", "OSError", "ValueError"}  # the last three of limits
    assert set(tried.values()) <= refused, tried
    assert [file.name for file in Path(told["reports"]).iterdir()] == ["stays"]
    outcomes.check(
        f"a hostile wheel {'with' if namespaces else 'without'} namespaces", "venv",
        f"none of {len(tried)} ways out leads anywhere: no file of the user, no socket, no other process",
        write=request.config.getoption("--golden"),
    )  # fmt: skip


def test_the_tries_succeed_where_nothing_confines(environment, told, monkeypatch):
    """Or the test above would show nothing. What needs root or a capability is not asked here."""
    monkeypatch.setattr(confinement, "without_network", tuple)
    monkeypatch.setattr(confinement, "sandboxed", lambda **_: ())
    came_to = run(environment, told)
    expected = {
        "read a secret", "write into reports", "write into the environment", "reach docker.sock", "reach the network",
        "take all memory", "read the orchestrator's environment", "signal the orchestrator",
    }  # fmt: skip
    assert expected <= {what for what, how in came_to.items() if how == "done"}


def test_each_record_says_what_was_not_in_force(monkeypatch):
    monkeypatch.setattr(sandbox, "landlock_version", lambda: 0)
    monkeypatch.setattr(confinement, "without_network", tuple)
    lacking = confinement.lacking.__wrapped__
    assert [words.partition(":")[0] for words in lacking(on_device=False)] == [
        "no namespace for an ordinary user", "no Landlock in this kernel", "nothing limits the number of processes",
    ]  # fmt: skip
    assert lacking(on_device=True)[1].startswith("no sandbox: the driver of a GPU")
