"""The record of a run (`run/1`): the types of its lines, and how it is read and written.

A record is hostile input wherever it comes from: its size is capped before it is decoded, and every line is checked
against the types below. `matrix/data/schema/run-1.json` is generated from them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from matrix.base import ids
from matrix.base.errors import BadRecord
from matrix.base.ids import EngineName
from matrix.base.structs import Strict
from matrix.record import dates
from matrix.record.file_format import FileFormat, Place
from matrix.suite import catalog as suite

T = TypeVar("T")
CellId = tuple[str, str, str, str]

MAX_LINE = 64 * 1024
MAX_RECORD = 4 * 1024 * 1024
MAX_OBSERVATIONS = 5_000

Status = Literal["complete", "partial", "not_built", "not_imported", "not_run"]
Outcome = Literal["pass", "wrong", "error", "crash", "timeout", "oom", "absent", "skipped"]
Check = Literal["forward", "gradient", "fusion"]
Mode = Literal["eager", "graph", "jit", "keras", "savedmodel", "tflite"]
Evidence = Literal["executed", "planned", "registered"]
Kernel = Literal[
    "grouped", "depthwise", "per-group", "loop-inside", "dense-expanded", "matmul", "custom-fusion", "unknown"
]
Epilogue = Literal["fused", "partly", "separate", "none"]
Source = Literal[
    "partition_graphs",
    "onednn_verbose",
    "optimized_hlo",
    "kernel_registry",
    "grappler_plan",
    "cudnn_log",
    "miopen_log",
    "profiler",
]

Id = Annotated[str, Meta(pattern=ids.exactly(r"[a-z0-9][a-z0-9-]{0,39}"))]
# geometry / epilogue / dtype / layout
CaseId = Annotated[str, Meta(pattern=ids.exactly(r"[a-z0-9][a-z0-9-]{0,59}(?:/[a-z0-9][a-z0-9_]{0,19}){3}"))]
ProfileName = Annotated[str, Meta(pattern=ids.exactly(ids.PROFILE))]
Release = Annotated[str, Meta(pattern=ids.exactly(ids.RELEASE))]
RunId = Annotated[str, Meta(pattern=ids.exactly(ids.without_names(ids.RUN_ID)))]
Line = Annotated[str, Meta(max_length=300)]
Sha256 = Annotated[str, Meta(pattern=ids.exactly("[0-9a-f]{64}"))]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Started = Annotated[str, Meta(pattern=ids.exactly("[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z"))]
# A run is ended long before it has taken a week.
WallTime = Annotated[float, Meta(ge=0, le=7 * 24 * 3600)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
# operation -> device -> dtypes
Kernels = Annotated[
    dict[Name, Annotated[dict[Name, Annotated[list[Name], Meta(max_length=40)]], Meta(max_length=4)]],
    Meta(max_length=40),
]
# The names of GPUs, as TensorFlow itself finds them.
Gpus = Annotated[list[Name], Meta(max_length=64)]


# `gc=False`: there are hundreds of thousands of these and none can be in a cycle; visiting them again and again took
# Python's collector longer than all else that a report does.
class Error(Strict, frozen=True, kw_only=True, gc=False):
    type: Annotated[str, Meta(max_length=100)]
    message: Line

    @property
    def text(self) -> str:
        """Both on one line, as Python prints them last: known errors are recognised by this."""
        return f"{self.type}: {self.message}"


class Fusion(Strict, frozen=True, kw_only=True, gc=False):
    kernel: Kernel
    epilogue: Epilogue
    ops: Annotated[dict[Name, Count], Meta(max_length=64)]
    source: Source


class Observation(Strict, frozen=True, kw_only=True, gc=False):
    """How a cell came out in a run. `rel_err`: relative error of the result, in the Frobenius norm."""

    approach: Id
    mode: Mode
    check: Check
    case: CaseId
    outcome: Outcome
    evidence: Evidence
    error: Error | None = None
    fusion: Fusion | None = None
    rel_err: Annotated[float, Meta(ge=0)] | None = None
    signal: Annotated[str, Meta(pattern=ids.exactly("SIG[A-Z0-9+]{2,12}"))] | None = None
    reason: Line | None = None

    @property
    def cell(self) -> CellId:
        return (self.approach, self.mode, self.check, self.case)


class Host(Strict, frozen=True, kw_only=True, rename={"host_class": "class"}):
    """The machine of a run. `cpu_flags`: only the flags by which convolution kernels are chosen. `vendor`: as
    /proc/cpuinfo names it, where it was recorded.
    """

    host_class: Id
    cpu: Name
    vendor: Name | None = None
    cpu_flags: list[Annotated[str, Meta(pattern=ids.exactly("[a-z0-9_]{1,40}"))]]
    cores: Count
    kernel: Name
    gpu: Name | None = None
    driver: Name | None = None


class Given(Strict, frozen=True, kw_only=True):
    """What was set for a run, as its process was given it: variables, and options of TensorFlow's graph optimizer, of
    which `jit` is set_jit(True). The variables that every run has are not among them.
    """

    environment: Annotated[
        dict[Annotated[str, Meta(pattern=ids.exactly("[A-Z0-9_]{1,100}"))], Annotated[str, Meta(max_length=200)]],
        Meta(max_length=20),
    ]
    optimizer: Annotated[
        dict[Annotated[str, Meta(pattern=ids.exactly("[a-z0-9_]{1,100}"))], bool], Meta(max_length=20)
    ] = {}


class Header(Strict, frozen=True, kw_only=True, tag_field="format", tag="run/1"):
    """Line 1 of a record: the run, and everything that decides with which other runs it can be compared.

    `machine`: the reason lies with this machine (disk, memory, network, engine), and says nothing about TensorFlow.
    `seconds`: wall time.
    `base`: the image that the target's image was built on: its reference, and the digest that was really used.
    `loosened`: the parts of the engine's confinement that could not be kept, or were given up for a device.
    `seen_once`: the approaches whose verdict is another than by the record before, of the same suite and environment,
    with the verdict that was last confirmed: this run alone says otherwise.
    `depth`: how much was observed; a record without it was made before there was a choice, and observed all.
    `onednn_isa`: the instructions that oneDNN says it uses, in its own words; a profile can cap them.
    `setting`: what was set, whatever the profile of that name sets now; a record without it is older than this key, and
    ran under the profile of its name.
    """

    run: RunId
    release: Name
    python: Name
    backend: ids.Backend
    profile: ProfileName
    engine: EngineName
    status: Status
    started: Started
    reason: Line | None = None
    machine: bool | None = None
    same_as: RunId | None = None
    seconds: WallTime | None = None
    packages: Annotated[dict[Name, Name], Meta(max_length=200)] | None = None
    recipe_sha256: Sha256 | None = None
    lock_sha256: Sha256 | None = None
    suite_sha256: Sha256 | None = None
    suite_parts: (
        Annotated[dict[Name, Annotated[str, Meta(pattern=ids.exactly("[0-9a-f]{12}"))]], Meta(max_length=50)] | None
    ) = None
    image_digest: Name | None = None
    base: Name | None = None
    loosened: Annotated[list[Line], Meta(max_length=20)] | None = None
    host: Host
    threads: Count | None = None
    onednn: bool | None = None
    onednn_isa: Line | None = None
    setting: Given | None = None
    depth: ids.Depth | None = None
    gpus: Gpus = []
    tf32: bool | None = None
    build_info: Annotated[dict[Name, str | bool | int | list[str]], Meta(max_length=50)] | None = None
    planned_for: Annotated[dict[Name, str], Meta(max_length=20)] | None = None
    kernels: Kernels | None = None
    seen_once: Annotated[dict[Id, Id], Meta(max_length=100)] | None = None
    observations: Annotated[int, Meta(ge=0, le=MAX_OBSERVATIONS)]

    @property
    def is_full(self) -> bool:
        return self.depth != "core"

    def same_parts(self, parts: Mapping[str, str]) -> set[str]:
        """Name the parts of the suite that are the same in the run as these."""
        own = self.suite_parts or {}
        return {part for part, sha256 in parts.items() if own.get(part) == sha256}

    @property
    def how(self) -> ids.How:
        return "planned" if self.planned_for is not None else "on_gpu" if self.host.gpu else "executed"


@dataclass(frozen=True, kw_only=True)
class Record:
    """A run and its observations, in the order of the suite's cells."""

    header: Header
    observations: tuple[Observation, ...] = ()


