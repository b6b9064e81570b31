"""A Docker Engine of the test's own, that may be killed and filled, beside the machine's, which is left alone: its
data, state, socket and network are below one folder, and it reaches no network. And a small target for it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import docker
import psutil
import requests
from mini import cannot
from tiny import PATIENCE, Tiny, environment
from uv import find_uv_bin

from matrix.base import paths
from matrix.provision import base_images

LEAVE_OUT = ("__pycache__", "ensurepip", "lib2to3", "tkinter", "turtle*", "pydoc_data")
# Run in the small project, which then finds its base and its target there.
IMPORT = """
import sys, tempfile
from pathlib import Path
from matrix.catalog import backends, releases
from matrix.provision import images
from matrix.provision.engines import docker
target = releases.load().releases[0].target("cpu")
base, _, tag = backends.load()["cpu"].reference(target.python).rpartition(":")
images.connect().api.import_image_from_file(sys.argv[1], repository=base, tag=tag)
with tempfile.TemporaryDirectory() as folder:
    program = Path(folder) / "opt" / "target" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.symlink_to(f"/usr/local/bin/python{target.python}")
    (Path(folder) / "Dockerfile").write_text(f"FROM {base}:{tag}\\nCOPY opt /opt\\n")
    labels = {images.TARGET: target.id, images.RECIPE: docker.recipe(target)}
    images.build(Path(folder), tag=f"{images.PROJECT}:{target.id}", labels=labels)
"""


@dataclass
class Engine:
    """An Engine stores images and containers in `data`, and all else in `folder`."""

    folder: Path
    data: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    def start(self) -> None:
        (self.folder / "pid").unlink(missing_ok=True)  # of one that was killed
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self._command(), stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                cannot(f"no Engine of our own starts here: {(self.folder / 'log').read_text()[-1000:]}")
            time.sleep(0.1)

    def _command(self) -> list[str]:
        """In a network of its own: an Engine without a bridge removes `docker0` where it finds one, the machine's."""
        name = self.folder.name
        return [
            "unshare", "--net", "--", "dockerd", f"--data-root={self.data}", f"--host={self.host}", "--bridge=none",
            "--iptables=false", f"--exec-root={self.folder / 'exec'}", f"--pidfile={self.folder / 'pid'}",
            f"--containerd-namespace={name}", f"--containerd-plugins-namespace={name}-plugins",
        ]  # fmt: skip

    def _answers(self) -> bool:
        with contextlib.suppress(docker.errors.DockerException, requests.RequestException, OSError), self.client():
            return True
        return False

    @contextlib.contextmanager
    def client(self) -> Iterator[docker.DockerClient]:
        """Raise where the Engine does not answer."""
        with contextlib.closing(docker.DockerClient(self.host, timeout=PATIENCE)) as client:
            client.ping()
            yield client

    def running(self) -> list[str]:
        with self.client() as client:
            return [container.id for container in client.containers.list()]

    def observing(self) -> bool:
        """Whether a container runs a worker beside init and the suite's first process."""
        with self.client() as client, contextlib.suppress(docker.errors.APIError):  # it may have ended meanwhile
            return any(len(container.top()["Processes"]) > 2 for container in client.containers.list())
        return False

    def let_go(self) -> None:
        """Let the cells that `tiny.held` holds up in containers go on."""
        with self.client() as client:
            for container in client.containers.list():
                with contextlib.suppress(docker.errors.APIError):  # it may have ended meanwhile
                    container.exec_run(["sh", "-c", ": > /tmp/go"])

    def kill(self) -> None:
        """Kill it and the containerd that it started; its containers live on, as after any crash."""
        assert self.process
        containerd = psutil.Process(self.process.pid).children()
        for one in (self.process, *containerd):
            one.kill()
        self.process.wait()
        psutil.wait_procs(containerd)

    def stop(self) -> None:
        """Ask it to end, with its containers; then end and unmount what a killed Engine left."""
        assert self.process
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
        for one in psutil.process_iter(["cmdline"]):
            if any(str(self.folder) in word for word in one.info["cmdline"] or ()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in reversed([mount for mount in mounts if mount.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", "--lazy", mount], check=False)


@contextlib.contextmanager
def started(size: str | None = None) -> Iterator[Engine]:
    """An Engine; its disk is a tmpfs where a `size` is named."""
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        cannot("an Engine of one's own takes root and dockerd")
    # Short, for a socket's path has 108 bytes; hexadecimal, for a namespace of containerd's may not end in "_".
    folder = Path(tempfile.gettempdir()) / f"own-engine-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    engine = Engine(folder=folder, data=folder / "data")
    try:
        engine.data.mkdir()
        if size:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", engine.data], check=True)
        engine.start()
        yield engine
    finally:
        if engine.process:
            engine.stop()
        shutil.rmtree(folder)


def archive(folder: Path) -> Path:
    """A root file system as base: this Python and its library, a shell, and TensorFlow's fake."""
    root, version = folder / "root", f"{sys.version_info.major}.{sys.version_info.minor}"
    for made in ("bin", "etc", "tmp", "usr/local"):
        (root / made).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)  # the Engine gives a container's tmpfs the mode of the folder below it
    base_images.copy_interpreter(Path(sys._base_executable), version, root / "usr" / "local")
    library = root / "usr" / "local" / Path(sysconfig.get_path("stdlib")).relative_to(sys.base_prefix)
    for name in (found for pattern in LEAVE_OUT for found in list(library.rglob(pattern))):
        shutil.rmtree(name) if name.is_dir() else name.unlink()
    shutil.copy(Path(__file__).parent / "tiny_suite" / "tensorflow.py", library / "tensorflow.py")
    shell, python = root / "bin" / "sh", root / "usr" / "local" / "bin" / f"python{version}"
    shutil.copy2(Path("/bin/sh").resolve(), shell)
    needed = [shell, python, find_uv_bin(), *library.rglob("*.so")]
    for shared in {path for file in needed for path in linked(file)}:
        target = root / shared.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(shared, target)
    tar = folder / "target.tar"
    with tarfile.open(tar, "w") as packed:
        packed.add(root, ".")
    return tar


def linked(file: str | Path) -> set[Path]:
    """The shared libraries that a program or library is linked with, as the loader finds them here."""
    told = subprocess.run(["ldd", file], capture_output=True, text=True, check=False).stdout
    return {Path(path) for path in re.findall(r"(/\S+\.so\S*) \(0x", told)}


def prepare(project: Tiny, tar: Path, engine: Engine) -> None:
    """Let the project find its target in the Engine, built by its own recipe."""
    shutil.copytree(paths.DOCKERFILES, project.root / "dockerfiles", dirs_exist_ok=True)
    subprocess.run(
        [sys.executable, "-c", IMPORT, tar], cwd=project.root, check=True,
        env=environment(MATRIX_WORK=str(project.work), DOCKER_HOST=engine.host),
    )  # fmt: skip
