"""A run that can be made: its target, its profile, the engine that would make it, and its cells."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from matrix.base.ids import Depth, EngineName, How, Run
from matrix.catalog import backends
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.releases import Profile, Release
from matrix.provision.emulators import Emulator
from matrix.record import host
from matrix.record.records import CellId, Host, Record
from matrix.suite import catalog as suite

THREADS = 1
# The environment is clean but for these: TensorFlow logs errors only, and Python's output is not held back.
VARIABLES = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
# On a GPU TensorFlow also takes only the memory that it needs, instead of all of it, since runs share the device.
VARIABLES_ON_GPU = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """`kept`: the run's outdated record, with only the observations that are still valid; None where there are none.

    `emulator`: the processor that QEMU emulates for it; None where it runs on this machine's own.
    """

    run: Run
    release: Release
    profile: Profile
    engine: EngineName
    depth: Depth = "full"
    kept: Record | None = None
    emulator: Emulator | None = None

    @property
    def host(self) -> Host:
        return self.emulator.host if self.emulator else host.facts(self.run.target.backend)

    @property
    def how(self) -> How:
        return "on_gpu" if self.host.gpu else "planned" if self.virtual_device else "executed"

    @property
    def variables(self) -> dict[str, str]:
        return VARIABLES | (VARIABLES_ON_GPU if self.how == "on_gpu" else {}) | self.profile.variables

    @property
    def virtual_device(self) -> dict[str, str] | None:
        """The device that TensorFlow is told to plan for, as there is none; None where the suite is executed."""
        return None if self.host.gpu else backends.load()[self.run.target.backend].virtual_device

    @property
    def cells(self) -> tuple[CellId, ...]:
        return cells_of(self.profile, planned=self.virtual_device is not None, depth=self.depth)


def cells_of(profile: Profile, *, planned: bool, depth: Depth) -> tuple[CellId, ...]:
    """Return the suite's cells of the approaches that the profile can affect."""
    cells = suite.planned_cells() if planned else suite.cells(depth)
    approaches = profile.approaches or APPROACHES
    return tuple(cell for cell in cells if cell.approach in approaches)


def recipe_sha256(planned: PlannedRun, built: str) -> str:
    """Hash everything that decides what runs, except the host class and the suite.

    `built`: the engine's own recipe, which says what is built.
    """
    text = f"{built} {sorted(planned.variables.items())} threads {THREADS}"
    text += f" planned for {sorted(planned.virtual_device.items())}" if planned.virtual_device else ""
    text += f" of {planned.profile.approaches}" if planned.profile.approaches else ""
    text += f" emulated by {planned.emulator.command}" if planned.emulator else ""
    return hashlib.sha256(text.encode()).hexdigest()
