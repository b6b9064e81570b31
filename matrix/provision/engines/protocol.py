"""Engines build targets and run the suite in them; an engine is a module with the functions of `Engine`."""

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
    """Limits of a run: seconds of wall time and of silence, bytes of memory and of output, processes, open files."""

    seconds: float = 1800
    silence: float = 300
    memory: int = 6 * 2**30
    output: int = 16 * 2**20
    processes: int = 512
    files: int = 4096


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A target that is ready to run.

    `where`: its folder or the id of its image. `loosened`: in words, where its confinement is weaker than intended.
    `launcher`: the command that runs its Python, where that is not a program of this machine.
    """

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
    """A package that `python -m` runs in a target, or the module `part` of it."""

    suite: Path
    part: str = ""

    @property
    def module(self) -> str:
        return f"{self.suite.name}.{self.part}" if self.part else self.suite.name


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended: its exit status (negative: the signal), and whether for want of memory."""

    status: int
    oom: bool = False


class Process(Protocol):
    """A suite that runs in a target."""

    def read(self, seconds: float) -> Chunk | None:
        """Return what the process wrote next, or None where nothing came within `seconds`.

        Raise EOFError once the process has closed both streams.
        """

    def kill(self) -> None:
        """End the process and all that it started, now. Harmless when it has ended."""

    def wait(self) -> Ended:
        """Wait for the end and clean up; to be called after EOFError or kill()."""


class Engine(Protocol):
    """The plainest engine is matrix/provision/engines/venv.py."""

    def trouble(self) -> str | None:
        """Say why this engine cannot be used here, with the cure; None where it can."""

    def recipe(self, target: Target) -> str:
        """Return the SHA-256 of all that decides what would be built. Costs no network and no build."""

    def is_built(self, target: Target) -> bool: ...

    def provision(self, target: Target, say: Say) -> Environment:
        """Build the target, or find it built. Installing follows the lock and resolves nothing. Raise NotBuilt."""

    def start(
        self,
        environment: Environment,
        program: Program,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        limits: Limits,
    ) -> Process:
        """Start the program under these variables, the engine's own few, and no others."""

    def done(self, environment: Environment) -> None:
        """Let the environment go where room is wanted: no run of this process needs it any more. Never fails."""

    def clean(self, *, dry_run: bool = False) -> int:
        """Remove all that this engine built here, and return how many bytes came free; or would, at most."""
