"""A record that somebody contributes from their own machine (`contributed/1`): its format, and how it is read and kept.

It has the observations of a published record behind another first line. It is kept below reports/contributed/, where no
verdict looks. Like every record it is hostile input: sizes are capped, and every line is checked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from matrix.base import ids
from matrix.base.errors import BadRecord
from matrix.base.files import write_whole
from matrix.base.structs import Strict
from matrix.record import dates, file_format, host, records
from matrix.record.records import Host, Name, Observation, Release, Sha256

FOLDER = "contributed"
MAX_SIZE = 1024 * 1024
Settings = Annotated[dict[Name, Annotated[str, Meta(max_length=500)]], Meta(max_length=50)]


class Header(Strict, frozen=True, kw_only=True, tag_field="format", tag="contributed/1"):  # fmt: skip
    """Line 1: the environment, as the probe found it. `environment`: variables that change what TensorFlow does."""

    release: Release
    python: Name
    platform: Name
    made: Annotated[str, Meta(pattern=ids.exactly("[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z"))]
    host: Host
    packages: Annotated[dict[Name, Name], Meta(max_length=100)] = {}
    environment: Settings = {}
    onednn: bool | None = None
    suite_sha256: Sha256
    observations: Annotated[int, Meta(ge=0, le=records.MAX_OBSERVATIONS)]


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """A contributed record, and the bytes that passed the checks. `name` follows from these: it is not taken twice."""

    name: str
    data: bytes
    header: Header
    observations: tuple[Observation, ...]


def read(file: Path) -> Contribution:
    """Raise BadRecord, naming the line, where the file is no contribution."""
    try:
        data = file_format.read_at_most(file, MAX_SIZE + 1)
        header, observations = decode(data)
    except BadRecord as fault:
        raise BadRecord(f"{file}: {fault}", "make it with the probe: tf-groupconv probe") from None
    digest = hashlib.sha256(data).hexdigest()[:12]
    name = f"tf{header.release}-{header.host.host_class}-{digest}"
    return Contribution(name=name, data=data, header=header, observations=observations)


def decode(data: bytes) -> tuple[Header, tuple[Observation, ...]]:
    """Raise BadRecord with the line and what is wrong with it."""
    if len(data) > MAX_SIZE:
        raise BadRecord(f"is larger than {MAX_SIZE // 2**20} MiB")
    first, *rest = data.rstrip(b"\n").split(b"\n")
    header = records.decode_line(_decoder, first, 1)
    if len(rest) != header.observations:
        raise BadRecord(f"line 1 promises {header.observations} observations, {len(rest)} follow")
    dates.check(header.made)
    if not host.is_of_its_class(header.host):
        raise BadRecord(f"line 1: the host class {header.host.host_class} is not that of the flags that it names")
    observations = records.decode_observations(rest)
    if len({one.cell for one in observations}) != len(observations):
        raise BadRecord("a cell is observed twice")
    if any(one.outcome == "pass" and one.error for one in observations):
        raise BadRecord("holds what passed with an error")
    if any(one.evidence != "executed" for one in observations):
        raise BadRecord("holds what was not executed")
    return header, observations


def take(reports: Path, contribution: Contribution) -> Path:
    """Write what was checked to its place below `reports`, byte for byte."""
    target = reports / FOLDER / f"{contribution.name}.jsonl"
    write_whole(target, contribution.data)
    return target


def read_all(reports: Path) -> tuple[list[Contribution], list[BadRecord]]:
    """Return the contributions that were taken, and why the others cannot be read."""
    found, faults = [], []
    for file in sorted((reports / FOLDER).glob("*.jsonl")):
        try:
            found.append(read(file))
        except BadRecord as fault:
            faults.append(fault)
    return found, faults


_decoder = msgspec.json.Decoder(Header)