def read_all(reports: Path) -> Iterator[Record]:
    """Yield every record under `reports`, in the order of their paths."""
    for file in files(reports):
        yield read(file)


def headers(reports: Path) -> Iterator[Header]:
    return headers_of(files(reports))


def headers_of(found: Iterable[Path]) -> Iterator[Header]:
    """Line 1 of every record whose line 1 can be read; broken records are passed over."""
    for file in found:
        with contextlib.suppress(BadRecord):
            yield decode_line(_header_decoder, RUNS.start_of(file, MAX_LINE).partition(b"\n")[0])


def encode(record: Record) -> bytes:
    return _encoder.encode_lines((record.header, *record.observations))


def decode(data: bytes) -> Record:
    """Raise BadRecord, naming the line and what is wrong with it."""
    if len(data) > MAX_RECORD:
        raise BadRecord(f"is larger than {MAX_RECORD // 2**20} MiB")
    if not data.endswith(b"\n"):
        raise BadRecord("is cut off: its last line has no end")
    first, *rest = data[:-1].split(b"\n")
    header = decode_line(_header_decoder, first, 1)
    if len(rest) != header.observations:
        raise BadRecord(f"line 1 promises {header.observations} observations, {len(rest)} follow")
    try:
        _check(header)
    except BadRecord as fault:
        raise BadRecord(f"line 1: {fault}") from None
    return Record(header=header, observations=decode_observations(rest))


