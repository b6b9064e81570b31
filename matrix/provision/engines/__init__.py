"""The engines by name, and the choice among them."""

from __future__ import annotations

from matrix.base.errors import MachineError
from matrix.base.ids import EngineName
from matrix.provision.engines import docker, venv
from matrix.provision.engines.protocol import Engine

# In the order of preference: the first without trouble is taken where none is named.
ENGINES: dict[EngineName, Engine] = {"docker": docker, "venv": venv}


def choose(name: EngineName | None = None) -> tuple[EngineName, str]:
    """Return the engine's name and why it was chosen. Raise MachineError where none, or not `name`, can be used."""
    reasons: list[str] = []
    for candidate in [name] if name else ENGINES:
        if (trouble := ENGINES[candidate].trouble()) is None:
            return candidate, "; ".join(reasons) or ("asked for" if name else "the first choice")
        reasons.append(f"{candidate}: {trouble}")
    raise MachineError(f"no engine can be used here: {'; '.join(reasons)}")
