"""Runs the suite in a target under a profile, and makes the record of the run."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from matrix.base import paths
from matrix.base.errors import BadRecord, MachineError, MatrixError, NotBuilt
from matrix.base.files import write_whole
from matrix.base.ids import Run
from matrix.base.text import plain
from matrix.catalog.releases import Catalog
from matrix.catalog.suite_hash import suite_parts, suite_sha256
from matrix.plan.planned_run import THREADS, PlannedRun, recipe_sha256
from matrix.provision import emulators
from matrix.provision.engines import ENGINES
from matrix.provision.engines.protocol import Environment, Limits, Process, Program
from matrix.record import records
from matrix.record.host import keeps_to
from matrix.record.records import CellId, Given, Header, Observation, Record, Status
from matrix.run.stream import Stream

# The driver compiles each kernel at its first use for a device newer than the build; the libraries lie in memory.
ON_GPU = Limits(memory=12 * 2**30)
SECONDS_A_CELL_ON_GPU = 240
LOG_KEPT = 512 * 1024
MISSING = re.compile(r"ImportError: [A-Za-z0-9_.+-]{1,80}: cannot open shared object file", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A planned run whose environment is ready. `arguments`: patterns of cells for the suite; none means all cells."""

    planned: PlannedRun
    environment: Environment
    arguments: tuple[str, ...] = ()
    suite: Path = paths.SUITE
    limits: Limits = field(default_factory=Limits)
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, kw_only=True)
class End:
    """Why a target says nothing more, in words; `machine` where this machine is the cause."""

    reason: str
    machine: bool | None = None


def on_its_device(job: Job) -> Job:
    """Give the job the limits of a GPU, or the emulator of its planned run and time for it."""
    if job.planned.how == "on_gpu":
        return replace(job, limits=ON_GPU)
    if not (emulator := job.planned.emulator):
        return job
    limits = replace(job.limits, seconds=emulators.SECONDS, silence=emulators.SILENCE)
    environment = replace(job.environment, launcher=emulator.launcher(job.environment.target))
    return replace(job, environment=environment, limits=limits)


def observe(job: Job, wanted: Sequence[CellId], observed: Callable[[Observation], None]) -> Record:
    """Run the suite, and return the record with what is observed now and what the planned run keeps.

    Whatever the target does ends as a record with a status and a reason. The record's seconds are those of all the runs
    that it took.
    """
    planned, kept = job.planned, job.planned.kept
    started, began = _now(), time.monotonic()
    stream = Stream(wanted, observed)
    end = _follow(job, stream, (*_options(planned), *job.arguments))
    status, imported = _status(stream), stream.imported
    if planned.emulator and imported is None:
        end = replace(end, machine=True)  # QEMU has hung here where a processor never did
    if status == "complete" and imported and not planned.run.target.holds(imported.tensorflow):
        status, end = "partial", End(reason=f"the target says that it is TensorFlow {imported.tensorflow}")
    found = {observation.cell: observation for observation in kept.observations} if kept else {}
    if planned.host.gpu and imported and not imported.gpus:
        # TensorFlow does not fail where it finds no GPU (a library may be missing): it runs on the CPU, and what is
        # seen there is no observation of this run.
        status = "partial"
        end = End(reason="TensorFlow found no GPU, and ran on the CPU: see the log of the run", machine=True)
    elif (cap := planned.profile.cap) and imported and not keeps_to(cap, imported.onednn_isa):
        status = "partial"
        end = End(reason=f"oneDNN was to keep to {cap}, and says of itself: {imported.onednn_isa or 'nothing'}")
    else:
        found |= stream.observations

    earlier = (kept.header.seconds or 0.0) if kept else 0.0
    when = {"started": started, "seconds": round(earlier + time.monotonic() - began, 1)}
    fields: dict[str, Any] = {"python": stream.opening.python if stream.opening else None}
    if imported:
        names = ("packages", "onednn", "onednn_isa", "depth", "gpus", "tf32", "build_info", "kernels")
        fields |= {name: getattr(imported, name) for name in names}
    if status != "complete":
        # A target that has sent its closing line has ended as it should: only its lies are to blame then.
        faults = (stream.lies_in_words(), "" if stream.lies and stream.closing else end.reason)
        reason = _why_not_imported(planned.run, stream.not_imported) or "; ".join(filter(None, faults))
        fields |= {"reason": reason[:300], "machine": end.machine}
    ordered = tuple(found[cell] for cell in dict.fromkeys((*planned.cells, *wanted)) if cell in found)
    header = _header(planned, job, status=status, observations=len(ordered), **when, **fields)
    try:
        return records.decode(records.encode(Record(header=header, observations=ordered)))
    except BadRecord as fault:
        reason = f"what it said makes no record: {fault}"[:300]
        return Record(header=_header(planned, job, status="partial", reason=reason, observations=0, **when))


