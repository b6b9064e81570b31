"""A run that could be made: its target, its profile, the engine that would make it, and the cells that it has."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from matrix.base.ids import How, Run
from matrix.catalog import backends
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.releases import Profile, Release
from matrix.provision.emulators import Emulator
from matrix.record import host
from matrix.record.records import CellId, Host, Record
from matrix.record.store import EngineName
from matrix.suite import catalog as suite

THREADS = 1
# A clean environment, but for these: TensorFlow's chatter is cut to errors, Python's output comes at once.
VARIABLES = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
# On a GPU, besides: TensorFlow takes what memory it needs of the device, not all there is, for runs go side by side.
VARIABLES_ON_GPU = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
# The case without groups.
CONTROL = "g1-k3"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A run that could be made: what it is of, and the engine that would make it.

    `kept`: its record, where that has observations which still hold, and no others.
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
        """What the build plans for, for want of a device to execute on; None where the suite is executed."""
        return None if self.host.gpu else backends.load()[self.run.target.backend].virtual_device

    @property
    def cells(self) -> tuple[CellId, ...]:
        """All that the suite has for it, of the approaches that its profile can matter to; emulated the core alone."""
        cells = suite.planned_cells() if self.virtual_device else suite.cells()
        asked = self.profile.approaches or APPROACHES
        chosen = (cell for cell in cells if cell.approach in asked)
        return tuple(cell for cell in chosen if not self.emulator or cell in _core())


def core_patterns(approaches: Iterable[str]) -> tuple[str, ...]:
    """What is judged of these, and its controls, as shell patterns: few, for a Python before 3.11 compiles each of more
    than 256 again for every cell.
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


def recipe_sha256(planned: Planned, built: str) -> str:
    """Of all that decides what runs, but for the host class and the suite: what is built, by the engine's own recipe,
    and the variables.
    """
    variables = sorted(planned.variables.items())
    asked = f" planned for {sorted(planned.virtual_device.items())}" if planned.virtual_device else ""
    asked += f" of {planned.profile.approaches}" if planned.profile.approaches else ""
    asked += f" emulated by {planned.emulator.command}" if planned.emulator else ""
    return hashlib.sha256(f"{built} {variables} threads {THREADS}{asked}".encode()).hexdigest()
