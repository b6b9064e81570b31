"""Make speed runs one after the other: each runs several fresh processes and then writes its file.

The output of a process is kept in the working folder once it is whole. So an interrupted run goes on where it was, and
the statistics can be computed again without measuring.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from rich.console import Console

from matrix.base import paths
from matrix.base.errors import BadRecord, BadUsage, MachineError, MatrixError, NotBuilt
from matrix.base.files import write_whole
from matrix.base.ids import EngineName, Target
from matrix.base.structs import Strict
from matrix.catalog import releases as catalog
from matrix.catalog.suite_hash import PEERS as PEERS_FOLDER
from matrix.catalog.suite_hash import speed_sha256
from matrix.plan.due import SECONDS_AN_ENVIRONMENT, Estimate
from matrix.plan.planned_run import VARIABLES
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection
from matrix.provision import engines
from matrix.provision.engines import ENGINES
from matrix.provision.engines.protocol import Environment, Limits, Program
from matrix.record import host, speed_records
from matrix.record.folder import behind, holding
from matrix.record.speed_records import APART, Depth, SpeedRun
from matrix.run.progress import Plain, showing
from matrix.run.runner import follow
from matrix.speed import estimates
from matrix.speed.comparisons import DEPTHS
from matrix.speed.estimates import rounded
from matrix.speed.speed_stream import MAX_STREAM, Stream
from matrix.suite.speed import layers

PEERS = ("torch", "onnxruntime", "jax")
PEER_PYTHON = "3.11"
PROCESSES: dict[Depth, int] = {"quick": 3, "default": 5, "full": 5, "half": 3, "network": 3, "networks": 3}
# What a run takes, for the estimate while there are no files to learn from; measured on one core of an Intel Xeon.
SECONDS: dict[Depth, float] = {"quick": 60, "default": 300, "full": 3000, "half": 400, "network": 240, "networks": 3000}
# Compiling some variants takes minutes, during which a process sends nothing.
LIMITS = Limits(seconds=6 * 3600, silence=1800, output=MAX_STREAM + 16 * 2**20)
WORK = paths.WORK / "speed"


@dataclass(frozen=True, kw_only=True)
class Peer(Target):
    """The environment of another library, whose name is the `release`."""

    @property
    def id(self) -> str:
        return f"peer-{self.release}-py{self.python.replace('.', '')}-{self.backend}"

    def holds(self, said: str) -> bool:
        return said == self.release


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a run measures: a release under a profile, or another library; on one thread or on `threads`."""

    run: str
    target: Target
    engine: EngineName
    variables: dict[str, str]
    profile: str | None = None
    threads: int = 1

    @property
    def peer(self) -> str | None:
        return self.target.release if isinstance(self.target, Peer) else None

    @property
    def speed_sha256(self) -> str:
        return speed_sha256(peer=self.peer is not None)

    @property
    def recipe_sha256(self) -> str:
        """Raise NotBuilt where the target has no lock."""
        built = ENGINES[self.engine].recipe(self.target)
        return hashlib.sha256(f"{built} {sorted(self.variables.items())} threads {self.threads}".encode()).hexdigest()

    def has_inputs_of(self, made: SpeedRun) -> bool:
        with contextlib.suppress(NotBuilt):
            return (self.recipe_sha256, self.speed_sha256) == (made.recipe_sha256, made.speed_sha256)
        return False

    def sample_files(self, depth: Depth) -> list[Path]:
        """Return where the output of each process is kept: in a folder for these very inputs, so that samples of
        different suites or environments are never mixed.
        """
        inputs = hashlib.sha256(f"{self.recipe_sha256} {self.speed_sha256}".encode()).hexdigest()
        host_class = host.facts(self.target.backend).host_class
        folder = WORK / host_class / self.engine / f"{self.run}-{depth}-{inputs[:12]}"
        return [folder / f"process-{number}.jsonl" for number in range(PROCESSES[depth])]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asked for. `threads`: those of each process. `again`: also make the runs whose file is current."""

    selection: Selection
    peers: tuple[str, ...] = ()
    depth: Depth = "default"
    threads: int = 1
    engine: EngineName | None = None
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Session:
    """What has to be done on this machine for what was asked: `due` runs; those with a `current` file are done."""

    asked: Asked
    engine: EngineName
    engine_why: str
    due: tuple[Subject, ...]
    current: tuple[SpeedRun, ...]
    estimate: Estimate


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`made`: published runs; `unpublished`: runs that are less deep than the published file; `failed`: run and why."""

    made: tuple[SpeedRun, ...]
    unpublished: tuple[SpeedRun, ...]
    failed: tuple[tuple[str, str], ...]


