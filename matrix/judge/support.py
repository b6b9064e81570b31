"""support.json (`support/1`): every verdict with what it rests on, for programs, for the pages, for the terminal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from packaging.version import Version

from matrix.base import files
from matrix.base.ids import BACKENDS, Backend, Run
from matrix.base.structs import Strict
from matrix.catalog.approaches import SPLIT
from matrix.catalog.known_errors import KnownError, recognise
from matrix.catalog.releases import Catalog
from matrix.catalog.suite_hash import suite_sha256
from matrix.judge.notes import causes, notes
from matrix.judge.verdicts import Answer, Judgement, Need, Question, VerdictWord
from matrix.record import records, speed_records
from matrix.record.records import Error, Evidence, Host, Record, Status
from matrix.record.speed_records import Direction, SpeedRun
from matrix.record.store import EngineName
from matrix.speed.comparisons import shown
from matrix.speed.speed_stream import DENSE

NEVER_MADE = "never made on this host class"


class HostEntry(Strict, frozen=True, kw_only=True, rename={"host_class": "class"}):
    """A machine that runs were made on."""

    host_class: str
    cpu: str
    gpu: str | None = None
    driver: str | None = None


class RunEntry(Strict, frozen=True, kw_only=True):
    """A run that the catalog plans on a host class, or that has a record there. Without an `engine` it was never made.

    `date` is the day (UTC) it started, `record` lies below reports/, `older_suite` says that the record was made by
    another suite than the present one, `doubtful` are the cells of the control, without groups, that fail.
    """

    run: str
    release: str
    backend: Backend
    profile: str
    host_class: str
    status: Status
    observations: int
    engine: EngineName | None = None
    date: str | None = None
    record: str | None = None
    reason: str | None = None
    same_as: str | None = None
    onednn: bool | None = None
    older_suite: bool = False
    doubtful: list[str] = []


class ErrorEntry(Strict, frozen=True, kw_only=True):
    """An error text of TensorFlow's, how many observations gave it, and the runs they are of."""

    type: str
    message: str
    count: int
    runs: list[str]
    known: str | None = None


class Control(Strict, frozen=True, kw_only=True):
    """Pairs of the same thing timed twice, and how many of them were called different."""

    pairs: int
    false_alarms: int


class Speed(Strict, frozen=True, kw_only=True):
    """Time of a layer as a ratio to `against`, measured in the same process; `floor_fraction` of what was possible."""

    layer: str
    batch: int
    direction: Direction
    against: str
    ratio: float
    interval: tuple[float, float]
    word: speed_records.Word
    floor_fraction: float | None = None
    run: str


class Verdict(Strict, frozen=True, kw_only=True):
    """What the table says. `deciding`: `run/approach/mode/check/case` of the observations that it rests on."""

    release: str
    backend: Backend
    profile: str
    host_class: str
    approach: str
    engine: EngineName
    verdict: VerdictWord
    needs: dict[Need, Answer]
    evidence: Evidence | None = None
    notes: list[str] = []
    counts: dict[str, int] = {}
    deciding: list[str] = []
    speed: list[Speed] = []


class Support(Strict, frozen=True, kw_only=True, tag_field="format", tag="support/1"):
    """Everything that is known, oldest release first."""

    hosts: list[HostEntry]
    runs: list[RunEntry]
    errors: list[ErrorEntry]
    control: Control
    verdicts: list[Verdict]


Entry = TypeVar("Entry", RunEntry, Verdict)


