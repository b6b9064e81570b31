"""Target and run ids: the one string that names an environment or a run everywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Backend = Literal["cpu", "cuda", "rocm"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
# Of the processor that a target's wheels are for, as in their names.
Machine = Literal["x86_64", "aarch64"]
# How a run is observed: executed on the processor, executed on a GPU, or planned for a device that is not there.
How = Literal["executed", "on_gpu", "planned"]

RELEASE = r"[0-9]{1,3}(?:\.[0-9]{1,9}){1,3}(?:(?:a|b|rc|\.dev|\.post)[0-9]{1,8})?"
PYTHON = r"3\.[0-9]{1,2}"
PROFILE = r"[a-z0-9]+(?:-[a-z0-9]+)*"
TARGET_ID = rf"tf(?P<release>{RELEASE})-py(?P<python>3[0-9]{{1,2}})-(?P<backend>{'|'.join(BACKENDS)})"
RUN_ID = rf"{TARGET_ID}\+(?P<profile>{PROFILE})"


def exactly(pattern: str) -> str:
    """As a schema's pattern, for all of a text. Python's `$` alone would let a line break by behind it."""
    return rf"^(?:{pattern})$(?!\n)"


def without_names(pattern: str) -> str:
    """The same pattern without names for its groups, which other dialects do not know."""
    return re.sub(r"[?]P<[a-z]+>", "?:", pattern)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One environment, built once: release x Python x backend, `tf2.15.1-py311-cpu`.

    The id does not name the machine: of a record its host class tells it.
    """

    release: str
    python: str
    backend: Backend
    machine: Machine = "x86_64"

    @property
    def id(self) -> str:
        return f"tf{self.release}-py{self.python.replace('.', '')}-{self.backend}"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One target under one profile: `tf2.15.1-py311-cpu+onednn-off`. The host class is where it runs."""

    target: Target
    profile: str

    @property
    def id(self) -> str:
        return f"{self.target.id}+{self.profile}"


def parse_target(text: str) -> Target:
    """Raise ValueError where `text` is not a target id."""
    return _target(_match(TARGET_ID, text, "target"))


def parse_run(text: str) -> Run:
    """Raise ValueError where `text` is not a run id."""
    match = _match(RUN_ID, text, "run")
    return Run(target=_target(match), profile=match["profile"])


def _match(pattern: str, text: str, what: str) -> re.Match[str]:
    if match := re.fullmatch(pattern, text, re.ASCII):
        return match
    example = "tf2.15.1-py311-cpu" + ("+onednn-off" if what == "run" else "")
    raise ValueError(f"{text!r} is not a {what} id like {example}")


def _target(match: re.Match[str]) -> Target:
    backend = next(backend for backend in BACKENDS if backend == match["backend"])
    python = match["python"]
    return Target(release=match["release"], python=f"{python[0]}.{python[1:]}", backend=backend)
