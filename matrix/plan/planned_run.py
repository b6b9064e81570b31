"""A run that can be made: its target, its profile, the engine that would make it, and its cells."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from matrix.base.ids import EngineName, How, Run
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
# The geometry without groups.
CONTROL = "g1-k3"


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """`kept`: the run's outdated record, with only the observations that are still valid; None where there are none.

    `emulator`: the processor that QEMU emulates for it; None where it runs on this machine's own.
    """

    run: Run
    release: Release
    profile: Profile
    engine: EngineName
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
        return cells_of(self.profile, planned=self.virtual_device is not None, emulated=self.emulator is not None)


def cells_of(profile: Profile, *, planned: bool, emulated: bool) -> tuple[CellId, ...]:
    """Return the suite's cells of the approaches that the profile can affect; on an emulator only the core."""
    cells = suite.planned_cells() if planned else suite.cells()
    approaches = profile.approaches or APPROACHES
    return tuple(cell for cell in cells if cell.approach in approaches and (not emulated or cell in _core()))


def core_patterns(approaches: Iterable[str]) -> tuple[str, ...]:
    """The cells of these approaches that are judged, and their controls, as shell patterns.

    The patterns must be few: before 3.11 Python compiles them anew for every cell where there are more than 256.
    """
    return tuple(
        f"{approach}/{mode}/*/{geometry}/*/f32/nhwc"
        for approach in approaches
        for mode in suite.CORE_MODES
        for geometry in dict.fromkeys((APPROACHES[approach].base, CONTROL))
    )


@cache
def _core() -> frozenset[CellId]:
    cells = {cell.id: cell for cell in suite.cells()}
    return frozenset(cells[id_] for pattern in core_patterns(APPROACHES) for id_ in fnmatch.filter(cells, pattern))


def recipe_sha256(planned: PlannedRun, built: str) -> str:
    """Hash everything that decides what runs, except the host class and the suite.

    `built`: the engine's own recipe, which says what is built.
    """
    text = f"{built} {sorted(planned.variables.items())} threads {THREADS}"
    text += f" planned for {sorted(planned.virtual_device.items())}" if planned.virtual_device else ""
    text += f" of {planned.profile.approaches}" if planned.profile.approaches else ""
    text += f" emulated by {planned.emulator.command}" if planned.emulator else ""
    return hashlib.sha256(text.encode()).hexdigest()
