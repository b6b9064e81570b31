"""The engine `docker` on an Engine that DOCKER_HOST or a context names: over TCP, TLS and ssh, each a real one."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from mini import cannot, mini_suite
from tiny import PATIENCE

HERE = Path(__file__).parent
SOCKET = "/var/run/docker.sock"


@pytest.fixture
def own() -> None:
    """The doors of these tests lead to this machine's own Engine."""
    if not Path(SOCKET).is_socket():
        cannot(f"no Docker Engine at {SOCKET}")


def run(image, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A suite that looks around and ends, and one that hangs and is killed, on the Engine of these variables."""
    names = ("DOCKER_HOST", "DOCKER_CONTEXT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    environment = {name: value for name, value in os.environ.items() if name not in names} | variables
    suites = (HERE / "confined", mini_suite(folder, main=HERE / "hang.py"))
    command = [sys.executable, HERE / "elsewhere.py", image.where, *suites]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)


def works(image, folder: Path, at: str, **variables: str) -> None:
    done = run(image, folder, **variables)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"at": at, "local": False, "interfaces": ["lo"], "ended": [0, -9]}


@contextmanager
def forwarding(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A TCP port that leads to the Engine's socket, behind TLS with a context."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, context), daemon=True).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket, context: ssl.SSLContext | None) -> None:
    with suppress(OSError):  # the test has closed it
        while True:
            client, _ = server.accept()
            threading.Thread(target=_serve, args=(client, context), daemon=True).start()


def _serve(client: socket.socket, context: ssl.SSLContext | None) -> None:
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect(SOCKET)
        if context:
            client = context.wrap_socket(client, server_side=True)
        back = threading.Thread(target=_pump, args=(engine, client), daemon=True)
        back.start()
        _pump(client, engine)
        back.join()
        client.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):  # either end may go first
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_an_engine_over_tcp(own, image, tmp_path):
    with forwarding() as port:
        works(image, tmp_path, f"http://127.0.0.1:{port}", DOCKER_HOST=f"tcp://127.0.0.1:{port}")


def certificates(folder: Path) -> Path:
    """One certificate that server and client both show and trust."""
    folder.mkdir()
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=engine", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    shutil.copy(folder / "cert.pem", folder / "ca.pem")
    return folder


def test_an_engine_over_tls(own, image, tmp_path):
    folder = certificates(tmp_path / "certificates")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with forwarding(context) as port:
        told = {"DOCKER_HOST": f"tcp://127.0.0.1:{port}", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(folder)}
        works(image, tmp_path, f"https://127.0.0.1:{port}", **told)


@pytest.mark.parametrize("named_by", ["the variable", "the configuration"])
def test_an_engine_of_a_context(named_by, own, image, tmp_path):
    with forwarding() as port:
        configured = {"DOCKER_CONFIG": str(tmp_path / "configuration")}
        (tmp_path / "configuration").mkdir()
        environment = os.environ | configured
        for command in (["create", "lab", f"--docker=host=tcp://127.0.0.1:{port}"], ["use", "lab"]):
            subprocess.run(["docker", "context", *command], env=environment, check=True, capture_output=True)
        if named_by == "the variable":
            subprocess.run(["docker", "context", "use", "default"], env=environment, check=True, capture_output=True)
            configured["DOCKER_CONTEXT"] = "lab"
        works(image, tmp_path, f"http://127.0.0.1:{port}", **configured)


@pytest.fixture
def host(tmp_path) -> Iterator[tuple[str, Path]]:
    """A server of our own: its user and port, and a folder whose `ssh` knows it and has a key for it."""
    daemon = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if daemon is None:
        cannot("no sshd is here; Debian has it in openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # it wants it there as root
    for name in ("client", "server"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path / 'server'}\nPidFile none\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path / 'client.pub'}\nUsePAM no\nPasswordAuthentication no\n"
    )
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([daemon, "-D", "-e", "-f", tmp_path / "config"], stderr=log)
    _until_it_answers(port)
    yield f"{getpass.getuser()}@127.0.0.1:{port}", _client(tmp_path, port)
    server.terminate()
    server.wait()


def _until_it_answers(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise AssertionError("sshd does not answer")


def _client(folder: Path, port: int) -> Path:
    key = (folder / "server.pub").read_text()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {key}")
    options = f"-F none -i {folder / 'client'} -o UserKnownHostsFile={folder / 'known'} -o BatchMode=yes"
    script = folder / "bin" / "ssh"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {options} "$@"\n')
    script.chmod(0o755)
    return script.parent


def test_an_engine_over_ssh(own, host, image, tmp_path):
    at, client = host
    path = f"{client}:{os.environ['PATH']}"
    works(image, tmp_path, "http+docker://ssh", DOCKER_HOST=f"ssh://{at}", PATH=path)


def test_an_ssh_server_that_lets_nobody_in_is_said(own, host, image, tmp_path):
    at, client = host
    (tmp_path / "client.pub").write_text("")
    done = run(image, tmp_path, DOCKER_HOST=f"ssh://{at}", PATH=f"{client}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert f"no Docker Engine answers at ssh://{at}" in done.stderr