def _why_not_imported(run: Run, said: str | None) -> str | None:
    """Name the library that is missing. Old releases hide it behind tracebacks, of which the target says the beginning
    alone; its log has all.
    """
    with contextlib.suppress(OSError):
        log = (paths.LOGS / f"{run.id}.log").read_text(encoding="utf-8", errors="replace")
        if said and (missing := MISSING.findall(log)):
            return str(missing[-1])
    return said


def _options(planned: PlannedRun) -> tuple[str, ...]:
    """Return the suite's options for the depth and the device of the run."""
    if planned.virtual_device:
        return ("--planned", json.dumps(planned.virtual_device))
    depth = ("--depth", planned.depth)
    if planned.emulator:
        return (*depth, "--seconds", str(emulators.SECONDS_A_CELL))
    if planned.how == "on_gpu":
        return (*depth, "--seconds", str(SECONDS_A_CELL_ON_GPU), "--memory", str(ON_GPU.memory))
    return depth


def _status(stream: Stream) -> Status:
    if stream.is_whole:
        return "complete"
    if stream.opening is None:
        return "not_run"
    return "not_imported" if stream.imported is None else "partial"


def default_is(job: Job, catalog: Catalog) -> PlannedRun | None:
    """Return the run that `default` is another name of on this host class, by what TensorFlow itself says of oneDNN.

    None where there is no such run. Raise MachineError where this machine kept TensorFlow from saying it.
    """
    planned = job.planned
    release, backend = planned.release.version, planned.run.target.backend
    by_onednn = {profile.onednn: profile for profile in catalog.profiles if profile.holds_for(release, backend)}
    if planned.profile.variables or not {True, False} <= set(by_onednn):
        return None
    stream = Stream(())
    end = _follow(job, stream, ("--describe",))
    if stream.imported is None and end.machine:
        raise MachineError(f"asked what it is, {end.reason}")
    if stream.imported is None or stream.imported.onednn is None:
        return None
    profile = by_onednn[stream.imported.onednn]
    return replace(planned, run=Run(target=planned.run.target, profile=profile.name), profile=profile, kept=None)


def same_as(job: Job, other: str) -> Record:
    """Return the record of a `default` that is another profile under another name: line 1 alone."""
    return Record(header=_header(job.planned, job, status="not_run", same_as=other, started=_now(), observations=0))


def not_built(planned: PlannedRun, fault: NotBuilt) -> Record:
    return _prevented(planned, fault, status="not_built", machine=fault.machine or None)


def not_run(planned: PlannedRun, fault: MachineError) -> Record:
    """Return the record of a run whose target is built, and that this machine prevented."""
    return _prevented(planned, fault, status="not_run", machine=True)


def broken(planned: PlannedRun, fault: Exception) -> Record:
    """Return the record of a run that a fault of the matrix itself has ended, and log the traceback.

    The fault says nothing about TensorFlow. It ends this run alone, and the next call tries the run again.
    """
    log = paths.LOGS / f"{planned.run.id}.traceback.log"
    with contextlib.suppress(MachineError):  # where even this cannot be written, the reason must do
        write_whole(log, "".join(traceback.format_exception(fault)).encode("utf-8", "backslashreplace"))
    what = plain(f"a fault of the matrix itself, {type(fault).__name__}: {fault}", limit=200)
    return _prevented(planned, MachineError(what, f"see {log.name}"), status="not_run", machine=True)


def _prevented(planned: PlannedRun, fault: MatrixError, **fields: Any) -> Record:
    reason = f"{fault}; {fault.cure}" if fault.cure else str(fault)
    return Record(header=_header(planned, None, reason=reason[:300], started=_now(), observations=0, **fields))


