"""Loads releases.toml and profiles.toml, and checks TOML files of entries: all faults of a file are shown at once."""

from __future__ import annotations

import datetime
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from packaging.version import Version

from matrix.base import ids, paths
from matrix.base.structs import Strict
from matrix.catalog.entries import Text, load_entries
from matrix.record import host

# TensorFlow's own switch of oneDNN.
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
# Keeps oneDNN to an instruction set; before 2.8 it knows the second name only.
MAX_ISA = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
# A range of releases, in the part of PEP 440 that is needed: `>=2.5,<2.12`, `==2.6.*`. The empty text means all.
NUMBERS = r"[0-9]{1,3}(?:\.[0-9]{1,9}){0,3}"
CLAUSE = rf"(?:(?:[<>=!]=|[<>]){NUMBERS}(?:(?:a|b|rc)[0-9]{{1,8}})?|[=!]={NUMBERS}\.\*)"
Releases = Annotated[str, Meta(pattern=ids.exactly(rf"(?:{CLAUSE}(?:,{CLAUSE})*)?"))]


Python = Annotated[str, Meta(pattern=ids.exactly(ids.PYTHON))]


class Wheel(Strict, frozen=True, kw_only=True):
    """What to ask pip for, and the newest CPython that has a wheel, by the wheels' tags. `common`: where that is newer
    than those of stable distributions, the newest of theirs that has one too. `arm`: the newest that has one for Arm,
    among Debian's, so that real and emulated processors share a target.
    """

    requirement: Annotated[str, Meta(pattern=ids.exactly(rf"[a-z-]+(\[[a-z-]+\])?=={ids.RELEASE}"))]
    python: Python
    common: Python | None = None
    arm: Python | None = None


class Release(Strict, frozen=True, kw_only=True):
    """A TensorFlow version. `date`: the day (UTC) on which its wheels appeared on the package index."""

    version: Annotated[str, Meta(pattern=ids.exactly(ids.RELEASE))]
    date: datetime.date
    wheels: Annotated[dict[ids.Backend, Wheel], Meta(min_length=1)]
    landmark: Text | None = None

    def target(self, backend: ids.Backend) -> ids.Target:
        return self.targets(backend)[0]

    def targets(self, backend: ids.Backend, architecture: ids.Architecture = ids.USUAL) -> list[ids.Target]:
        """Return the target of the newest CPython, and of the common one where that is another; none where the release
        has no wheel for the architecture.
        """
        wheel = self.wheels[backend]
        pythons = (wheel.arm,) if architecture == "aarch64" else (wheel.python, wheel.common)
        return [
            ids.Target(release=self.version, python=python, backend=backend, architecture=architecture)
            for python in pythons
            if python
        ]


class Profile(Strict, frozen=True, kw_only=True):
    """Variables and options that change what TensorFlow does, and the releases and backends where they do.

    `onednn`: the profile `default` is the same as this one where TensorFlow says that oneDNN is on (or off).
    `optimizer`: options of TensorFlow 2's graph optimizer, which no variable can set; `jit` is set_jit(True).
    `approaches`: the approaches that the profile can affect; none means all.
    `by_name`: run only where a person names it. `needs_device`: it changes nothing that can be planned.
    """

    name: Annotated[str, Meta(pattern=ids.exactly(ids.PROFILE))]
    environment: dict[Annotated[str, Meta(pattern=ids.exactly("[A-Z0-9_]+"))], str]
    backends: Annotated[list[ids.Backend], Meta(min_length=1)]
    why: Text
    releases: Releases = ""
    onednn: bool | None = None
    optimizer: dict[str, bool] = msgspec.field(default_factory=dict)
    approaches: list[str] = msgspec.field(default_factory=list)
    by_name: bool = False
    needs_device: bool = False

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that the suite runs under."""
        return self.environment | ({"SUITE_OPTIMIZER": json.dumps(self.optimizer)} if self.optimizer else {})

    @property
    def cap(self) -> str | None:
        """The ISA, by its name in a host class, that oneDNN is kept to."""
        return host.CAPS.get(self.environment.get(MAX_ISA[0], ""))

    @property
    def setting(self) -> str:
        """What a person sets: variables in a shell, a line of Python before the first function, or both."""
        shell = " ".join(f"{name}={shlex.quote(value)}" for name, value in self.environment.items())
        return " and ".join(filter(None, (shell, self.python)))

    @property
    def python(self) -> str:
        """The line of Python that is called before the first function; "" where variables are all."""
        if not self.optimizer:
            return ""
        options = {name: value for name, value in self.optimizer.items() if name != "jit"}
        return f"tf.config.optimizer.{f'set_experimental_options({options})' if options else 'set_jit(True)'}"

    @property
    def options(self) -> dict[str, str]:
        """What is set besides the switch of oneDNN, whose state a record tells: all of it is one option."""
        variables = {name: value for name, value in self.environment.items() if name != ONEDNN}
        options = {name: str(value) for name, value in self.optimizer.items()}
        found = dict(sorted(variables.items())) | dict(sorted(options.items()))  # a record has them in this order
        return {" and ".join(found): " ".join(found.values())} if found else {}

    def holds_for(self, release: str, backend: ids.Backend) -> bool:
        # Imported late: it takes longer than most questions, which do not ask this.
        from packaging.specifiers import SpecifierSet  # noqa: PLC0415

        return backend in self.backends and SpecifierSet(self.releases, prereleases=True).contains(release)


Profiles = dict[str, Profile]


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """`releases` in the order of their versions; `profiles` in the order of the file."""

    releases: tuple[Release, ...]
    profiles: tuple[Profile, ...]

    def release(self, version: str) -> Release:
        return next(release for release in self.releases if release.version == version)

    def profile(self, name: str) -> Profile:
        return next(profile for profile in self.profiles if profile.name == name)


def load(data: Path = paths.DATA) -> Catalog:
    """Raise BadData naming every fault of a file."""
    releases = load_entries(data / "releases.toml", "release", Release, key="version")
    in_order = tuple(sorted(releases, key=lambda entry: Version(entry.version)))
    return Catalog(releases=in_order, profiles=tuple(load_profiles(data).values()))


def load_profiles(data: Path = paths.DATA) -> Profiles:
    """By name, in the order of the file."""
    return {one.name: one for one in load_entries(data / "profiles.toml", "profile", Profile, key="name")}
