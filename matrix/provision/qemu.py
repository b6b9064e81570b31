"""Environments for another machine's processor, which QEMU runs: Debian's CPython, unpacked and never installed, for
nothing of it runs here by itself, and the wheels that uv takes for that machine.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from packaging.version import Version

from matrix.base import paths
from matrix.base.errors import NotBuilt
from matrix.base.ids import Backend, Machine, Target
from matrix.catalog import locks
from matrix.catalog.releases import Release
from matrix.provision import debian as mmdebstrap

ARCHITECTURES: dict[Machine, str] = {"x86_64": "amd64", "aarch64": "arm64"}
# The layout of a system, and the C++ library that TensorFlow's wheels expect of it.
PACKAGES = ("base-files", "python3", "libstdc++6")
# What Linux says of an Arm processor, and QEMU does not.
MIDR = Path("sys/devices/system/cpu/cpu0/regs/identification/midr_el1")
CURE = "on Debian: apt-get install qemu-user"


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


def empty(target: Target, folder: Path) -> tuple[subprocess.CompletedProcess[str], tuple[str, ...]]:
    """Make an environment without packages. With it, uv's options that install into it, as uv cannot run its Python.

    Raise NotBuilt where there is no Python or no QEMU for it.
    """
    _once(_root(target), lambda part: _unpack(target, part))
    python = _root(target) / "usr" / "bin" / f"python{target.python}"
    command = [program(target.machine), str(python), "-m", "venv", "--without-pip", str(folder)]
    try:
        made = subprocess.run(command, env=os.environ | variables(target), capture_output=True, text=True, check=False)
    except FileNotFoundError as fault:
        raise NotBuilt(f"{command[0]} is not installed", CURE, machine=True) from fault
    return made, _into(target, folder)


def _into(target: Target, folder: Path) -> tuple[str, ...]:
    site = folder / "lib" / f"python{target.python}" / "site-packages"
    platform = locks.platform(target.machine)
    return ("--target", str(site), "--python-platform", platform, "--python-version", target.python)


def with_midr(target: Target, midr: str) -> Path:
    """Its Debian on a processor whose main id register has this value."""
    root = _root(target)
    folder = root.with_name(f"{root.name}-{midr}")
    _once(folder, lambda part: _link(root, part, midr))
    return folder


def _link(root: Path, part: Path, midr: str) -> None:
    (part / MIDR).parent.mkdir(parents=True)
    (part / MIDR).write_text(f"{midr}\n", encoding="ascii")
    for entry in root.iterdir():
        if entry.name != MIDR.parts[0]:
            (part / entry.name).symlink_to(entry)


def _root(target: Target) -> Path:
    return paths.ENVIRONMENTS / f"debian-{target.machine}-py{target.python.replace('.', '')}"


def _once(folder: Path, make: Callable[[Path], None]) -> None:
    """Make what is not there, whole or not at all; of runs side by side one makes it, and the others wait."""
    part = folder.with_suffix(".part")
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            part.rename(folder)


def _unpack(target: Target, into: Path) -> None:
    architecture = f"--architectures={ARCHITECTURES[target.machine]}"
    mmdebstrap.bootstrap(mmdebstrap.command("extract", PACKAGES, _debian(target), str(into), architecture))


def _debian(target: Target) -> str:
    for debian, python in mmdebstrap.PYTHONS.items():
        if python == target.python:
            return debian
    raise NotBuilt(f"no Debian has CPython {target.python} for {target.machine}", machine=True)