def prepare(asked: Asked, reports: Path) -> Session:
    """Decide which runs are due. A file is current if it was made of the same inputs and is at least as deep. Raise
    BadUsage for a selector that names nothing.
    """
    engine, why = engines.choose(asked.engine)
    releases = select(asked.selection, engine) if asked.selection.releases else ()
    subjects = [replace(one, threads=asked.threads) for one in releases]
    if asked.peers and (asked.threads > 1 or asked.depth in APART):
        raise BadUsage("other libraries are timed layer by layer in f32 on one thread", "leave out --peer")
    subjects += [peer(name, engine) for name in asked.peers]
    if not subjects:
        raise BadUsage("nothing is named that could be timed", "name a release or a peer: --release 2.15 --peer torch")
    due, current = list[Subject](), dict[str, SpeedRun]()
    for subject in subjects:
        made = _published(subject, asked.depth, reports)
        deep_enough = made and DEPTHS.index(made.depth) >= DEPTHS.index(asked.depth)
        if made and deep_enough and not asked.again and subject.has_inputs_of(made):
            current[subject.run] = made
        else:
            due.append(subject)
    # From the files of the same runs at this depth; for a run without such a file from the median of all these files.
    timed, _ = speed_records.readable(reports)
    alike = [run for run in timed if (run.depth, run.threads > 1) == (asked.depth, asked.threads > 1)]
    known = {(run.run, run.engine): run.seconds for run in alike}
    usual = statistics.median(known.values()) if known else SECONDS[asked.depth]
    missing = Counter(subject.target for subject in due if not ENGINES[engine].is_built(subject.target))
    expected = {
        subject.run: known.get((subject.run, engine), usual)
        + (SECONDS_AN_ENVIRONMENT / missing[subject.target] if subject.target in missing else 0.0)
        for subject in due
    }
    return Session(
        asked=asked,
        engine=engine,
        engine_why=why,
        due=tuple(due),
        current=tuple(current.values()),
        estimate=Estimate(environments=len(missing), of=expected),
    )


