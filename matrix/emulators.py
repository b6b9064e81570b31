"""Loads matrix/data/emulators.toml: processors that QEMU emulates, for what only a processor's features decide."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from matrix import catalog, ids, paths, records
from matrix.errors import MachineError

Name = Annotated[str, Meta(pattern=ids.exactly("[a-z0-9][a-z0-9-]{0,39}"))]
# how much longer than on this machine's own processor a run takes, roughly, and the limits for it
SLOWER = 30
SECONDS_A_CELL, SILENCE, SECONDS = 600, 1800, 12 * 3600


class Emulator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`program -cpu CPU` runs a program of this machine's as if the processor were another."""

    name: Name
    program: Annotated[str, Meta(pattern=ids.exactly("qemu-[a-z0-9_]+"))]
    cpu: Annotated[str, Meta(pattern=ids.exactly("[A-Za-z0-9_-]+"))]
    host_class: Annotated[str, Meta(pattern=ids.exactly("[a-z0-9-]+-emulated"))]
    flags: list[str]
    why: str

    @property
    def command(self) -> tuple[str, ...]:
        return (self.program, "-cpu", self.cpu)

    @property
    def host(self) -> records.Host:
        return records.Host(
            host_class=self.host_class,
            cpu=f"{self.cpu}, emulated by QEMU {_version(self.program)}",
            cpu_flags=self.flags,
            cores=len(os.sched_getaffinity(0)),
            kernel=platform.release(),
        )


@cache
def load(file: Path = paths.DATA / "emulators.toml") -> dict[str, Emulator]:
    """Raise BadData naming every fault of the file."""
    return {entry.name: entry for entry in catalog.load_entries(file, "emulator", Emulator, key="name")}


@cache
def _version(program: str) -> str:
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.SubprocessError) as fault:
        raise MachineError(f"{program} does not run here: {fault}", "on Debian: apt-get install qemu-user") from fault
    return told.split()[2]
