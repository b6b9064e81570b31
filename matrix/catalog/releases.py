"""Loads releases.toml and profiles.toml, and checks TOML files of entries: all faults of a file are shown at once."""

from __future__ import annotations

import datetime
import json
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from matrix.base import ids, paths
from matrix.base.errors import BadData
from matrix.base.structs import Strict

Entry = TypeVar("Entry", bound=msgspec.Struct)

# No file written by hand is larger, and the time to name every fault grows faster than the size.
MAX_FILE = 256 * 1024
Text = Annotated[str, Meta(min_length=1, max_length=500)]
# A range of releases, in the part of PEP 440 that is needed: `>=2.5,<2.12`, `==2.6.*`. The empty text means all.
NUMBERS = r"[0-9]{1,3}(?:\.[0-9]{1,9}){0,3}"
CLAUSE = rf"(?:(?:[<>=!]=|[<>]){NUMBERS}(?:(?:a|b|rc)[0-9]{{1,8}})?|[=!]={NUMBERS}\.\*)"
Releases = Annotated[str, Meta(pattern=ids.exactly(rf"(?:{CLAUSE}(?:,{CLAUSE})*)?"))]


class Wheel(Strict, frozen=True, kw_only=True):
    """What to ask pip for, and the newest CPython that has a wheel, by the wheels' tags."""

    requirement: Annotated[str, Meta(pattern=ids.exactly(rf"[a-z-]+(\[[a-z-]+\])?=={ids.RELEASE}"))]
    python: Annotated[str, Meta(pattern=ids.exactly(ids.PYTHON))]


class Release(Strict, frozen=True, kw_only=True):
    """A TensorFlow version. `date`: the day (UTC) on which its wheels appeared on the package index."""

    version: Annotated[str, Meta(pattern=ids.exactly(ids.RELEASE))]
    date: datetime.date
    wheels: Annotated[dict[ids.Backend, Wheel], Meta(min_length=1)]
    landmark: Text | None = None

    def target(self, backend: ids.Backend) -> ids.Target:
        return ids.Target(release=self.version, python=self.wheels[backend].python, backend=backend)


class Profile(Strict, frozen=True, kw_only=True):
    """Variables and options that change what TensorFlow does, and the releases and backends where they do.

    `onednn`: the profile `default` is the same as this one where TensorFlow says that oneDNN is on (or off).
    `optimizer`: options of TensorFlow 2's graph optimizer, which no variable can set.
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
    def setting(self) -> str:
        """What a person sets: variables in a shell, or a line of Python before the first function; "" for nothing."""
        if self.optimizer:
            return f"tf.config.optimizer.set_experimental_options({self.optimizer})"
        return " ".join(f"{name}={shlex.quote(value)}" for name, value in self.environment.items())

    @property
    def options(self) -> dict[str, str]:
        """What is set besides TensorFlow's own switch of oneDNN, whose state a record tells."""
        variables = {} if self.onednn is not None else self.environment
        return variables | {name: str(value) for name, value in self.optimizer.items()}

    def holds_for(self, release: str, backend: ids.Backend) -> bool:
        return backend in self.backends and SpecifierSet(self.releases, prereleases=True).contains(release)


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
    profiles = load_entries(data / "profiles.toml", "profile", Profile, key="name")
    return Catalog(releases=tuple(sorted(releases, key=lambda entry: Version(entry.version))), profiles=profiles)


def load_entries(file: Path, table: str, kind: type[Entry], *, key: str) -> tuple[Entry, ...]:
    """The `[[table]]` entries of a TOML file, each a `kind`, no two with the same `key`. Raise BadData."""
    text, entries = _read(file, table)
    faults: list[str] = []
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        found = _faults(entry, kind)
        value = entry.get(key)
        if isinstance(value, str):
            if value in seen:
                found.append((key, f"{key} {value!r} is there twice; remove one"))
            seen.add(value)
        faults += [f"{file}:{_line(text, table, number, name)}: {fault}" for name, fault in found]
    if faults:
        raise BadData("\n".join(faults))
    return tuple(msgspec.convert(entry, kind) for entry in entries)


def _read(file: Path, table: str) -> tuple[str, list[Mapping[str, Any]]]:
    """The text of the file, and its entries as they stand there. Raise BadData for any other content."""
    try:
        if file.stat().st_size > MAX_FILE:
            raise BadData(f"{file}: is larger than {MAX_FILE // 1024} KiB")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise BadData(f"{file}: {fault}", "restore it with: git checkout -- matrix/data") from fault
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as fault:  # ValueError: of the wrong form, or a number too long for Python
        raise BadData(f"{file}: is not TOML: {fault}") from fault
    entries = document.pop(table, [])
    if document or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadData(f"{file}: holds [[{table}]] entries and nothing else; remove {', '.join(document) or table}")
    return text, entries


def _faults(entry: Mapping[str, Any], kind: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """Return (key, fault and how to mend it) for every fault of an entry; msgspec alone would stop at the first."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    faults = [(name, f"unknown key {name!r}; known are {', '.join(fields)}") for name in entry if name not in fields]
    for name, field in fields.items():
        if name in entry:
            try:
                msgspec.convert(entry[name], field.type)
            except msgspec.ValidationError as fault:
                faults.append((name, f"{name}: {fault}"))
        elif field.required:
            faults.append(("", f"{name} is missing; add it"))
    return faults


def _line(text: str, table: str, number: int, key: str) -> int:
    """The line number of `key` in the entry with this number, or of the entry's head where the key has no line."""
    lines = text.splitlines()
    heads = [index for index, line in enumerate(lines) if line.strip() == f"[[{table}]]"]
    if number >= len(heads):
        return 1
    end = heads[number + 1] if number + 1 < len(heads) else len(lines)
    body = range(heads[number], end)
    return 1 + next((i for i in body if key and lines[i].split("=")[0].strip(" []").endswith(key)), heads[number])