def select(selection: Selection, engine: EngineName) -> Iterator[Subject]:
    """Select each release with oneDNN on and off where it can be switched, and with nothing set where it cannot; or
    under the profiles that are named.
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


def peer(name: str, engine: EngineName) -> Subject:
    target = Peer(release=name, python=PEER_PYTHON, backend="cpu")
    return Subject(run=target.id, target=target, engine=engine, variables=VARIABLES)


def carry_out(session: Session, reports: Path, console: Console) -> Outcome:
    """Make the due runs and write each file as soon as it is made. A run that fails is reported and left out. The
    report is not renewed.
    """
    made, unpublished, failed = list[SpeedRun](), list[SpeedRun](), list[tuple[str, str]]()
    with holding(reports), showing(console, session.estimate.of) as progress:
        for subject in session.due:
            try:
                run = _make(subject, session.asked, progress)
            except Exception as fault:  # noqa: BLE001 - whatever it is, it costs this run alone
                why = str(fault) if isinstance(fault, MatrixError) else f"a fault of the matrix itself, {fault!r}"
                failed.append((subject.run, why))
                progress.ended(subject.run, f"not measured: {why}")
                continue
            published = _publish(run, _published(subject, run.depth, reports), reports)
            (made if published else unpublished).append(published or run)
            progress.ended(run.run, f"timed in {run.seconds:g} s")
    return Outcome(made=tuple(made), unpublished=tuple(unpublished), failed=tuple(failed))


def _published(subject: Subject, depth: Depth, reports: Path) -> SpeedRun | None:
    """Return None where the run has no file on this host class, or a broken one."""
    name = subject.run + speed_records.suffix(depth, subject.threads)
    host_class = host.facts(subject.target.backend).host_class
    try:
        return speed_records.read(speed_records.path(reports, host_class, subject.engine, name))
    except (FileNotFoundError, BadRecord):
        return None


class _Head(Strict, frozen=True, kw_only=True):
    """The first line of a kept file: when the process began and what it took; its output follows."""

    started: str
    seconds: float


def _make(subject: Subject, asked: Asked, progress: Plain) -> SpeedRun:
    """Run the processes whose output is not kept, and summarise all. Raise NotBuilt, MachineError or BadRecord where
    the run cannot be measured.
    """
    environment = ENGINES[subject.engine].provision(subject.target, progress.building)
    files = subject.sample_files(asked.depth)
    # Only whole runs are made again from the start: an interrupted one goes on with its samples.
    if asked.again and all(file.exists() for file in files):
        for file in files:
            file.unlink()
    progress.timing(subject.run, len(files), len(layers.rows(asked.depth)))
    try:
        processes = [
            _kept(file) or _process(subject, environment, asked.depth, number, progress)
            for number, file in enumerate(files)
        ]
        return _summary(subject, environment, asked.depth, processes)
    finally:
        ENGINES[subject.engine].done(environment)


def _kept(file: Path) -> tuple[_Head, Stream] | None:
    """Return None where nothing is kept, or where it is broken."""
    stream = Stream()
    try:
        first, _, output = file.read_bytes().partition(b"\n")
        head = msgspec.json.decode(first, type=_Head)
        stream.feed(output)
    except (OSError, msgspec.DecodeError, BadRecord):
        return None
    return (head, stream) if stream.is_whole else None


def _process(
    subject: Subject, environment: Environment, depth: Depth, number: int, progress: Plain
) -> tuple[_Head, Stream]:
    """Run one process and keep its output. Raise MachineError or BadRecord where it does not end well."""
    stream, output, started, began = Stream(), list[bytes](), _now(), time.monotonic()

    def take(data: bytes) -> None:
        before = len(stream.timed)
        stream.feed(data)
        for _ in range(len(stream.timed) - before):
            progress.observed(subject.run)
        output.append(data)

    part = f"speed.{PEERS_FOLDER}.{subject.peer}_peer" if subject.peer else "speed"
    arguments = ["--process", str(number), "--depth", depth]
    arguments += ["--threads", "all"] if subject.threads > 1 else []
    program = Program(suite=paths.SUITE, part=part)
    process = ENGINES[subject.engine].start(environment, program, arguments, subject.variables, LIMITS)
    end = follow(process, take, LIMITS, f"{subject.run}.speed-{number}", threading.Event())
    if not stream.is_whole:
        why = stream.not_imported or stream.refused or f"process {number}: {end.reason}"
        raise (MachineError if end.machine else BadRecord)(why)
    assert stream.surroundings
    found = stream.surroundings.peer or stream.surroundings.tensorflow or ""
    if not subject.target.holds(found):
        raise BadRecord(f"the target says that it is {found}")
    head = _Head(started=started, seconds=round(time.monotonic() - began, 1))
    write_whole(subject.sample_files(depth)[number], msgspec.json.encode(head) + b"\n" + b"".join(output))
    progress.process_ended(subject.run, number, head.seconds)
    return head, stream


def _summary(
    subject: Subject, environment: Environment, depth: Depth, processes: Sequence[tuple[_Head, Stream]]
) -> SpeedRun:
    heads, streams = [head for head, _ in processes], [stream for _, stream in processes]
    surroundings = [stream.surroundings for stream in streams if stream.surroundings]
    first = surroundings[0]
    opening = streams[0].opening
    assert opening
    points = estimates.points(streams)
    return SpeedRun(
        run=subject.run,
        release=first.packages.get(subject.peer, "unknown") if subject.peer else subject.target.release,
        python=opening.python,
        backend=subject.target.backend,
        profile=subject.profile,
        peer=subject.peer,
        engine=subject.engine,
        started=min(head.started for head in heads),
        seconds=round(sum(head.seconds for head in heads), 1),
        packages=first.packages,
        recipe_sha256=subject.recipe_sha256,
        lock_sha256=environment.lock_sha256,
        speed_sha256=subject.speed_sha256,
        image_digest=environment.image_digest,
        host=host.facts(subject.target.backend),
        threads=max(around.threads for around in surroundings),
        pinned=first.pinned,
        depth=depth,
        processes=len(processes),
        onednn=first.onednn,
        import_seconds=rounded(statistics.median(around.import_seconds for around in surroundings)),
        peak={
            dtype: rounded(statistics.median(around.peak[dtype] for around in surroundings if dtype in around.peak))
            for dtype in first.peak
        },
        bandwidth=rounded(statistics.median(around.bandwidth for around in surroundings)),
        control=estimates.control(points),
        points=points,
    )


def _publish(made: SpeedRun, before: SpeedRun | None, reports: Path) -> SpeedRun | None:
    """Write the file in place of the one before; each ratio has the interval that the run before found, where its
    inputs were the same. Return what was written, or None where the published file is deeper and stays.
    """
    if before and (before.recipe_sha256, before.speed_sha256) == (made.recipe_sha256, made.speed_sha256):
        if DEPTHS.index(before.depth) > DEPTHS.index(made.depth):
            return None
        # A run that is only summarised again keeps what it had from the run before it.
        is_same_run = made.started == before.started
        intervals = {
            (point.key, ratio.variant, ratio.against): ratio.before if is_same_run else ratio.interval
            for point in before.points
            for ratio in point.ratios
        }
        points = []
        for point in made.points:
            ratios = [
                msgspec.structs.replace(ratio, before=intervals.get((point.key, ratio.variant, ratio.against)))
                for ratio in point.ratios
            ]
            points.append(msgspec.structs.replace(point, ratios=ratios))
        made = msgspec.structs.replace(made, points=points)
    write_whole(behind(reports), b"")
    speed_records.write(reports, made)
    return made


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
