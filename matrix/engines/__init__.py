"""The engines by name, and the choice between them."""

from __future__ import annotations

from matrix.engines import venv
from matrix.engines.protocol import Engine
from matrix.errors import MachineError

# In the order of preference: the first without trouble is taken where none is named.
ENGINES: dict[str, Engine] = {"venv": venv}


def choose(name: str | None = None) -> tuple[str, str]:
    """The engine's name and why it was chosen. Raise MachineError where the named one cannot be used here."""
    if name is not None:
        if trouble := ENGINES[name].trouble():
            raise MachineError(f"engine {name} cannot be used here: {trouble}")
        return name, "asked for"
    reasons = []
    for name, engine in ENGINES.items():
        if (trouble := engine.trouble()) is None:
            return name, "; ".join(reasons) or "the first choice"
        reasons.append(f"{name}: {trouble}")
    raise MachineError(f"no engine can be used here: {'; '.join(reasons)}")
