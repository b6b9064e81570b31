"""Engine `venv`: a virtual environment for each target, installed by uv from the target's lock. Needs no Docker.

A run is confined by matrix/provision/sandbox.py, by an environment of few variables and, where the kernel grants it to
an ordinary user, by a network namespace of its own. What of this a machine lacks, each record says under `loosened`.
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
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from matrix.base import paths
from matrix.base.errors import MachineError, NotBuilt
from matrix.base.ids import Target
from matrix.catalog import locks
from matrix.provision import confinement, foreign_environments, interpreters
from matrix.provision.engines.protocol import Chunk, Ended, Environment, Limits, Program, Say
from matrix.record import host

# The mark of a whole environment. It holds the folder that the environment was built in.
READY = "matrix-ready"
DYING = 5  # seconds to wait for killed processes: far more than any was seen to take


def trouble() -> str | None:
    return None


def recipe(target: Target) -> str:
    return hashlib.sha256(f"venv {target.id} {locks.sha256(target)}".encode()).hexdigest()


def is_built(target: Target) -> bool:
    """Say whether the environment is whole, and where it was built: its scripts name that folder and run nowhere else.
    TensorFlow 1.9 to 1.11 convert a model by such a script.
    """
    folder = _folder(target)
    mark = folder / READY
    return mark.is_file() and mark.read_text() == str(folder)


def provision(target: Target, say: Say) -> Environment:
    folder = _folder(target)
    if not is_built(target):
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            # Orchestrators with different reports may share the environments: one builds, the other waits for it.
            with _alone(f"{folder}.lock", target, say):
                if not is_built(target):
                    _build(target, folder, say)
        except OSError as fault:
            raise NotBuilt(f"cannot build in {folder}: {fault.strerror}", "see: nox -s doctor", machine=True) from fault
    return Environment(
        target=target,
        where=str(folder),
        recipe_sha256=recipe(target),
        lock_sha256=locks.sha256(target),
        loosened=confinement.lacking(on_device=_on_device(target)),
    )


def start(
    environment: Environment,
    program: Program,
    arguments: Sequence[str],
    variables: Mapping[str, str],
    limits: Limits,
) -> _Process:
    target, folder = environment.target, Path(environment.where)
    home = tempfile.mkdtemp(prefix="matrix-run-")
    own = {"PATH": os.defpath, "HOME": home, "TMPDIR": home, "PYTHONPATH": str(program.suite.parent)}
    own |= foreign_environments.variables(target)
    if target.backend == "cuda":
        # Without this the loader misses libraries of the wheels: 2.21.0 looks for one of them in no wheel's folder.
        libraries = sorted(folder.glob("lib/python3*/site-packages/nvidia/*/lib"))
        own["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, libraries))
        # The next run finds what is compiled for a GPU newer than the build.
        own["CUDA_CACHE_PATH"] = str(paths.WORK / "cuda")
    python = folder / "bin" / "python"
    if _on_device(target):
        confined = (*confinement.dying_with_us(), *confinement.with_limits(open_files=limits.files))
    else:
        interpreter = python.resolve().parents[1]
        confined = confinement.sandboxed(
            read=(paths.ENVIRONMENTS, folder, interpreter, program.suite.parent), write=(Path(home),),
            memory=limits.memory, files=limits.files,
        )  # fmt: skip
    command = [*confinement.without_network(), *confined, *environment.launcher, str(python)]
    return _Process([*command, "-m", program.module, *arguments], own | dict(variables), home)


def done(environment: Environment) -> None:
    """Do nothing: environments share their files by uv's cache, and stay."""


def clean(*, dry_run: bool = False) -> int:
    size = sum(file.lstat().st_blocks * 512 for file in paths.ENVIRONMENTS.rglob("*"))
    if not dry_run:
        shutil.rmtree(paths.ENVIRONMENTS, ignore_errors=True)
    return size


def _on_device(target: Target) -> bool:
    """Say whether a run reaches a GPU of this machine: to that nobody has listed the way."""
    return host.facts(target.backend).gpu is not None


def _folder(target: Target) -> Path:
    return (paths.ENVIRONMENTS / f"{target.id}-{recipe(target)[:12]}").resolve()


@contextlib.contextmanager
def _alone(lock: str, target: Target, say: Say) -> Iterator[None]:
    """Hold the lock, and say so where another process holds it first."""
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        say(f"waiting for another process that installs {target.id}")
        held.acquire()
    try:
        yield
    finally:
        held.release()


def _build(target: Target, folder: Path, say: Say) -> None:
    """Make the folder; it is whole once it holds the mark that is put there last."""
    say(f"installing {target.id}")
    shutil.rmtree(folder, ignore_errors=True)
    if foreign_environments.is_foreign(target):
        made, into = foreign_environments.empty(target, folder)
    else:
        try:
            python = interpreters.get(target.python)
        except MachineError as fault:
            raise NotBuilt.because(fault) from fault
        made = interpreters.uv("venv", "--quiet", "--no-project", "--python", str(python), str(folder))
        into = ("--python", f"{folder}/bin/python")
    if made.returncode == 0:
        made = interpreters.uv(*locks.install_command(target, *into))
    if made.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise NotBuilt(locks.why_not(made.stderr), machine=locks.is_machines_fault(made.stderr))
    (folder / READY).write_text(str(folder))


class _Process:
    """A process group of this machine."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], home: str) -> None:
        self._home = home
        self._child = subprocess.Popen(
            command,
            env=variables,
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
        # A process that has made a session of its own still has the run's home. Wait for its end, too: the next run
        # must not share the machine with processes that are still dying, or were forked meanwhile.
        end = time.monotonic() + DYING
        while time.monotonic() < end:
            everything = psutil.process_iter(["environ"])
            escaped = [process for process in everything if (process.info["environ"] or {}).get("HOME") == self._home]
            if not escaped:
                break
            for process in escaped:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(escaped, timeout=0.05)  # a zombie that nobody reaps never goes

    def wait(self) -> Ended:
        self._child.wait()
        self.kill()
        self._selector.close()
        for pipe in (self._child.stdout, self._child.stderr):
            pipe.close()  # type: ignore[union-attr]  # both are pipes
        shutil.rmtree(self._home, ignore_errors=True)
        return Ended(status=self._child.returncode)