def _header(planned: PlannedRun, job: Job | None, **fields: Any) -> Header:
    """Make line 1 of the record. Without a job nothing is known of the environment."""
    run = planned.run
    if job is not None:
        fields |= {
            "recipe_sha256": recipe_sha256(planned, job.environment.recipe_sha256),
            "lock_sha256": job.environment.lock_sha256,
            "image_digest": job.environment.image_digest,
            "base": job.environment.base,
            "loosened": list(job.environment.loosened) or None,
            "suite_sha256": suite_sha256(job.suite, planned.how),
            "suite_parts": suite_parts(job.suite, planned.how),
            "threads": THREADS,
            "setting": Given(environment=planned.profile.environment, optimizer=planned.profile.optimizer),
        }
    fields["python"] = fields.get("python") or run.target.python
    return Header(
        run=run.id,
        release=run.target.release,
        backend=run.target.backend,
        profile=run.profile,
        engine=planned.engine,
        host=planned.host,
        planned_for=planned.virtual_device,
        **fields,
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _follow(job: Job, stream: Stream, arguments: Sequence[str]) -> End:
    """Start the suite and feed the stream. Raise MachineError where the engine fails."""
    program = Program(suite=job.suite)
    process = ENGINES[job.planned.engine].start(job.environment, program, arguments, job.planned.variables, job.limits)
    end = follow(process, stream.feed, job.limits, job.planned.run.id, job.stop)
    if stream.closing:
        spent, log = stream.closing.seconds, paths.LOGS / f"{job.planned.run.id}.log"
        write_whole(log.with_suffix(".seconds.json"), msgspec.json.encode(spent))
        write_whole(log, log.read_bytes() + f"\nwhere the time went: {where(spent)}\n".encode())
    return end


def where(spent: Mapping[str, float]) -> str:
    """Tell what the suite has spent its seconds on, most first, and the whole: `jit forward 20.1 s; all 60.2 s`."""
    parts = sorted(((seconds, what) for what, seconds in spent.items() if what != "all"), reverse=True)
    told = ", ".join(f"{what} {seconds:.1f} s" for seconds, what in parts)
    return f"{told}; all {spent['all']:.1f} s" if "all" in spent else told


def follow(process: Process, take: Callable[[bytes], None], limits: Limits, name: str, stop: threading.Event) -> End:
    """Give `take` what the process writes to its reserved descriptor, until it ends, lies or passes a limit.

    What the process writes to standard error is logged under `name`. Raise KeyboardInterrupt once `stop` is set.
    """
    log, fault = _Log(), None
    try:
        fault = _read(process, take, log, limits, stop)
    except BadRecord as lie:
        fault = str(lie)
    finally:
        process.kill()
        ended = process.wait()
        log.write(paths.LOGS / f"{name}.log")
    if fault:
        return End(reason=fault)
    if ended.oom:
        return End(reason="it was ended for want of memory", machine=True)
    if ended.status < 0:
        number = -ended.status
        # No process sends itself SIGKILL: the kernel did for want of memory, or a person.
        return End(reason=f"it died with {signal_name(number)}", machine=number == signal.SIGKILL or None)
    return End(reason=f"it ended with exit status {ended.status} before its closing line")


def signal_name(number: int) -> str:
    """`SIGSEGV`, or `SIGRTMIN+n`: Python has no name for most real-time signals."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN{number - signal.SIGRTMIN:+}"


def _read(
    process: Process, take: Callable[[bytes], None], log: _Log, limits: Limits, stop: threading.Event
) -> str | None:
    """Read both streams to their end, and return None; or say which limit was passed before it."""
    now = time.monotonic()
    end, silent_until, left = now + limits.seconds, now + limits.silence, limits.output
    while (now := time.monotonic()) < min(end, silent_until) and left > 0:
        try:
            chunk = process.read(1.0)
        except EOFError:
            return None
        if stop.is_set():
            raise KeyboardInterrupt
        if chunk:
            stream, data = chunk
            silent_until, left = time.monotonic() + limits.silence, left - len(data)
            (log.add if stream == "err" else take)(data)
    if left <= 0:
        return f"it wrote more than {limits.output // 2**20} MiB"
    return f"it took more than {limits.seconds:g} s" if now >= end else f"it was silent for {limits.silence:g} s"


class _Log:
    """The beginning and the end of what a target wrote to standard error, for a person to read."""

    def __init__(self) -> None:
        self._begin = b""
        self._end = b""

    def add(self, data: bytes) -> None:
        room = LOG_KEPT - len(self._begin)
        self._begin += data[:room]
        self._end = (self._end + data[room:])[-LOG_KEPT:] if room < len(data) else self._end

    def write(self, path: Path) -> None:
        cut = b"\n[... cut ...]\n" if len(self._end) == LOG_KEPT else b""
        write_whole(path, self._begin + cut + self._end)
