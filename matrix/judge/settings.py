"""Compare the settings of two runs, by what line 1 of their records says and not by the profiles' names.

A conclusion may rest on two runs only where they differ in the one thing that it names. A record that was made before
line 1 held what was set (`setting`) is taken to have run under the profile of its name, as the catalog has it now.
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
    """Return oneDNN as TensorFlow itself reports it, TF32, and what else was set."""
    return frozenset({"oneDNN": header.onednn, "TF32": header.tf32, **_options(header)}.items())


def differences(one: Header, other: Header) -> set[str]:
    """Name what is set differently.

    Where one build of TensorFlow on one kind of processor, under the same cap, says of itself that oneDNN takes other
    instructions, something was set that neither record names.
    """
    found = {name for name, _ in setting(one) ^ setting(other)}
    place = (one.release, one.backend, one.host.host_class, cap(one))
    if place == (other.release, other.backend, other.host.host_class, cap(other)):
        said = {one.onednn_isa, other.onednn_isa} - {None}
        found |= {"ISA"} if len(said) > 1 else set()
    return found


def switched(before: Header, after: Header) -> tuple[str, ...]:
    """Say what is set otherwise in the second run, such as `oneDNN on`, as far as both runs tell it."""
    was, now = ({name: _in_words(name, value) for name, value in setting(one)} for one in (before, after))
    names = dict.fromkeys((*sorted(was), *sorted(now)))
    told = [
        (was.get(name, f"{name} as it is by itself"), now.get(name, f"{name} as it is by itself")) for name in names
    ]
    return tuple(new for old, new in told if old and new and old != new)


def _in_words(name: str, value: str | bool | None) -> str:
    """Return "" for a state that TensorFlow did not tell."""
    if value is None:
        return ""
    return f"{name} {'on' if value else 'off'}" if isinstance(value, bool) else f"{name}={value}"


def is_plain(header: Header) -> bool:
    """Tell whether nothing is set but oneDNN on or off."""
    return {name for name, _ in setting(header)} == {"oneDNN", "TF32"}


def cap(header: Header) -> str | None:
    """Return the ISA that oneDNN was to keep to."""
    profile = _as_given(header)
    return profile.cap if profile else None


def resolved(header: Header) -> Header:
    """Return the header with oneDNN's state as it was set, where XLA compiled all that could have shown it."""
    profile = _as_given(header)
    pinned = profile.environment.get(ONEDNN) if profile else None
    if header.onednn is not None or pinned is None or not header.observations:
        return header
    return msgspec.structs.replace(header, onednn=pinned == "1")


def _options(header: Header) -> dict[str, str]:
    """Return what was set besides oneDNN; where nobody can tell, the profile's name is an option by itself."""
    profile = _as_given(header)
    return profile.options if profile else {header.profile: ""}


def _as_given(header: Header) -> Profile | None:
    """Return the run's profile as it was when the run was made."""
    given = header.setting
    if given is None:
        return _profiles().get(header.profile)
    return Profile(
        name=header.profile,
        environment=given.environment,
        optimizer=given.optimizer,
        backends=[header.backend],
        why="Line 1 of the record says so.",
    )


@cache
def _profiles() -> dict[str, Profile]:
    return releases.load_profiles()
