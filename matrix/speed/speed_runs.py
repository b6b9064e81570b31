"""Makes speed runs, one after the other and nothing beside them: several fresh processes each, then a file.

What a process said is kept in the working folder once it is whole, so that an interrupted run goes on where it was, and
statistics can be made again without measuring.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import statistics
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from packaging.version import Version
from rich.console import Console

from matrix.base import paths
from matrix.base.errors import BadRecord, BadUsage, MachineError, NotBuilt
from matrix.base.files import write_whole
from matrix.base.ids import Backend, EngineName, Target
from matrix.base.structs import Strict
from matrix.catalog import releases as catalog
from matrix.catalog.suite_hash import PEERS as PEERS_FOLDER
from matrix.catalog.suite_hash import speed_sha256
from matrix.plan.due import SECONDS_AN_ENVIRONMENT, Estimate
from matrix.plan.planned_run import THREADS, VARIABLES
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection
from matrix.provision import engines
from matrix.provision.engines import ENGINES
from matrix.provision.engines.protocol import Environment, Limits, Process, Program
from matrix.record import host, speed_records
from matrix.record.folder import behind, holding
from matrix.record.speed_records import Depth, SpeedRun
from matrix.run.progress import Plain, showing
from matrix.run.runner import follow
from matrix.speed import estimates
from matrix.speed.speed_stream import MAX_STREAM, Stream
from matrix.suite.speed import layers

PEERS = ("torch", "onnxruntime", "jax")
PEER_PYTHON = "3.11"
DEPTHS: tuple[Depth, ...] = ("quick", "default", "full")
PROCESSES: dict[Depth, int] = {"quick": 3, "default": 5, "full": 5}
# Until there are files to learn from; measured on one core of an Intel Xeon.
SECONDS: dict[Depth, float] = {"quick": 60, "default": 300, "full": 3000}
# Compiling some variants takes minutes, in which a process says nothing.
LIMITS = Limits(seconds=6 * 3600, silence=1800, output=MAX_STREAM + 16 * 2**20)
WORK = paths.WORK / "speed"


@dataclass(frozen=True, kw_only=True)
class Peer(Target):
    """Another library's environment; `release` is its name."""

    @property
    def id(self) -> str:
        return f"peer-{self.release}-py{self.python.replace('.', '')}-{self.backend}"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured: a release under a profile, or a peer."""

    run: str
    target: Target
    engine: EngineName
    variables: dict[str, str]
    profile: str | None = None

    @property
    def peer(self) -> str | None:
        return self.target.release if isinstance(self.target, Peer) else None

    @property
    def program(self) -> Program:
        part = f"speed.{PEERS_FOLDER}.{self.peer}_peer" if self.peer else "speed"
        return Program(suite=paths.SUITE, part=part)

    @property
    def host_class(self) -> str:
        return host.facts(self.target.backend).host_class

    @property
    def speed_sha256(self) -> str:
        return speed_sha256(peer=self.peer is not None)

    @property
    def recipe_sha256(self) -> str:
        """Raise NotBuilt where the target has no lock."""
        built = ENGINES[self.engine].recipe(self.target)
        return hashlib.sha256(f"{built} {sorted(self.variables.items())} threads {THREADS}".encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asked for; `again`: also what is current."""

    selection: Selection
    peers: tuple[str, ...] = ()
    depth: Depth = "default"
    engine: EngineName | None = None
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Session:
    """What that comes to on this machine."""

    asked: Asked
    engine: EngineName
    engine_why: str
    due: tuple[Subject, ...]
    current: tuple[SpeedRun, ...]
    estimate: Estimate


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`made` and published; `unpublished`, since what stands there is deeper; `failed`, with why."""

    made: tuple[SpeedRun, ...]
    unpublished: tuple[SpeedRun, ...]
    failed: tuple[tuple[str, str], ...]


def prepare(asked: Asked, reports: Path) -> Session:
    """Raise BadUsage for a selector that names nothing."""
    name, why = engines.choose(asked.engine)
    releases = select(asked.selection, name) if asked.selection.releases else ()
    subjects = [*releases, *(_peer(peer, name) for peer in asked.peers)]
    if not subjects:
        raise BadUsage("nothing is named that could be timed", "name a release or a peer: --release 2.15 --peer torch")
    standing = {one.run: None if asked.again else _current(one, asked.depth, reports) for one in subjects}
    due = tuple(one for one in subjects if standing[one.run] is None)
    return Session(
        asked=asked,
        engine=name,
        engine_why=why,
        due=due,
        current=tuple(made for made in standing.values() if made is not None),
        estimate=_estimate(due, asked.depth, reports),
    )


def select(selection: Selection, engine: EngineName) -> Iterator[Subject]:
    """Each release with oneDNN on and off where it can be switched, and with nothing set where it cannot; or under the
    profiles that are named.
    """
    planned = [one for one in plan_runs(catalog.load(), selection, engine) if one.virtual_device is None]
    switched = {one.run.target for one in planned if one.profile.onednn is not None}
    for one in planned:
        if selection.profiles or one.profile.onednn is not None or one.run.target not in switched:
            yield Subject(
                run=one.run.id,
                target=one.run.target,
                engine=engine,
                variables=VARIABLES | one.profile.variables,
                profile=one.profile.name,
            )


def carry_out(session: Session, reports: Path, console: Console) -> Outcome:
    """Each file is written as it comes; what cannot be measured is told and left out. The report is not renewed."""
    made, unpublished, failed = list[SpeedRun](), list[SpeedRun](), list[tuple[str, str]]()
    with holding(reports), showing(console, len(session.due)) as progress:
        for subject in session.due:
            try:
                run = _make(subject, session.asked, progress)
            except (NotBuilt, MachineError, BadRecord) as fault:
                failed.append((subject.run, str(fault)))
                progress.ended(subject.run, f"not measured: {fault}")
                continue
            published = _publish(run, reports)
            (made if published else unpublished).append(published or run)
            progress.ended(run.run, f"timed in {run.seconds:g} s")
    return Outcome(made=tuple(made), unpublished=tuple(unpublished), failed=tuple(failed))


def _peer(name: str, engine: EngineName) -> Subject:
    target = Peer(release=name, python=PEER_PYTHON, backend="cpu")
    return Subject(run=target.id, target=target, engine=engine, variables=VARIABLES)


def _standing(run: str, backend: Backend, engine: EngineName, reports: Path) -> SpeedRun | None:
    try:
        return speed_records.read(speed_records.path(reports, host.facts(backend).host_class, engine, run))
    except (FileNotFoundError, BadRecord):
        return None


def _current(subject: Subject, depth: Depth, reports: Path) -> SpeedRun | None:
    """The file of this run, where it has one of the same inputs and at least of this depth."""
    made = _standing(subject.run, subject.target.backend, subject.engine, reports)
    deep = made is not None and DEPTHS.index(made.depth) >= DEPTHS.index(depth)
    return made if made and deep and _same_inputs(made, subject) else None


def _same_inputs(made: SpeedRun, subject: Subject) -> bool:
    with contextlib.suppress(NotBuilt):
        return (made.recipe_sha256, made.speed_sha256) == (subject.recipe_sha256, subject.speed_sha256)
    return False


def _estimate(due: Sequence[Subject], depth: Depth, reports: Path) -> Estimate:
    """From the files of the same runs where there are any of this depth, else from all of it, else from a constant."""
    made = [one for one in speed_records.readable(reports)[0] if one.depth == depth]
    known = {(one.run, one.engine): one.seconds for one in made}
    usual = statistics.median(known.values()) if known else SECONDS[depth]
    missing = len({one.target for one in due if not ENGINES[one.engine].is_built(one.target)})
    seconds = sum(known.get((one.run, one.engine), usual) for one in due)
    return Estimate(environments=missing, runs=len(due), seconds=seconds + missing * SECONDS_AN_ENVIRONMENT)


def _make(subject: Subject, asked: Asked, progress: Plain) -> SpeedRun:
    """Raise NotBuilt, MachineError or BadRecord where it cannot be measured."""
    environment = ENGINES[subject.engine].provision(subject.target, progress.building)
    making = _Making(subject=subject, environment=environment, depth=asked.depth, progress=progress)
    if asked.again:
        making.forget()
    number = PROCESSES[asked.depth]
    progress.timing(subject.run, number, len(layers.rows(asked.depth)))
    try:
        return _summary(making, [making.process(place) for place in range(number)])
    finally:
        ENGINES[subject.engine].done(environment)


@dataclass(frozen=True, kw_only=True)
class _Process:
    """What a process said, when it began, and how long it took."""

    stream: Stream
    started: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class _Making:
    """A run that is being made."""

    subject: Subject
    environment: Environment
    depth: Depth
    progress: Plain

    @property
    def folder(self) -> Path:
        """Of its own for each kind of input: what an older suite said is not mixed in."""
        subject = self.subject
        inputs = hashlib.sha256(f"{subject.recipe_sha256} {subject.speed_sha256}".encode()).hexdigest()
        return WORK / subject.host_class / subject.engine / f"{subject.run}-{self.depth}-{inputs[:12]}"

    def forget(self) -> None:
        """The samples of a run that is whole; one that was interrupted goes on, also when it is made again."""
        files = [self._file(number) for number in range(PROCESSES[self.depth])]
        if all(file.exists() for file in files):
            for file in files:
                file.unlink()

    def _file(self, number: int) -> Path:
        return self.folder / f"process-{number}.jsonl"

    def process(self, number: int) -> _Process:
        """What it said earlier, where that was kept; else it is run. Raise BadRecord where it does not end well."""
        file = self._file(number)
        return _kept(file) or self._run(number, file)

    def _run(self, number: int, file: Path) -> _Process:
        stream, said, started, began = Stream(), list[bytes](), _now(), time.monotonic()

        def take(data: bytes) -> None:
            before = len(stream.timed)
            stream.feed(data)
            for _ in range(len(stream.timed) - before):
                self.progress.observed(self.subject.run)
            said.append(data)

        name = f"{self.subject.run}.speed-{number}"
        end = follow(self._start(number), take, LIMITS, name, threading.Event())
        if not stream.is_whole:
            why = stream.not_imported or stream.refused or f"process {number}: {end.reason}"
            raise (MachineError if end.machine else BadRecord)(why)
        _check(self.subject, stream)
        seconds = round(time.monotonic() - began, 1)
        write_whole(file, _head(started, seconds) + b"".join(said))
        self.progress.process_ended(self.subject.run, number, seconds)
        return _Process(stream=stream, started=started, seconds=seconds)

    def _start(self, number: int) -> Process:
        subject, arguments = self.subject, ["--process", str(number), "--depth", self.depth]
        return ENGINES[subject.engine].start(self.environment, subject.program, arguments, subject.variables, LIMITS)


class _Head(Strict, frozen=True, kw_only=True):
    """The first line of what is kept of a process; the stream follows."""

    started: str
    seconds: float


def _head(started: str, seconds: float) -> bytes:
    return msgspec.json.encode(_Head(started=started, seconds=seconds)) + b"\n"


def _kept(file: Path) -> _Process | None:
    """None where there is nothing, or nothing whole."""
    stream = Stream()
    try:
        first, _, said = file.read_bytes().partition(b"\n")
        head = msgspec.json.decode(first, type=_Head)
        stream.feed(said)
    except (OSError, msgspec.DecodeError, BadRecord):
        return None
    return _Process(stream=stream, started=head.started, seconds=head.seconds) if stream.is_whole else None


def _check(subject: Subject, stream: Stream) -> None:
    """A target must be what it was built to be."""
    told = stream.surroundings
    assert told
    said = told.peer or told.tensorflow or ""
    right = said == subject.peer if subject.peer else _is_release(said, subject.target.release)
    if not right:
        raise BadRecord(f"the target says that it is {said}")


def _is_release(said: str, release: str) -> bool:
    return Version(said).release[:3] == Version(release).release[:3]


def _summary(making: _Making, processes: Sequence[_Process]) -> SpeedRun:
    subject, environment = making.subject, making.environment
    streams = [process.stream for process in processes]
    around = [stream.surroundings for stream in streams if stream.surroundings]
    opening = streams[0].opening
    assert opening and around
    points = estimates.points(streams)
    return SpeedRun(
        run=subject.run,
        release=around[0].packages.get(subject.peer, "unknown") if subject.peer else subject.target.release,
        python=opening.python,
        backend=subject.target.backend,
        profile=subject.profile,
        peer=subject.peer,
        engine=subject.engine,
        started=min(process.started for process in processes),
        seconds=round(sum(process.seconds for process in processes), 1),
        packages=around[0].packages,
        recipe_sha256=subject.recipe_sha256,
        lock_sha256=environment.lock_sha256,
        speed_sha256=subject.speed_sha256,
        image_digest=environment.image_digest,
        host=host.facts(subject.target.backend),
        threads=max(one.threads for one in around),
        pinned=around[0].pinned,
        depth=making.depth,
        processes=len(processes),
        onednn=around[0].onednn,
        import_seconds=_middle(one.import_seconds for one in around),
        peak={dtype: _middle(one.peak[dtype] for one in around if dtype in one.peak) for dtype in around[0].peak},
        bandwidth=_middle(one.bandwidth for one in around),
        control=estimates.control(points),
        points=points,
    )


def _middle(values: Iterable[float]) -> float:
    return float(f"{statistics.median(values):.4g}")


def _publish(made: SpeedRun, reports: Path) -> SpeedRun | None:
    """As it was published: with what the run before found, where that was of the same inputs. None where what stands
    there is deeper: that says more.
    """
    before = _standing(made.run, made.backend, made.engine, reports)
    if before and _inputs(before) == _inputs(made):
        if DEPTHS.index(before.depth) > DEPTHS.index(made.depth):
            return None
        made = with_before(made, before)
    write_whole(behind(reports), b"")
    speed_records.write(reports, made)
    return made


def _inputs(made: SpeedRun) -> tuple[str, str]:
    return (made.recipe_sha256, made.speed_sha256)


def with_before(made: SpeedRun, before: SpeedRun) -> SpeedRun:
    """Each ratio with the interval that the other run found; the same run made anew keeps those it had."""
    same = made.started == before.started
    found = {
        (point.key, one.variant, one.against): one.before if same else one.interval
        for point in before.points
        for one in point.ratios
    }
    points = [
        msgspec.structs.replace(
            point,
            ratios=[
                msgspec.structs.replace(one, before=found.get((point.key, one.variant, one.against)))
                for one in point.ratios
            ],
        )
        for point in made.points
    ]
    return msgspec.structs.replace(made, points=points)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
