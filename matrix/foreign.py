"""Environments for another machine's processor, which QEMU runs: Debian's CPython, unpacked and never installed, for
nothing of it runs here by itself, and the wheels that uv takes for that machine.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock
from packaging.version import Version

from matrix import locks, mmdebstrap, paths
from matrix.catalog import Release
from matrix.errors import NotBuilt
from matrix.files import write_whole
from matrix.ids import Backend, Machine, Target

ARCHITECTURES: dict[Machine, str] = {"x86_64": "amd64", "aarch64": "arm64"}
# The layout of a system, and the C++ library that TensorFlow's wheels expect of it.
PACKAGES = ("base-files", "python3", "libstdc++6")
# What Linux says of an Arm processor, and QEMU does not.
MIDR = Path("sys/devices/system/cpu/cpu0/regs/identification/midr_el1")


def is_foreign(target: Target) -> bool:
    return target.machine != locks.USUAL


def target(release: Release, backend: Backend, machine: Machine) -> Target:
    """A release's target for a machine: on another than the usual, of the newest CPython that Debian has for it."""
    usual = release.target(backend)
    if machine == usual.machine:
        return usual
    pythons = [python for python in mmdebstrap.PYTHONS.values() if Version(python) <= Version(usual.python)]
    return dataclasses.replace(usual, python=max(pythons, key=Version, default=usual.python), machine=machine)


def program(machine: Machine) -> str:
    return f"qemu-{machine}"


def variables(target: Target) -> dict[str, str]:
    """Where a program of that machine finds the libraries of its system."""
    return {"QEMU_LD_PREFIX": str(_root(target))} if is_foreign(target) else {}


def empty(target: Target, folder: Path) -> subprocess.CompletedProcess[str]:
    """Make an environment without packages. Raise NotBuilt where there is no Python or no QEMU for it."""
    with FileLock(f"{_root(target)}.lock"):
        if not _root(target).exists():
            _unpack(target)
    python = _root(target) / "usr" / "bin" / f"python{target.python}"
    command = [program(target.machine), str(python), "-m", "venv", "--without-pip", str(folder)]
    try:
        return subprocess.run(command, env=os.environ | variables(target), capture_output=True, text=True, check=False)
    except FileNotFoundError as fault:
        raise NotBuilt(
            f"{command[0]} is not installed", "on Debian: apt-get install qemu-user", machine=True
        ) from fault


def into(target: Target, folder: Path) -> tuple[str, ...]:
    """uv's options that install into it, though uv cannot run its Python."""
    site = folder / "lib" / f"python{target.python}" / "site-packages"
    platform = locks.platform(target.machine)
    return ("--target", str(site), "--python-platform", platform, "--python-version", target.python)


def with_midr(target: Target, midr: str) -> Path:
    """Its Debian on a processor whose main id register has this value."""
    folder = _root(target).with_name(f"{_root(target).name}-{midr}")
    for entry in _root(target).iterdir():
        link = folder / entry.name
        if entry.name != MIDR.parts[0] and not link.is_symlink():
            folder.mkdir(exist_ok=True)
            link.symlink_to(entry)
    (folder / MIDR).parent.mkdir(parents=True, exist_ok=True)
    write_whole(folder / MIDR, f"{midr}\n".encode())
    return folder


def _root(target: Target) -> Path:
    return paths.ENVIRONMENTS / f"debian-{target.machine}-py{target.python.replace('.', '')}"


def _unpack(target: Target) -> None:
    """Whole or not at all."""
    part = _root(target).with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    architecture = f"--architectures={ARCHITECTURES[target.machine]}"
    mmdebstrap.bootstrap(mmdebstrap.command("extract", PACKAGES, _debian(target), str(part), architecture))
    part.rename(_root(target))


def _debian(target: Target) -> str:
    for debian, python in mmdebstrap.PYTHONS.items():
        if python == target.python:
            return debian
    raise NotBuilt(f"no Debian has CPython {target.python} for {target.machine}", machine=True)