def build(
    catalog: Catalog,
    made: Sequence[Record],
    judgements: Sequence[Judgement],
    known: Sequence[KnownError],
    timed: Sequence[SpeedRun] = (),
) -> Support:
    """`judgements` are those of the records that were made; error texts are looked up among the known ones; `timed` are
    the speed runs.
    """
    cause = causes(known)
    by_run = speed_records.preferred(timed)
    beside: dict[tuple[str, str, str], list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        beside[judgement.witness.place].append(judgement)
    verdicts = [
        _verdict(judgement, notes(judgement, beside[judgement.witness.place], cause), by_run)
        for judgement in judgements
    ]
    return Support(
        hosts=_hosts(made),
        runs=_sorted(_runs(catalog, judgements), catalog),
        errors=_errors(made, known),
        control=Control(
            pairs=sum(one.control.pairs for one in timed),
            false_alarms=sum(one.control.false_alarms for one in timed),
        ),
        verdicts=_sorted(verdicts, catalog),
    )


def encode(support: Support) -> bytes:
    return files.encode(support)


def decode(data: bytes) -> Support:
    """Raise msgspec.ValidationError where the data are not support/1."""
    return _decoder.decode(data)


def question_of(entry: RunEntry | Verdict) -> Question:
    """What is the same of a run and of its verdicts."""
    return (entry.release, entry.backend, entry.profile, entry.host_class)


def _sorted(entries: Iterable[Entry], catalog: Catalog) -> list[Entry]:
    """Oldest release first, then by backend, by host class, and by profile as the catalog has them."""
    profiles = {profile.name: number for number, profile in enumerate(catalog.profiles)}
    return sorted(
        entries,
        key=lambda entry: (
            Version(entry.release),
            BACKENDS.index(entry.backend),
            entry.host_class,
            profiles.get(entry.profile, len(profiles)),
        ),
    )


def _verdict(judgement: Judgement, told: Iterable[str], timed: Mapping[tuple[str, str], SpeedRun]) -> Verdict:
    asked = judgement.witness.asked
    run = timed.get((asked.host.host_class, asked.same_as or asked.run))
    return Verdict(
        release=asked.release,
        backend=asked.backend,
        profile=asked.profile,
        host_class=asked.host.host_class,
        approach=judgement.approach,
        engine=judgement.witness.answers.engine,
        verdict=judgement.word,
        evidence=judgement.evidence,
        needs=judgement.needs,
        notes=list(told),
        counts=judgement.counts,
        deciding=list(judgement.deciding),
        speed=list(_speeds(run, judgement.approach)) if run else [],
    )


def _speeds(run: SpeedRun, approach: str) -> Iterator[Speed]:
    """Beside the way that works everywhere; where that has no time, or is itself the question, beside the convolution
    without groups.
    """
    for point in shown(run):
        variant = point.variant(approach)
        ratio = point.ratio(approach, SPLIT) or point.ratio(approach, DENSE)
        if variant and ratio:
            yield Speed(
                layer=point.layer,
                batch=point.batch,
                direction=point.direction,
                against=ratio.against,
                ratio=ratio.ratio,
                interval=ratio.interval,
                word=ratio.word,
                floor_fraction=variant.floor_fraction,
                run=run.run,
            )


def _hosts(made: Iterable[Record]) -> list[HostEntry]:
    hosts = {_host(record.header.host) for record in made}
    return sorted(hosts, key=lambda entry: (entry.host_class, entry.cpu, entry.gpu or "", entry.driver or ""))


def _host(host: Host) -> HostEntry:
    return HostEntry(host_class=host.host_class, cpu=host.cpu, gpu=host.gpu, driver=host.driver)


def _runs(catalog: Catalog, judgements: Iterable[Judgement]) -> Iterator[RunEntry]:
    """Those that have a record, and those that the catalog plans under the same profiles on the same host classes, and
    that were never made.
    """
    made = [_made(judgement) for judgement in {id(one.witness): one for one in judgements}.values()]
    yield from made
    asked = {question_of(entry) for entry in made}
    under = {(entry.backend, entry.profile, entry.host_class) for entry in made}
    for backend, host_class in dict.fromkeys((entry.backend, entry.host_class) for entry in made):
        for entry in _planned(catalog, backend, host_class):
            if question_of(entry) not in asked and (backend, entry.profile, host_class) in under:
                yield entry


def _made(judgement: Judgement) -> RunEntry:
    header = judgement.witness.asked
    return RunEntry(
        run=header.run,
        release=header.release,
        backend=header.backend,
        profile=header.profile,
        host_class=header.host.host_class,
        status=header.status,
        observations=header.observations,
        engine=header.engine,
        date=header.started[:10],
        record=records.path(Path(), header.host.host_class, header.engine, header.run).as_posix(),
        reason=header.reason,
        same_as=header.same_as,
        onednn=judgement.witness.answers.onednn,
        older_suite=header.suite_sha256 not in {None, suite_sha256(how=header.how)},
        doubtful=["/".join(observation.cell) for observation in judgement.doubtful],
    )


def _planned(catalog: Catalog, backend: Backend, host_class: str) -> Iterator[RunEntry]:
    for release in catalog.releases:
        for profile in catalog.profiles:
            if backend in release.wheels and profile.holds_for(release.version, backend):
                yield RunEntry(
                    run=Run(target=release.target(backend), profile=profile.name).id,
                    release=release.version,
                    backend=backend,
                    profile=profile.name,
                    host_class=host_class,
                    status="not_run",
                    observations=0,
                    reason=NEVER_MADE,
                )


def _errors(made: Iterable[Record], known: Sequence[KnownError]) -> list[ErrorEntry]:
    """The most frequent first."""
    seen: dict[Error, Counter[str]] = defaultdict(Counter)
    for record in made:
        for observation in record.observations:
            if observation.error:
                seen[observation.error][record.header.run] += 1
    entries = [_error(error, runs, recognise(known, error.message)) for error, runs in seen.items()]
    return sorted(entries, key=lambda entry: (-entry.count, entry.type, entry.message))


def _error(error: Error, runs: Counter[str], named: KnownError | None) -> ErrorEntry:
    return ErrorEntry(
        known=named.id if named else None,
        type=error.type,
        message=error.message,
        count=runs.total(),
        runs=sorted(runs),
    )


_decoder = msgspec.json.Decoder(Support)
