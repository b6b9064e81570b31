"""Target and run ids: one string names an environment or a run everywhere. Only this module takes the string apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from packaging.version import InvalidVersion, Version

Backend = Literal["cpu", "cuda", "rocm"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
# A processor architecture, in the words of wheels' file names.
Architecture = Literal["x86_64", "aarch64"]
MACHINES: tuple[Architecture, ...] = get_args(Architecture)
USUAL: Architecture = "x86_64"
# What a machine must be to make a run: TensorFlow's builds for Arm are for processors alone.
Kind = Literal["cpu", "cuda", "rocm", "cpu-aarch64"]
EngineName = Literal["docker", "venv"]
# How a run is observed: executed on the processor, executed on a GPU, or planned for a device that is not there.
How = Literal["executed", "on_gpu", "planned"]
# How much a run observes: what verdicts rest on, or everything.
Depth = Literal["core", "full"]

RELEASE = r"[0-9]{1,3}(?:\.[0-9]{1,9}){1,3}(?:(?:a|b|rc|\.dev|\.post)[0-9]{1,8})?"
PYTHON = r"3\.[0-9]{1,2}"
PROFILE = r"(?=[a-z0-9+-]{1,60}$)[a-z0-9]+(?:[-+][a-z0-9]+)*"
TARGET_ID = (
    rf"tf(?P<release>{RELEASE})-py(?P<python>3[0-9]{{1,2}})-(?P<backend>{'|'.join(BACKENDS)})(?:-(?P<machine>aarch64))?"
)
RUN_ID = rf"{TARGET_ID}\+(?P<profile>{PROFILE})"


# What the name of a host class ends in whose processor QEMU emulates: see matrix/data/emulators.toml.
EMULATED = "-emulated"
# TensorFlow 2.9 is the first that switches oneDNN on by itself, on some processors (tensorflow/core/util/util.cc).
SWITCHES_ITSELF = (2, 9)


def is_emulated(host_class: str) -> bool:
    return host_class.endswith(EMULATED)


def minor(release: str) -> tuple[int, int]:
    """Return the first two numbers of a release: 2.8.4 and 2.8rc1 are (2, 8)."""
    major, _, rest = release.partition(".")
    return int(major), int(re.match(r"[0-9]*", rest)[0] or 0)  # type: ignore[index]


def exactly(pattern: str) -> str:
    """Return a schema's pattern for a whole text: Python's `$` alone would allow a line break at the end."""
    return rf"^(?:{pattern})$(?!\n)"


def without_names(pattern: str) -> str:
    """Return the same pattern without names for its groups, which other dialects do not know."""
    return re.sub(r"[?]P<[a-z]+>", "?:", pattern)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One environment, built once: release x Python x backend, `tf2.15.1-py311-cpu`.

    The id names the processor architecture where that is not the usual one: `tf2.21.0-py313-cpu-aarch64`. Some older
    records of emulated processors do not: their host class tells it.
    """

    release: str
    python: str
    backend: Backend
    architecture: Architecture = USUAL

    @property
    def id(self) -> str:
        machine = "" if self.architecture == USUAL else f"-{self.architecture}"
        return f"tf{self.release}-py{self.python.replace('.', '')}-{self.backend}{machine}"

    @property
    def kind(self) -> Kind:
        return "cpu-aarch64" if self.architecture == "aarch64" else self.backend

    def holds(self, said: str) -> bool:
        """Tell whether a library that calls itself `said` is the library of this target. Three numbers decide, since a
        nightly build writes its day in another way. What is no version is another library.
        """
        try:
            return Version(said).release[:3] == Version(self.release).release[:3]
        except InvalidVersion:
            return False


@dataclass(frozen=True, kw_only=True)
class Run:
    """One target under one profile: `tf2.15.1-py311-cpu+onednn-off`. The id does not name the host class."""

    target: Target
    profile: str

    @property
    def id(self) -> str:
        return f"{self.target.id}+{self.profile}"


def parse_target(text: str) -> Target:
    """Raise ValueError where `text` is not a target id."""
    match = re.fullmatch(TARGET_ID, text, re.ASCII)
    if not match:
        raise ValueError(f"{text!r} is not a target id like tf2.15.1-py311-cpu")
    python, backend = match["python"], cast(Backend, match["backend"])
    machine = cast(Architecture, match["machine"] or USUAL)
    return Target(release=match["release"], python=f"{python[0]}.{python[1:]}", backend=backend, architecture=machine)


def parse_run(text: str) -> Run:
    """Raise ValueError where `text` is not a run id."""
    if not re.fullmatch(RUN_ID, text, re.ASCII):
        raise ValueError(f"{text!r} is not a run id like tf2.15.1-py311-cpu+onednn-off")
    target, _, profile = text.partition("+")
    return Run(target=parse_target(target), profile=profile)
