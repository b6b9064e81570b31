"""Build support.json (`support/1`): every verdict with what it rests on, for programs, the pages and the terminal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from packaging.version import Version

from matrix.base import files
from matrix.base.grouping import grouped
from matrix.base.ids import BACKENDS, Backend, EngineName, Run, is_emulated
from matrix.base.structs import Strict
from matrix.catalog.approaches import SPLIT
from matrix.catalog.known_errors import KnownError, recognise
from matrix.catalog.releases import Catalog
from matrix.catalog.suite_hash import suite_sha256
from matrix.judge.notes import causes, notes
from matrix.judge.verdicts import Answer, Judgement, Need, Question, VerdictWord
from matrix.record import records, speed_records
from matrix.record.records import Error, Evidence, Record, Release, Status
from matrix.record.speed_records import Direction, SpeedRun
from matrix.speed.comparisons import shown
from matrix.speed.speed_stream import DENSE

NEVER_MADE = "never made on any host class"


class HostEntry(Strict, frozen=True, kw_only=True, rename={"host_class": "class"}):
    """A kind of machine on which runs were made."""

    host_class: str
    cpu: str
    gpu: str | None = None
    driver: str | None = None


class RunEntry(Strict, frozen=True, kw_only=True):
    """A run that has a record, or that the catalog plans and that was never made: then it has no `engine`, and its host
    class is the one on which most was run.

    `date`: the day (UTC) it started; `record`: its path below reports/; `older_suite`: whether the record was made by
    another suite than the present one; `doubtful`: the cells of the control (one group) that fail.
    """

    run: str
    release: Release
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
    """An error text of TensorFlow, how many observations show it, and in which runs. `known`: the id of its error."""

    type: str
    message: str
    count: int
    runs: list[str]
    known: str | None = None


class Control(Strict, frozen=True, kw_only=True):
    """A/A pairs, the same program timed twice: `pairs` of them, of which `false_alarms` were called different."""

    pairs: int
    false_alarms: int


class Speed(Strict, frozen=True, kw_only=True):
    """The time of a layer as a ratio to that of `against`, measured in the same process. `floor_fraction`: the least
    time that the core could take, as a part of the measured time.
    """

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
    """An entry of the table. `deciding`: the observations that it rests on, as `run/approach/mode/check/case`.
    `seen_once`: a single run says so, and the runs before said otherwise.
    """

    release: Release
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
    seen_once: bool = False
    speed: list[Speed] = []


class Support(Strict, frozen=True, kw_only=True, tag_field="format", tag="support/1"):
    """Everything that is known, oldest release first."""

    hosts: list[HostEntry]
    runs: list[RunEntry]
    errors: list[ErrorEntry]
    control: Control
    verdicts: list[Verdict]


def build(
    catalog: Catalog,
    made: Sequence[Record],
    judgements: Sequence[Judgement],
    known: Sequence[KnownError],
    timed: Sequence[SpeedRun] = (),
) -> Support:
    """`made`: all records; `judgements`: what is concluded from them; `timed`: all speed runs."""
    cause = causes(known)
    by_run = speed_records.preferred(timed)
    beside = grouped(judgements, lambda judgement: judgement.run.place)
    verdicts = []
    for judgement in judgements:
        said = notes(judgement, beside[judgement.run.place], cause)
        verdicts.append(_verdict(judgement, said, by_run))
    hosts = {
        HostEntry(host_class=host.host_class, cpu=host.cpu, gpu=host.gpu, driver=host.driver)
        for host in (record.header.host for record in made)
    }
    profiles = {profile.name: number for number, profile in enumerate(catalog.profiles)}

    def place(entry: RunEntry | Verdict) -> tuple[Version, int, bool, str, int]:
        number, name = profiles.get(entry.profile, len(profiles)), entry.host_class
        return (Version(entry.release), BACKENDS.index(entry.backend), is_emulated(name), name, number)

    def kind(entry: HostEntry) -> tuple[bool, str, str, str, str]:
        name = entry.host_class
        return (is_emulated(name), name, entry.cpu, entry.gpu or "", entry.driver or "")

    return Support(
        hosts=sorted(hosts, key=kind),
        runs=sorted(_runs(catalog, judgements), key=place),
        errors=_errors(made, known),
        control=Control(
            pairs=sum(run.control.pairs for run in timed),
            false_alarms=sum(run.control.false_alarms for run in timed),
        ),
        verdicts=sorted(verdicts, key=place),
    )


def encode(support: Support) -> bytes:
    return files.encode(support)


def decode(data: bytes) -> Support:
    """Raise msgspec.ValidationError where the data are not support/1."""
    return _decoder.decode(data)


def question_of(entry: RunEntry | Verdict) -> Question:
    """Return what a run and its verdicts share."""
    return (entry.release, entry.backend, entry.profile, entry.host_class)


def _verdict(judgement: Judgement, said: Sequence[str], timed: Mapping[tuple[str, str], SpeedRun]) -> Verdict:
    header = judgement.run.header
    run = timed.get((header.host.host_class, header.same_as or header.run))
    speeds = []
    for point in shown(run) if run else []:
        variant = point.variant(judgement.approach)
        # Split-concat works everywhere. Where it has no time, or is itself timed, the dense convolution stands in.
        ratio = point.ratio(judgement.approach, SPLIT) or point.ratio(judgement.approach, DENSE)
        if run and variant and ratio:
            speeds.append(
                Speed(
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
            )
    return Verdict(
        release=header.release,
        backend=header.backend,
        profile=header.profile,
        host_class=header.host.host_class,
        approach=judgement.approach,
        engine=judgement.run.judged_by.engine,
        verdict=judgement.word,
        evidence=judgement.evidence,
        needs=judgement.needs,
        notes=list(said),
        counts=judgement.counts,
        deciding=list(judgement.deciding),
        seen_once=judgement.approach in (judgement.run.judged_by.seen_once or {}),
        speed=speeds,
    )


def _runs(catalog: Catalog, judgements: Iterable[Judgement]) -> list[RunEntry]:
    """Return the runs that have a record, and those that the catalog plans on their backends and that no host class has
    made. Emulated processors make no plan, and no run for another; a profile to be asked for by name is not planned.
    """
    made = []
    for judgement in {id(one.run): one for one in judgements}.values():
        header = judgement.run.header
        made.append(
            RunEntry(
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
                onednn=judgement.run.judged_by.onednn,
                older_suite=header.suite_sha256 not in {None, suite_sha256(how=header.how)},
                doubtful=["/".join(observation.cell) for observation in judgement.doubtful],
            )
        )
    real = [run for run in made if not is_emulated(run.host_class)]
    exist = {(run.release, run.backend, run.profile) for run in real}
    never_made = []
    for backend, runs in grouped(real, lambda run: run.backend).items():
        ((most, _),) = Counter(run.host_class for run in runs).most_common(1)
        never_made += [
            RunEntry(
                run=Run(target=release.target(backend), profile=profile.name).id,
                release=release.version,
                backend=backend,
                profile=profile.name,
                host_class=most,
                status="not_run",
                observations=0,
                reason=NEVER_MADE,
            )
            for profile in catalog.profiles
            for release in catalog.releases
            if not profile.by_name
            and backend in release.wheels
            and profile.holds_for(release.version, backend)
            and (release.version, backend, profile.name) not in exist
        ]
    return made + never_made


def _errors(made: Iterable[Record], known: Sequence[KnownError]) -> list[ErrorEntry]:
    """Return the most frequent error first."""
    seen: dict[Error, Counter[str]] = defaultdict(Counter)
    for record in made:
        for observation in record.observations:
            if observation.error:
                seen[observation.error][record.header.run] += 1
    entries = []
    for error, runs in seen.items():
        named = recognise(known, error.text)
        entries.append(
            ErrorEntry(
                known=named.id if named else None,
                type=error.type,
                message=error.message,
                count=runs.total(),
                runs=sorted(runs),
            )
        )
    return sorted(entries, key=lambda entry: (-entry.count, entry.type, entry.message))


_decoder = msgspec.json.Decoder(Support)
