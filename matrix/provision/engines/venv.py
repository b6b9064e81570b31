"""Engine `venv`: a virtual environment a target, installed by uv from the target's lock. Needs no Docker.

It isolates by process limits, a clean environment and, where the kernel lets an ordinary user do so, a network
namespace of its own; the file system is the user's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import psutil
from filelock import FileLock

from matrix.base import paths
from matrix.base.errors import MachineError, NotBuilt
from matrix.base.ids import Target
from matrix.catalog import locks
from matrix.provision import interpreters, qemu
from matrix.provision.children import dying_with_us
from matrix.provision.engines.protocol import Chunk, Ended, Environment, Limits, Program, Say

READY = "matrix-ready"
DYING = 5  # seconds that killed processes are waited for: far more than any was seen to take


def trouble() -> str | None:
    return None


def recipe(target: Target) -> str:
    return hashlib.sha256(f"venv {target.id} {locks.sha256(target)}".encode()).hexdigest()


def is_built(target: Target) -> bool:
    return (_folder(target) / READY).exists()


def provision(target: Target, say: Say) -> Environment:
    folder = _folder(target)
    if not is_built(target):
        _build_alone(target, folder, say)
    return Environment(
        target=target,
        where=str(folder),
        recipe_sha256=recipe(target),
        lock_sha256=locks.sha256(target),
    )


def start(
    environment: Environment,
    program: Program,
    arguments: Sequence[str],
    variables: Mapping[str, str],
    limits: Limits,
) -> _Process:
    home = tempfile.mkdtemp(prefix="matrix-run-")
    python = [*environment.launcher, str(Path(environment.where) / "bin" / "python")]
    return _Process(
        [*_without_network(), *dying_with_us(), *_limited(limits), *python, "-m", program.module, *arguments],
        {**_surroundings(home, program, environment), **variables},
        home,
    )


def _surroundings(home: str, program: Program, environment: Environment) -> dict[str, str]:
    target = environment.target
    cuda = _cuda(Path(environment.where)) if target.backend == "cuda" else {}
    own = {"PATH": os.defpath, "HOME": home, "TMPDIR": home, "PYTHONPATH": str(program.suite.parent)}
    return own | cuda | qemu.variables(target)


def _cuda(environment: Path) -> dict[str, str]:
    """Where the loader finds the libraries of the wheels: 2.21.0 looks for one of them in no folder of theirs. What is
    compiled for a GPU newer than the build is kept for the next run.
    """
    libraries = sorted(environment.glob("lib/python3*/site-packages/nvidia/*/lib"))
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)), "CUDA_CACHE_PATH": str(paths.WORK / "cuda")}


def done(environment: Environment) -> None:
    """Environments share their files by uv's cache, and stay."""


def clean() -> int:
    size = sum(file.lstat().st_blocks * 512 for file in paths.ENVIRONMENTS.rglob("*"))
    shutil.rmtree(paths.ENVIRONMENTS, ignore_errors=True)
    return size


def _folder(target: Target) -> Path:
    return paths.ENVIRONMENTS / f"{target.id}-{recipe(target)[:12]}"


def _build_alone(target: Target, folder: Path, say: Say) -> None:
    """Orchestrators with reports of their own may share the environments: one builds, the other waits and finds it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not is_built(target):
                _build(target, folder, say)
    except OSError as fault:
        raise NotBuilt(f"cannot build in {folder}: {fault.strerror}", "see: nox -s doctor", machine=True) from fault


def _build(target: Target, folder: Path, say: Say) -> None:
    """A folder is whole once it holds the mark that is put there last."""
    say(f"installing {target.id}")
    empty = qemu.empty if qemu.is_foreign(target) else _empty
    shutil.rmtree(folder, ignore_errors=True)
    made, into = empty(target, folder)
    if made.returncode == 0:
        made = interpreters.uv(*locks.install_command(target, *into))
    if made.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise NotBuilt(locks.why_not(made.stderr), machine=locks.is_machines_fault(made.stderr))
    (folder / READY).touch()


def _empty(target: Target, folder: Path) -> tuple[subprocess.CompletedProcess[str], tuple[str, ...]]:
    try:
        python = interpreters.get(target.python)
    except MachineError as fault:
        raise NotBuilt(str(fault), fault.cure, machine=True) from fault
    made = interpreters.uv("venv", "--quiet", "--no-project", "--python", str(python), str(folder))
    return made, ("--python", f"{folder}/bin/python")


@cache
def _without_network() -> tuple[str, ...]:
    """A network namespace of its own, where the kernel grants one to an ordinary user."""
    prefix = ("unshare", "--map-root-user", "--net", "--")
    try:
        granted = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        granted = False
    return prefix if granted else ()


def _limited(limits: Limits) -> tuple[str, ...]:
    return ("prlimit", "--core=0", f"--nofile={limits.files}", "--") if shutil.which("prlimit") else ()


class _Process:
    """A process group of the host."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], home: str) -> None:
        self._home = home
        self._child = subprocess.Popen(
            command,
            env=dict(variables),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._selector = selectors.DefaultSelector()
        assert self._child.stdout and self._child.stderr
        self._selector.register(self._child.stdout, selectors.EVENT_READ, "out")
        self._selector.register(self._child.stderr, selectors.EVENT_READ, "err")

    def read(self, seconds: float) -> Chunk | None:
        for key, _ in self._selector.select(seconds):
            if data := os.read(key.fd, 65536):
                return ("out" if key.data == "out" else "err", data)
            self._selector.unregister(key.fileobj)
        if not self._selector.get_map():
            raise EOFError
        return None

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._kill_escaped()

    def _kill_escaped(self) -> None:
        """And wait: the next run must not share the machine with what is still dying, or was forked meanwhile."""
        end = time.monotonic() + DYING
        while (escaped := list(self._escaped())) and time.monotonic() < end:
            for process in escaped:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(escaped, timeout=0.05)  # a zombie that nobody reaps never goes

    def _escaped(self) -> Iterator[psutil.Process]:
        """What has made itself a session of its own still has the run's home."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("HOME") == self._home:
                    yield process

    def wait(self) -> Ended:
        self._child.wait()
        self.kill()
        self._selector.close()
        for pipe in (self._child.stdout, self._child.stderr):
            pipe.close()  # type: ignore[union-attr]  # both are pipes
        shutil.rmtree(self._home, ignore_errors=True)
        return Ended(status=self._child.returncode)
