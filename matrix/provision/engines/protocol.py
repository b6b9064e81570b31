"""What an engine is: a module with the functions of `Engine`. It builds targets and runs the suite in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from matrix.base.ids import Target

Say = Callable[[str], None]
Chunk = tuple[Literal["out", "err"], bytes]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of one run: seconds of wall time and of silence, bytes of memory and of output, processes, open files."""

    seconds: float = 1800
    silence: float = 300
    memory: int = 6 * 2**30
    output: int = 16 * 2**20
    processes: int = 512
    files: int = 4096


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A target that is ready to run. `where`: its folder, or its image; `launcher`: what its Python is run by."""

    target: Target
    where: str
    recipe_sha256: str
    lock_sha256: str
    image_digest: str | None = None
    base: str | None = None
    loosened: tuple[str, ...] = ()
    launcher: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Program:
    """What `python -m` runs in a target: the suite as a whole, or a module of it."""

    suite: Path
    part: str = ""

    @property
    def module(self) -> str:
        return f"{self.suite.name}.{self.part}" if self.part else self.suite.name


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended: exit status (negative: the signal), and whether memory was why."""

    status: int
    oom: bool = False


class Process(Protocol):
    """A suite that runs in a target."""

    def read(self, seconds: float) -> Chunk | None:
        """What it wrote next, None where nothing came within `seconds`. EOFError once it has closed both streams."""

    def kill(self) -> None:
        """End it and all that it started, now. Harmless when it has ended."""

    def wait(self) -> Ended:
        """After EOFError or kill()."""


class Engine(Protocol):
    """See matrix/provision/engines/venv.py for the plainest one."""

    def trouble(self) -> str | None:
        """Why this engine cannot be used here, with the cure; None where it can."""

    def recipe(self, target: Target) -> str:
        """SHA-256 of all that decides what would be built. Costs no network and no build."""

    def is_built(self, target: Target) -> bool: ...

    def provision(self, target: Target, say: Say) -> Environment:
        """Build the target, or find it built. Installing follows the lock and resolves nothing.

        Raises NotBuilt."""

    def start(
        self,
        environment: Environment,
        program: Program,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        limits: Limits,
    ) -> Process:
        """Run the program with ARGUMENTS under exactly these variables and the engine's own few."""

    def done(self, environment: Environment) -> None:
        """Nothing here will run in it any more: it may go where room is wanted. Never fails."""

    def clean(self) -> int:
        """Remove all that this engine built here; how many bytes came free."""
