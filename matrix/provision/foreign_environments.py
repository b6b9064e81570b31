"""Environments for a processor that QEMU emulates: Debian's CPython for that processor, and the wheels that uv takes.

Debian is unpacked and never installed, for none of its programs runs on this machine without QEMU.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from matrix.base import paths
from matrix.base.errors import NotBuilt
from matrix.base.ids import Architecture, Target
from matrix.catalog import locks
from matrix.provision import debian_systems
from matrix.record import host

DEBIAN_ARCHITECTURES: dict[Architecture, str] = {"x86_64": "amd64", "aarch64": "arm64"}
# The folders of a system, and the C++ library that TensorFlow's wheels expect of it.
PACKAGES = ("base-files", "python3", "libstdc++6")
# Linux shows the main id register of an Arm processor here; QEMU does not.
MIDR = Path("sys/devices/system/cpu/cpu0/regs/identification/midr_el1")
CURE = "on Debian: apt-get install qemu-user"


def is_foreign(target: Target) -> bool:
    return target.architecture != host.machine()


def program(architecture: Architecture) -> str:
    return f"qemu-{architecture}"


def variables(target: Target) -> dict[str, str]:
    """Tell a foreign program where the libraries of its system are."""
    return {"QEMU_LD_PREFIX": str(_root(target))} if is_foreign(target) else {}


def empty(target: Target, folder: Path) -> tuple[subprocess.CompletedProcess[str], tuple[str, ...]]:
    """Make an environment without packages. Also return uv's options that install into it: uv cannot run its Python.

    Raise NotBuilt where there is no Python or no QEMU for the target.
    """

    def unpack(part: Path) -> None:
        fitting = [debian for debian, python in debian_systems.PYTHONS.items() if python == target.python]
        if not fitting:
            raise NotBuilt(f"no Debian has CPython {target.python} for {target.architecture}", machine=True)
        architecture = f"--architectures={DEBIAN_ARCHITECTURES[target.architecture]}"
        debian_systems.bootstrap(debian_systems.command("extract", PACKAGES, fitting[0], str(part), architecture))

    root = _root(target)
    _once(root, unpack)
    python = root / "usr" / "bin" / f"python{target.python}"
    command = [program(target.architecture), str(python), "-m", "venv", "--without-pip", str(folder)]
    try:
        made = subprocess.run(command, env=os.environ | variables(target), capture_output=True, text=True, check=False)
    except FileNotFoundError as fault:
        raise NotBuilt(f"{command[0]} is not installed", CURE, machine=True) from fault
    site = folder / "lib" / f"python{target.python}" / "site-packages"
    platform = locks.platform(target.architecture)
    return made, ("--target", str(site), "--python-platform", platform, "--python-version", target.python)


def with_midr(target: Target, midr: str) -> Path:
    """Return the target's Debian as it is on a processor whose main id register has this value."""
    root = _root(target)
    folder = root.with_name(f"{root.name}-{midr}")

    def link(part: Path) -> None:
        (part / MIDR).parent.mkdir(parents=True)
        (part / MIDR).write_text(f"{midr}\n", encoding="ascii")
        for entry in root.iterdir():
            if entry.name != MIDR.parts[0]:
                (part / entry.name).symlink_to(entry)

    _once(folder, link)
    return folder


def _root(target: Target) -> Path:
    return paths.ENVIRONMENTS / f"debian-{target.architecture}-py{target.python.replace('.', '')}"


def _once(folder: Path, make: Callable[[Path], None]) -> None:
    """Make a missing folder, whole or not at all. Of several runs side by side one makes it, and the others wait."""
    part = folder.with_suffix(".part")
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            part.rename(folder)
