"""Compare the settings of two runs, by what line 1 of their records says and not by the profiles' names.

A conclusion may rest on two runs only where they differ in the one thing that it names.
"""

from __future__ import annotations

from functools import cache

import msgspec

from matrix.catalog import releases
from matrix.catalog.releases import ONEDNN
from matrix.record.records import Header

# What is set, by name.
Setting = frozenset[tuple[str, str | bool | None]]


def setting(header: Header) -> Setting:
    """Return oneDNN as TensorFlow itself reports it, TF32, and each option of the profile."""
    return frozenset({"oneDNN": header.onednn, "TF32": header.tf32, **_options(header.profile)}.items())


def differences(one: Header, other: Header) -> set[str]:
    """Name what is set differently."""
    return {name for name, _ in setting(one) ^ setting(other)}


def resolved(header: Header) -> Header:
    """Return the header with oneDNN's state as the profile pins it, where XLA compiled all that could have shown it."""
    pinned = _pinned().get(header.profile)
    if header.onednn is not None or pinned is None or not header.observations:
        return header
    return msgspec.structs.replace(header, onednn=pinned)


def _options(profile: str) -> dict[str, str]:
    """Return what a profile sets besides oneDNN; a profile that the catalog does not have is an option by itself."""
    return _profiles().get(profile, {profile: ""})


@cache
def _pinned() -> dict[str, bool]:
    profiles = releases.load().profiles
    return {profile.name: profile.environment[ONEDNN] == "1" for profile in profiles if ONEDNN in profile.environment}


@cache
def _profiles() -> dict[str, dict[str, str]]:
    return {profile.name: profile.options for profile in releases.load().profiles}