def decode_known(data: bytes) -> Record:
    """Decode a record that can be judged. Raise BadRecord where it names an approach that the suite does not know: no
    rule and no page has anything to say of it.
    """
    record = decode(data)
    if strangers := {one.approach for one in record.observations} - suite.APPROACHES.keys():
        raise BadRecord(f"names approaches that this suite does not know: {', '.join(sorted(strangers)[:5])}")
    return record


def _check(header: Header) -> None:
    """Raise BadRecord where the keys of line 1 contradict each other."""
    run = ids.parse_run(header.run)
    named = (header.release, header.backend, header.profile)
    if named != (run.target.release, run.target.backend, run.profile):
        raise BadRecord(f"the run {header.run} is not of {' '.join(named)}")
    if header.same_as and ids.parse_run(header.same_as).target != run.target:
        raise BadRecord(f"{header.same_as} is not of the same target")
    if header.status != "complete" and not (header.reason or header.same_as):
        raise BadRecord(f"status {header.status} has no reason")
    if header.backend == "cpu" and (header.host.gpu or header.planned_for):
        raise BadRecord("a run on the processor names a GPU")
    says_something = header.status in {"complete", "partial", "not_imported"} or header.same_as
    if says_something and not (header.suite_sha256 and header.lock_sha256):
        raise BadRecord("suite and lock must have their hashes, or nobody knows what was run")
    dates.check(header.started)


def decode_observations(lines: Sequence[bytes]) -> tuple[Observation, ...]:
    """Decode the lines behind line 1. Raise BadRecord where a line is no observation, or repeats a cell."""
    # Decoding all lines at once takes half the time. It is trusted only if each line begins and ends as an object does
    # and there are as many objects as lines: then no line holds two objects, and no object spans two lines.
    decoded: list[Observation] = []
    if all(line[:1] == b"{" and line[-1:] == b"}" and len(line) <= MAX_LINE for line in lines):
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            decoded = _observation_decoder.decode_lines(b"\n".join(lines))
    if len(decoded) != len(lines):
        decoded = [decode_line(_observation_decoder, line, number) for number, line in enumerate(lines, 2)]
    if len({observation.cell for observation in decoded}) != len(decoded):
        raise BadRecord("a cell is observed twice")
    return tuple(decoded)


def decode_line(decoder: msgspec.json.Decoder[T], line: bytes, number: int | None = None) -> T:
    """Decode one line of a record or of a target's stream. Raise BadRecord where it is not what the decoder expects."""
    where = "" if number is None else f"line {number}: "
    if len(line) > MAX_LINE:
        raise BadRecord(f"{where}is longer than {MAX_LINE // 1024} KiB")
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise BadRecord(f"{where}{fault}") from None


_encoder = msgspec.json.Encoder(order="sorted")
_header_decoder = msgspec.json.Decoder(Header)
_observation_decoder = msgspec.json.Decoder(Observation)

RUNS = FileFormat[Record](
    ending=".jsonl",
    most_bytes=MAX_RECORD,
    encode=encode,
    decode=decode_known,
    place=lambda record: Place(record.header.host.host_class, record.header.engine, record.header.run),
)
path, files, read, readable, write = RUNS.path, RUNS.files, RUNS.read, RUNS.readable, RUNS.write
