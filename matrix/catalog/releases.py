"""Loads and checks matrix/data/: releases, backends' wheels and profiles. Every fault of a file is told at once."""

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

# A file by hand is not larger; naming every fault of one takes time that grows faster than it.
MAX_FILE = 256 * 1024
Text = Annotated[str, Meta(min_length=1, max_length=500)]
# Releases as in PEP 440, as far as it is needed: `>=2.5,<2.12`, `==2.6.*`; nothing means all.
NUMBERS = r"[0-9]{1,3}(?:\.[0-9]{1,9}){0,3}"
CLAUSE = rf"(?:(?:[<>=!]=|[<>]){NUMBERS}(?:(?:a|b|rc)[0-9]{{1,8}})?|[=!]={NUMBERS}\.\*)"
Releases = Annotated[str, Meta(pattern=ids.exactly(rf"(?:{CLAUSE}(?:,{CLAUSE})*)?"))]


class Wheel(Strict, frozen=True, kw_only=True):
    """What pip would be asked for, and the newest CPython that its wheels support, read from the wheels' tags."""

    requirement: Annotated[str, Meta(pattern=ids.exactly(rf"[a-z-]+(\[[a-z-]+\])?=={ids.RELEASE}"))]
    python: Annotated[str, Meta(pattern=ids.exactly(ids.PYTHON))]


class Release(Strict, frozen=True, kw_only=True):
    """A TensorFlow version and what it needs. `date`: the day (UTC) its wheels appeared on the index."""

    version: Annotated[str, Meta(pattern=ids.exactly(ids.RELEASE))]
    date: datetime.date
    wheels: Annotated[dict[ids.Backend, Wheel], Meta(min_length=1)]
    landmark: Text | None = None

    def target(self, backend: ids.Backend) -> ids.Target:
        return ids.Target(release=self.version, python=self.wheels[backend].python, backend=backend)


class Profile(Strict, frozen=True, kw_only=True):
    """Variables and options that change what TensorFlow does, and the releases (a PEP 440 range) where they do.

    `onednn`: `default` comes to this profile where TensorFlow says that oneDNN is on (or off). `optimizer`: options of
    TensorFlow 2's optimizer, which have no variable. `approaches`: those that it can matter to; all by default.
    `by_name`: only run where it is asked for. `needs_device`: it changes nothing that can be planned.
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
        """What the suite is run under."""
        return self.environment | ({"SUITE_OPTIMIZER": json.dumps(self.optimizer)} if self.optimizer else {})

    @property
    def setting(self) -> str:
        """What a person sets: variables for a shell, or a line of Python before the first function; "" for nothing."""
        if self.optimizer:
            return f"tf.config.optimizer.set_experimental_options({self.optimizer})"
        return " ".join(f"{name}={shlex.quote(value)}" for name, value in self.environment.items())

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
    """The `[[table]]` entries of a TOML file, each a `kind`, no two with the same `key`."""
    text = _text(file)
    entries = _tables(file, text, table)
    faults = [
        f"{file}:{_line(text, table, number, name)}: {fault}"
        for number, entry in enumerate(entries)
        for name, fault in _faults(entry, kind)
    ]
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        value = entry.get(key)
        if isinstance(value, str) and value in seen:
            faults.append(f"{file}:{_line(text, table, number, key)}: {key} {value!r} is there twice; remove one")
        seen |= {value} if isinstance(value, str) else set()
    if faults:
        raise BadData("\n".join(faults))
    return tuple(msgspec.convert(entry, kind) for entry in entries)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_FILE:
            raise BadData(f"{file}: is larger than {MAX_FILE // 1024} KiB")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise BadData(f"{file}: {fault}", "restore it with: git checkout -- matrix/data") from fault


def _tables(file: Path, text: str, table: str) -> list[Mapping[str, Any]]:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as fault:  # of the wrong form, or a number too long for Python
        raise BadData(f"{file}: is not TOML: {fault}") from fault
    entries = document.pop(table, [])
    if document or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadData(f"{file}: holds [[{table}]] entries and nothing else; remove {', '.join(document) or table}")
    return entries


def _faults(entry: Mapping[str, Any], kind: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """(key, fault with its mend) of one entry; msgspec alone would stop at the first."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    faults = [(name, f"unknown key {name!r}; known are {', '.join(fields)}") for name in entry if name not in fields]
    for name, field in fields.items():
        if name not in entry:
            if field.required:
                faults.append(("", f"{name} is missing; add it"))
            continue
        try:
            msgspec.convert(entry[name], field.type)
        except msgspec.ValidationError as fault:
            faults.append((name, f"{name}: {fault}"))
    return faults


def _line(text: str, table: str, number: int, key: str) -> int:
    """The line of `key` in the entry with this number, or of the entry's head where the key has no line of its own."""
    lines = text.splitlines()
    heads = [index for index, line in enumerate(lines) if line.strip() == f"[[{table}]]"]
    if number >= len(heads):
        return 1
    end = heads[number + 1] if number + 1 < len(heads) else len(lines)
    body = range(heads[number], end)
    return 1 + next((i for i in body if key and lines[i].split("=")[0].strip(" []").endswith(key)), heads[number])
