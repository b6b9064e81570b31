"""A record that somebody contributes from their own machine (`contributed/1`): its format, and how it is read and kept.

It has the observations of a published record behind another first line. It is kept below reports/contributed/, where no
verdict looks. Like every record it is hostile input: sizes are capped, and every line is checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from matrix.base import ids
from matrix.base.errors import BadRecord
from matrix.base.files import write_whole
from matrix.base.structs import Strict
from matrix.record import file_format, records
from matrix.record.records import Host, Name, Observation, Sha256

FOLDER = "contributed"
MAX_SIZE = 1024 * 1024
Settings = Annotated[dict[Name, Annotated[str, Meta(max_length=500)]], Meta(max_length=50)]


class Header(Strict, frozen=True, kw_only=True, tag_field="format", tag="contributed/1"):  # fmt: skip
    """Line 1: the environment, as the probe found it. `environment`: variables that change what TensorFlow does."""

    release: Annotated[str, Meta(pattern=ids.exactly(ids.RELEASE))]
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
    """A contributed record that passed the checks. `name` follows from its content: it is not taken twice."""

    name: str
    header: Header
    observations: tuple[Observation, ...]


def read(file: Path) -> Contribution:
    """Raise BadRecord, naming the line, where the file is no contribution."""
    try:
        data = file_format.read_at_most(file, MAX_SIZE + 1)
        header, observations = decode(data)
    except BadRecord as fault:
        raise BadRecord(f"{file}: {fault}", "make it with the probe: nox -s ask -- probe") from None
    digest = hashlib.sha256(data).hexdigest()[:12]
    return Contribution(
        name=f"tf{header.release}-{header.host.host_class}-{digest}", header=header, observations=observations
    )


def decode(data: bytes) -> tuple[Header, tuple[Observation, ...]]:
    """Raise BadRecord with the line and what is wrong with it."""
    if len(data) > MAX_SIZE:
        raise BadRecord(f"is larger than {MAX_SIZE // 2**20} MiB")
    first, *rest = data.rstrip(b"\n").split(b"\n")
    header = records.decode_line(_decoder, first, 1)
    if len(rest) != header.observations:
        raise BadRecord(f"line 1 promises {header.observations} observations, {len(rest)} follow")
    observations = records.decode_observations(rest)
    if len({one.cell for one in observations}) != len(observations):
        raise BadRecord("a cell is observed twice")
    if any(one.outcome == "pass" and one.error for one in observations):
        raise BadRecord("holds what passed with an error")
    if any(one.evidence != "executed" for one in observations):
        raise BadRecord("holds what was not executed")
    return header, observations


def take(reports: Path, contribution: Contribution, source: Path) -> Path:
    """Copy the file to its place below `reports`, byte for byte."""
    target = reports / FOLDER / f"{contribution.name}.jsonl"
    write_whole(target, source.read_bytes())
    return target


def read_all(reports: Path) -> Iterator[Contribution]:
    """Yield the contributions that were taken, and leave out those that cannot be read."""
    for file in sorted((reports / FOLDER).glob("*.jsonl")):
        try:
            yield read(file)
        except BadRecord:
            continue


_decoder = msgspec.json.Decoder(Header)
