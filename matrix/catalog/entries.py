"""Load and check TOML files of entries: all faults of a file are shown at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from msgspec.structs import FieldInfo

from matrix.base.errors import BadData

Entry = TypeVar("Entry", bound=msgspec.Struct)

# No file written by hand is larger, and the time to name every fault grows faster than the size.
MAX_FILE = 256 * 1024
Text = Annotated[str, Meta(min_length=1, max_length=500)]


def load_entries(file: Path, table: str, kind: type[Entry], *, key: str) -> tuple[Entry, ...]:
    """Return the `[[table]]` entries of a TOML file, each a `kind`, no two with the same `key`. Raise BadData."""
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
    """Return the text of the file, and its entries as they stand there. Raise BadData for any other content."""
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
    fields = _fields(kind)
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


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def _line(text: str, table: str, number: int, key: str) -> int:
    """Return the line of `key` in the entry with this number, or of the entry's head where the key has no line."""
    lines = text.splitlines()
    heads = [index for index, line in enumerate(lines) if line.strip() == f"[[{table}]]"]
    if number >= len(heads):
        return 1
    end = heads[number + 1] if number + 1 < len(heads) else len(lines)
    body = range(heads[number], end)
    return 1 + next((i for i in body if key and lines[i].split("=")[0].strip(" []").endswith(key)), heads[number])
