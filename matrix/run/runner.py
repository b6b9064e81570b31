"""Runs the suite in a target under a profile, and makes the record of it."""

from __future__ import annotations

import datetime
import json
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from packaging.version import Version

from matrix.base import paths
from matrix.base.errors import BadRecord, MachineError, MatrixError, NotBuilt
from matrix.base.files import write_whole
from matrix.base.ids import Run
from matrix.catalog.releases import Catalog
from matrix.catalog.suite_hash import suite_parts, suite_sha256
from matrix.plan.planned_run import THREADS, Planned, recipe_sha256
from matrix.provision import emulators
from matrix.provision.engines import ENGINES
from matrix.provision.engines.protocol import Ended, Environment, Limits, Process, Program
from matrix.record import records
from matrix.record.records import CellId, Header, Observation, Record, Status
from matrix.run.stream import Imported, Stream

# For a device newer than the build the driver compiles each kernel at its first use, and the libraries lie in memory.
ON_GPU = Limits(memory=12 * 2**30)
SECONDS_A_CELL_ON_GPU = 240
LOG_KEPT = 512 * 1024

Observed = Callable[[Observation], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A planned run whose environment is ready. `arguments`: for the suite; none means all cells."""

    planned: Planned
    environment: Environment
    arguments: tuple[str, ...] = ()
    suite: Path = paths.SUITE
    limits: Limits = field(default_factory=Limits)
    stop: threading.Event = field(default_factory=threading.Event)


def on_its_device(job: Job) -> Job:
    """The same job with the limits of a GPU, or by the emulator of its planned run, with time for it."""
    if job.planned.how == "on_gpu":
        return replace(job, limits=ON_GPU)
    if not (emulator := job.planned.emulator):
        return job
    limits = replace(job.limits, seconds=emulators.SECONDS, silence=emulators.SILENCE)
    environment = replace(job.environment, launcher=emulator.launcher(job.environment.target))
    return replace(job, environment=environment, limits=limits)


def observe(job: Job, wanted: Sequence[CellId], observed: Observed) -> Record:
    """The record of a run: what is observed now, and what is kept. Whatever the target does ends as a record with its
    status and reason. Its seconds are those of all runs that it took.
    """
    started, began = _now(), time.monotonic()
    stream = Stream(wanted, observed)
    end = _follow(job, stream, (*_planned(job.planned), *job.arguments))
    if job.planned.emulator and stream.imported is None:
        end = replace(end, machine=True)  # QEMU has hung here where a processor never did
    status = _status(stream)
    if status == "complete" and (doubt := _lie(job.planned.run, stream)):
        status, end = "partial", doubt
    kept = {one.cell: one for one in job.planned.kept.observations} if job.planned.kept else {}
    found = kept | stream.observations
    if doubt := _no_device(job.planned, stream):
        status, end, found = "partial", doubt, kept
    earlier = (job.planned.kept.header.seconds or 0.0) if job.planned.kept else 0.0
    when = {"started": started, "seconds": round(earlier + time.monotonic() - began, 1)}
    why = {} if status == "complete" else {"reason": _why(stream, end)[:300], "machine": end.machine}
    order = dict.fromkeys((*job.planned.cells, *wanted))
    ordered = tuple(found[cell] for cell in order if cell in found)
    header = _header(job.planned, job, status=status, observations=len(ordered), **when, **why, **_told(stream))
    try:
        return records.decode(records.encode(Record(header=header, observations=ordered)))
    except BadRecord as fault:
        reason = f"what it said makes no record: {fault}"[:300]
        return Record(header=_header(job.planned, job, status="partial", reason=reason, observations=0, **when))


def _why(stream: Stream, end: End) -> str:
    """What made less of a run than was asked for. With its closing line a target has ended as it should."""
    if stream.not_imported:
        return stream.not_imported
    told = [stream.lies_in_words(), "" if stream.lies and stream.closing else end.reason]
    return "; ".join(filter(None, told))


def _planned(planned: Planned) -> tuple[str, ...]:
    if planned.emulator:
        return ("--seconds", str(emulators.SECONDS_A_CELL))
    if planned.how == "on_gpu":
        return ("--seconds", str(SECONDS_A_CELL_ON_GPU), "--memory", str(ON_GPU.memory))
    return ("--planned", json.dumps(planned.virtual_device)) if planned.virtual_device else ()


def describe(job: Job) -> Imported | None:
    """What the target says of itself under the profile, without observing anything; None where it cannot.

    Raise MachineError where this machine ended it.
    """
    stream = Stream(())
    end = _follow(job, stream, ("--describe",))
    if stream.imported is None and end.machine:
        raise MachineError(f"asked what it is, {end.reason}")
    return stream.imported


def default_is(job: Job, catalog: Catalog) -> Planned | None:
    """The run that `default` comes to on this host class, by what TensorFlow itself says of oneDNN."""
    planned = job.planned
    release, backend = planned.release.version, planned.run.target.backend
    names = {profile.onednn: profile for profile in catalog.profiles if profile.holds_for(release, backend)}
    if planned.profile.variables or not {True, False} <= set(names):
        return None
    told = describe(job)
    if told is None or told.onednn is None:
        return None
    profile = names[told.onednn]
    return replace(planned, run=Run(target=planned.run.target, profile=profile.name), profile=profile, kept=None)


def same_as(job: Job, other: str) -> Record:
    """The record of `default` where it is another profile under another name: line 1 alone."""
    return Record(header=_header(job.planned, job, status="not_run", same_as=other, started=_now(), observations=0))


def not_built(planned: Planned, fault: NotBuilt) -> Record:
    return _prevented(planned, fault, status="not_built", machine=fault.machine or None)


def not_run(planned: Planned, fault: MachineError) -> Record:
    """Of a run that is built, and that this machine prevented."""
    return _prevented(planned, fault, status="not_run", machine=True)


def _prevented(planned: Planned, fault: MatrixError, **fields: Any) -> Record:
    reason = f"{fault}; {fault.cure}" if fault.cure else str(fault)
    return Record(header=_header(planned, None, reason=reason[:300], started=_now(), observations=0, **fields))


@dataclass(frozen=True, kw_only=True)
class End:
    """Why there is no more, in words; `machine` where the cause is this machine's."""

    reason: str
    machine: bool | None = None


def _follow(job: Job, stream: Stream, arguments: Sequence[str]) -> End:
    """Feed the stream until the target ends, lies or passes a limit. Raise MachineError where the engine fails."""
    program = Program(suite=job.suite, part="on_gpu" if job.planned.how == "on_gpu" else "")
    process = ENGINES[job.planned.engine].start(job.environment, program, arguments, job.planned.variables, job.limits)
    end = follow(process, stream.feed, job.limits, job.planned.run.id, job.stop)
    if stream.closing:
        write_whole(paths.LOGS / f"{job.planned.run.id}.seconds.json", msgspec.json.encode(stream.closing.seconds))
    return end


def follow(process: Process, take: Callable[[bytes], None], limits: Limits, name: str, stop: threading.Event) -> End:
    """Give `take` what the process says on its reserved descriptor, until it ends, lies or passes a limit; what it says
    besides is logged under its name.
    """
    log = _Log()
    fault = None
    try:
        fault = _read(process, take, log, limits, stop)
    except BadRecord as lie:
        fault = str(lie)
    finally:
        process.kill()
        ended = process.wait()
        log.write(paths.LOGS / f"{name}.log")
    return End(reason=fault) if fault else _in_words(ended)


def _read(
    process: Process, take: Callable[[bytes], None], log: _Log, limits: Limits, stop: threading.Event
) -> str | None:
    """None at the end of both streams; else the limit that was passed."""
    now = time.monotonic()
    end, silent_until, left = now + limits.seconds, now + limits.silence, limits.output
    while (now := time.monotonic()) < min(end, silent_until) and left > 0:
        try:
            chunk = process.read(1.0)
        except EOFError:
            return None
        if stop.is_set():
            raise KeyboardInterrupt
        if chunk is None:
            continue
        silent_until, left = time.monotonic() + limits.silence, left - len(chunk[1])
        if chunk[0] == "err":
            log.add(chunk[1])
        else:
            take(chunk[1])
    if left <= 0:
        return f"it wrote more than {limits.output // 2**20} MiB"
    return f"it took more than {limits.seconds:g} s" if now >= end else f"it was silent for {limits.silence:g} s"


def _status(stream: Stream) -> Status:
    if stream.is_whole:
        return "complete"
    if stream.opening is None:
        return "not_run"
    return "not_imported" if stream.imported is None else "partial"


def _lie(run: Run, stream: Stream) -> End | None:
    """A target must be what it was built to be."""
    assert stream.imported
    if Version(stream.imported.tensorflow).release[:3] == Version(run.target.release).release[:3]:
        return None
    return End(reason=f"the target says that it is TensorFlow {stream.imported.tensorflow}")


def _no_device(planned: Planned, stream: Stream) -> End | None:
    """A GPU that TensorFlow does not find, for want of a library perhaps, it does without and without an error: what it
    then says is of the CPU, and no observation of the run.
    """
    if not planned.host.gpu or stream.imported is None or stream.imported.gpus:
        return None
    return End(reason="TensorFlow found no GPU, and ran on the CPU: see the log of the run", machine=True)


def _told(stream: Stream) -> dict[str, Any]:
    python = stream.opening.python if stream.opening else None
    if (told := stream.imported) is None:
        return {"python": python}
    return {
        "python": python,
        "packages": told.packages,
        "onednn": told.onednn,
        "gpus": told.gpus,
        "tf32": told.tf32,
        "build_info": told.build_info,
        "kernels": told.kernels,
    }


def _in_words(ended: Ended) -> End:
    """No process sends itself SIGKILL: the kernel did for want of memory, or a person."""
    if ended.oom:
        return End(reason="it was ended for want of memory", machine=True)
    if ended.status < 0:
        died_with = signal.Signals(-ended.status)
        return End(reason=f"it died with {died_with.name}", machine=died_with == signal.SIGKILL or None)
    return End(reason=f"it ended with exit status {ended.status} before its closing line")


def _header(planned: Planned, job: Job | None, **fields: Any) -> Header:
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


class _Log:
    """What the target wrote to standard error: its beginning and its end, for a person to read."""

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
