"""Loads matrix/data/emulators.toml: processors that QEMU emulates, for whatever depends on the processor alone."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from matrix.base import ids, paths
from matrix.base.errors import MachineError
from matrix.base.structs import Strict
from matrix.catalog import entries
from matrix.provision import foreign_environments
from matrix.record import records

Name = Annotated[str, Meta(pattern=ids.exactly("[a-z0-9][a-z0-9-]{0,39}"))]
# Roughly how many times longer an emulated run takes than a run on this machine's own processor, and its limits.
SLOWER = 30
SECONDS_A_CELL, SILENCE, SECONDS = 600, 1800, 12 * 3600


class Emulator(Strict, frozen=True, kw_only=True, rename={"architecture": "machine"}):
    """A processor that QEMU emulates. `midr`: the main id register of an Arm processor, where TensorFlow reads it."""

    name: Name
    architecture: ids.Architecture
    cpu: Annotated[str, Meta(pattern=ids.exactly("[A-Za-z0-9_-]+"))]
    midr: Annotated[str, Meta(pattern=ids.exactly("0x[0-9a-f]{16}"))] | None = None
    host_class: Annotated[str, Meta(pattern=ids.exactly("[a-z0-9-]+-emulated"))]
    flags: list[str]
    why: str

    @property
    def command(self) -> tuple[str, ...]:
        return (foreign_environments.program(self.architecture), "-cpu", self.cpu)

    def launcher(self, target: ids.Target) -> tuple[str, ...]:
        """Return the command that runs a target's Python, once the target is built. It has a full path, since a target
        has a PATH of its own.
        """
        program, *options = self.command
        midr = ("-L", str(foreign_environments.with_midr(target, self.midr))) if self.midr else ()
        return (shutil.which(program) or program, *options, *midr)

    @property
    def host(self) -> records.Host:
        return records.Host(
            host_class=self.host_class,
            cpu=f"{self.cpu}, emulated by QEMU {_version(self.command)}",
            cpu_flags=self.flags,
            cores=len(os.sched_getaffinity(0)),
            kernel=platform.release(),
        )


@cache
def load(file: Path = paths.DATA / "emulators.toml") -> dict[str, Emulator]:
    """Raise BadData naming every fault of the file."""
    return {entry.name: entry for entry in entries.load_entries(file, "emulator", Emulator, key="name")}


@cache
def _version(command: tuple[str, ...]) -> str:
    """Return the version of the QEMU that emulates this processor. Raise MachineError where no QEMU here does."""
    program, option, cpu = command
    try:
        version = _output(program, "--version", check=True).split()[2]
        known = _output(program, option, "help", check=False).split()  # QEMU lists the processors, then ends with 1
    except (OSError, subprocess.SubprocessError) as fault:
        raise MachineError(f"{program} does not run here: {fault}", foreign_environments.CURE) from fault
    if cpu not in known:
        raise MachineError(f"{program} {version} does not know {cpu}", "a newer QEMU may: Debian trixie has 10.0")
    return version


def _output(*command: str, check: bool) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=check).stdout
