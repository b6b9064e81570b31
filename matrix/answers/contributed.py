"""Records that people contribute from their own machines: checked, labelled, and never a verdict's evidence.

A contributed record (`contributed/1`) has the observations of a published one behind another first line. It lies below
reports/contributed/, where no verdict looks; the report lists it with what it says other than ours.
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
from matrix.judge.verdicts import JudgedRun
from matrix.record import records, store
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
    """A record that was checked. `name` is of its content, so that the same is not taken twice."""

    name: str
    header: Header
    observations: tuple[Observation, ...]


class Differing(Strict, frozen=True, kw_only=True):
    """A cell, `approach/mode/check/case`, that came out differently."""

    cell: str
    published: str
    there: str


class Against(Strict, frozen=True, kw_only=True):
    """A contribution beside the published run that it can be compared with, if there is one.

    `taken`: where it now lies.
    """

    name: str
    header: Header
    run: str | None
    same: int
    other: list[Differing]
    taken: str | None = None


def read(file: Path) -> Contribution:
    """Raise BadRecord, naming the line, where the file is no contribution."""
    try:
        data = store.begin(file, MAX_SIZE + 1)
        header, observations = _decode(data)
    except BadRecord as fault:
        raise BadRecord(f"{file}: {fault}", "make it with the probe: nox -s ask -- probe") from None
    digest = hashlib.sha256(data).hexdigest()[:12]
    return Contribution(
        name=f"tf{header.release}-{header.host.host_class}-{digest}", header=header, observations=observations
    )


def _decode(data: bytes) -> tuple[Header, tuple[Observation, ...]]:
    if len(data) > MAX_SIZE:
        raise BadRecord(f"is larger than {MAX_SIZE // 2**20} MiB")
    first, *rest = data.rstrip(b"\n").split(b"\n")
    header = records.decode_line(_decoder, first, 1)
    if len(rest) != header.observations:
        raise BadRecord(f"line 1 promises {header.observations} observations, {len(rest)} follow")
    observations = records.observed(rest)
    if len({one.cell for one in observations}) != len(observations):
        raise BadRecord("a cell is observed twice")
    if any(one.outcome == "pass" and one.error for one in observations):
        raise BadRecord("holds what passed with an error")
    if any(one.evidence != "executed" for one in observations):
        raise BadRecord("holds what was not executed")
    return header, observations


def take(reports: Path, contribution: Contribution, source: Path) -> Path:
    """Copy it to its place below `reports`, byte for byte."""
    target = reports / FOLDER / f"{contribution.name}.jsonl"
    write_whole(target, source.read_bytes())
    return target


def read_all(reports: Path) -> Iterator[Contribution]:
    """Those that can be read; the rest is nobody's evidence."""
    for file in sorted((reports / FOLDER).glob("*.jsonl")):
        try:
            yield read(file)
        except BadRecord:
            continue


def against(contribution: Contribution, judged_runs: list[JudgedRun]) -> Against:
    """The published CPU run of the same release and the same oneDNN; of the same host class where there is one."""
    header = contribution.header
    like = [
        one
        for one in judged_runs
        if (one.header.release, one.header.backend, one.judged_by.onednn) == (header.release, "cpu", header.onednn)
        and not one.header.same_as
        and one.header.profile in {"default", "onednn-on", "onednn-off"}
    ]
    like.sort(key=lambda one: one.header.host.host_class != header.host.host_class)
    if not like:
        return Against(name=contribution.name, header=header, run=None, same=0, other=[])
    ours = {cell: one.outcome for cells in like[0].cells.values() for cell, one in cells.items()}
    both = [one for one in contribution.observations if one.cell in ours]
    other = [
        Differing(cell="/".join(one.cell), published=ours[one.cell], there=one.outcome)
        for one in both
        if one.outcome != ours[one.cell]
    ]
    return Against(
        name=contribution.name, header=header, run=like[0].judged_by.run, same=len(both) - len(other), other=other
    )


def told(compared: Against) -> Iterator[str]:
    header = compared.header
    onednn = {True: "on", False: "off", None: "unknown"}[header.onednn]
    yield f"contributed: TensorFlow {header.release}, {header.host.host_class} ({header.host.cpu}), oneDNN {onednn}"
    yield f"  {header.observations} observations, made {header.made[:10]}"
    if not compared.run:
        yield "  nothing like it is published: it stands alone"
        return
    yield f"  beside {compared.run}: {compared.same} cells the same, {len(compared.other)} different"
    yield from (f"    {one.cell}: published {one.published}, there {one.there}" for one in compared.other)
    if compared.taken:
        yield f"taken as {compared.taken}; no verdict rests on it"


_decoder = msgspec.json.Decoder(Header)
