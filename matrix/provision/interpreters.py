"""Runs uv, and by it finds or fetches the CPython of a target."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from uv import find_uv_bin

from matrix.base.errors import MachineError
from matrix.provision.confinement import dying_with_us

UV_DOWNLOADS_FROM = (3, 8)
_at_work: set[subprocess.Popen[str]] = set()


def uv(*arguments: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run uv. It also looks for interpreters among pyenv's, whose shims do not answer for every version.

    uv has a process group of its own: a terminal's interrupt is for the orchestrator, and an installation that the
    interrupt cut short would look like a failed one.
    """
    environment = os.environ | {"PATH": search_path()} | (variables or {})
    environment.pop("VIRTUAL_ENV", None)
    command = [*dying_with_us(), find_uv_bin(), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, text=True, process_group=0, stdout=pipe, stderr=pipe) as process:
        _at_work.add(process)
        try:
            out, err = process.communicate()
        finally:
            _at_work.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def stop() -> None:
    """End every uv that runs now, in whatever thread."""
    for process in tuple(_at_work):
        process.kill()


@cache
def find(version: str) -> Path | None:
    """Find an installed CPython of this minor version."""
    found = uv("python", "find", "--no-project", "--system", "--no-python-downloads", version)
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def get(version: str) -> Path:
    """Find an installed CPython of this minor version, else let uv fetch it. Raise MachineError with the cure."""
    if found := find(version):
        return found
    if can_fetch(version) and uv("python", "install", version).returncode == 0:
        find.cache_clear()
        if found := find(version):
            return found
    raise MachineError(f"CPython {version} is not on this machine and could not be fetched", cure(version))


def can_fetch(version: str) -> bool:
    return tuple(map(int, version.split("."))) >= UV_DOWNLOADS_FROM


def cure(version: str) -> str:
    return f"put a python{version} on the PATH, for example with: pyenv install {version}"


def search_path() -> str:
    """Return the PATH with pyenv's interpreters before it."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    bins = sorted((root / "versions").glob("3.*/bin"))
    return os.pathsep.join([*map(str, bins), os.environ.get("PATH", os.defpath)])
