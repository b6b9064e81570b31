"""What a person asks about, found among what was recorded: what has no record borrows from a neighbour only by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from packaging.version import InvalidVersion, Version

from matrix.base.errors import BadUsage

Fit = Literal["recorded", "same minor", "between", "older than all", "newer than all"]


@dataclass(frozen=True, kw_only=True)
class Found:
    """The recorded releases that an answer is given from, and how they fit what was asked; `note` says so in words."""

    asked: str
    releases: tuple[str, ...]
    fit: Fit

    @property
    def note(self) -> str:
        names = " and ".join(self.releases)
        return {
            "recorded": "",
            "same minor": f"There is no record of {self.asked}; shown is {names}, of the same minor.",
            "between": f"There is no record of {self.asked}; shown are its neighbours {names}. "
            "Where they agree it is likely the same; where they differ it is open.",
            "older than all": f"There is no record of {self.asked} or anything older; shown is {names}, the oldest.",
            "newer than all": f"There is no record of {self.asked} or anything newer; shown is {names}, the newest.",
        }[self.fit]


def find(asked: str, recorded: Iterable[str]) -> Found:
    """Raise BadUsage where `asked` is no version, or nothing is recorded at all.

    `2.8` is the newest record of that minor; a patch release that was not run is shown by the nearest of its minor.
    """
    version = _version(asked)
    known = sorted(set(recorded), key=Version)
    if not known:
        raise BadUsage("there is no record of any release there", "make some: nox -s matrix")
    if asked in known:
        return Found(asked=asked, releases=(asked,), fit="recorded")
    if same := [one for one in known if Version(one).release[:2] == (*version.release, 0)[:2]]:
        minor = len(version.release) < 3
        nearest = same[-1] if minor else min(same, key=lambda one: (abs(Version(one).micro - version.micro), one))
        return Found(asked=asked, releases=(nearest,), fit="recorded" if minor else "same minor")
    older, newer = ([one for one in known if (Version(one) < version) == below] for below in (True, False))
    if not older:
        return Found(asked=asked, releases=(newer[0],), fit="older than all")
    if not newer:
        return Found(asked=asked, releases=(older[-1],), fit="newer than all")
    return Found(asked=asked, releases=(older[-1], newer[0]), fit="between")


def _version(text: str) -> Version:
    try:
        version = Version(text)
    except (InvalidVersion, ValueError):
        raise BadUsage(f"{text!r} is no release of TensorFlow", "give one like 2.15.1 or 2.15") from None
    if not version.release or len(version.release) < 2:
        raise BadUsage(f"{text!r} is no release of TensorFlow", "give one like 2.15.1 or 2.15")
    return version
