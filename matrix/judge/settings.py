"""Compare the settings of two runs, by what line 1 of their records says and not by the profiles' names.

A conclusion may rest on two runs only where they differ in the one thing that it names.
"""

from __future__ import annotations

from functools import cache

import msgspec

from matrix.catalog import releases
from matrix.catalog.releases import ONEDNN, Profile
from matrix.record.records import Header

# What is set, by name.
Setting = frozenset[tuple[str, str | bool | None]]


def setting(header: Header) -> Setting:
    """Return oneDNN as TensorFlow itself reports it, TF32, and each option of the profile."""
    return frozenset({"oneDNN": header.onednn, "TF32": header.tf32, **_options(header.profile)}.items())


def differences(one: Header, other: Header) -> set[str]:
    """Name what is set differently."""
    return {name for name, _ in setting(one) ^ setting(other)}


def is_plain(header: Header) -> bool:
    """Tell whether nothing is set but oneDNN on or off."""
    return {name for name, _ in setting(header)} == {"oneDNN", "TF32"}


def cap(header: Header) -> str | None:
    """Return the ISA that the run's profile keeps oneDNN to."""
    profile = _profiles().get(header.profile)
    return profile.cap if profile else None


def resolved(header: Header) -> Header:
    """Return the header with oneDNN's state as the profile pins it, where XLA compiled all that could have shown it."""
    profile = _profiles().get(header.profile)
    pinned = profile.environment.get(ONEDNN) if profile else None
    if header.onednn is not None or pinned is None or not header.observations:
        return header
    return msgspec.structs.replace(header, onednn=pinned == "1")


def _options(profile: str) -> dict[str, str]:
    """Return what a profile sets besides oneDNN; a profile that the catalog does not have is an option by itself."""
    known = _profiles().get(profile)
    return known.options if known else {profile: ""}


@cache
def _profiles() -> dict[str, Profile]:
    return releases.load_profiles()
