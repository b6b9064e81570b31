"""The recorded release that answers for the release that was asked for, or its recorded neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from packaging.version import InvalidVersion, Version

from matrix.base.errors import BadUsage

Fit = Literal["recorded", "same minor", "between", "older than all", "newer than all"]


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """The recorded releases that answer for `asked`, the older first, and how they fit; `note` says so in words."""

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


def nearest(asked: str, recorded: Iterable[str]) -> Nearest:
    """Raise BadUsage where `asked` is no version, or nothing is recorded at all.

    `2.8` is the newest record of that minor; a patch release that was not run is shown by the nearest of its minor.
    """
    try:
        version = Version(asked)
    except (InvalidVersion, ValueError):
        version = None
    if version is None or len(version.release) < 2:
        raise BadUsage(f"{asked!r} is no release of TensorFlow", "give one like 2.15.1 or 2.15")
    known = sorted(set(recorded), key=Version)
    if not known:
        raise BadUsage("there is no record of any release there", "make some: nox -s matrix")
    if asked in known:
        return Nearest(asked=asked, releases=(asked,), fit="recorded")
    if same := [one for one in known if Version(one).release[:2] == version.release[:2]]:
        if len(version.release) < 3:
            return Nearest(asked=asked, releases=(same[-1],), fit="recorded")
        closest = min(same, key=lambda one: (abs(Version(one).micro - version.micro), one))
        return Nearest(asked=asked, releases=(closest,), fit="same minor")
    older = [one for one in known if Version(one) < version]
    newer = known[len(older) :]
    if not older:
        return Nearest(asked=asked, releases=(newer[0],), fit="older than all")
    if not newer:
        return Nearest(asked=asked, releases=(older[-1],), fit="newer than all")
    return Nearest(asked=asked, releases=(older[-1], newer[0]), fit="between")
