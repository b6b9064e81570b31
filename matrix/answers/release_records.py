"""The records of one release, read without reading the others: a question about a release must not wait for all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from matrix.answers.nearest_release import Nearest, nearest
from matrix.base import ids
from matrix.base.errors import BadRecord, BadUsage
from matrix.base.structs import Strict
from matrix.catalog.releases import Profiles
from matrix.judge import processors
from matrix.judge.processors import Agreement
from matrix.judge.settings import differences, is_plain
from matrix.judge.verdicts import JudgedRun, judged_runs
from matrix.record import records, speed_records
from matrix.record.records import Header, Record
from matrix.record.speed_records import SpeedRun

if TYPE_CHECKING:
    from matrix.answers.processor import Processor


class Borrowed(Strict, frozen=True, kw_only=True):
    """A run of another host class that answers for the processor that was asked about. `agreement`: how that class
    agrees with the processor's under the same profile, on the nearest release that both have; None where none can be
    compared.
    """

    run: str
    host_class: str
    agreement: Agreement | None = None


@dataclass(frozen=True, kw_only=True)
class ReleaseRecords:
    """The records of the releases that an answer is given from. `judged_runs`: of each release and profile the run of
    the host class that answers best, which is `host_class` where that has one; `elsewhere`: the other host classes'
    runs. `timed`: speed runs by release, likewise. `borrowed`: what answers for a processor, though another class ran
    it.
    """

    nearest: Nearest
    host_class: str
    judged_runs: tuple[JudgedRun, ...]
    elsewhere: tuple[JudgedRun, ...] = ()
    timed: Mapping[str, list[SpeedRun]] = field(default_factory=dict)
    borrowed: tuple[Borrowed, ...] = ()

    def runs(self, release: str) -> list[JudgedRun]:
        """Return the runs with observations of their own; a run that is the same as another is left out."""
        return [one for one in self.judged_runs if one.header.release == release and not one.header.same_as]

    def under(self, release: str, profile: str) -> JudgedRun:
        """Return the run with what a profile does there: its own, or the one that it is the same as.

        Raise BadUsage where none was recorded.
        """
        ours = {one.header.run: one for one in self.judged_runs if one.header.release == release}
        own = next((one for one in ours.values() if one.header.profile == profile), None)
        found = ours.get(own.header.same_as) if own and own.header.same_as else own
        if not found:
            profiles = ", ".join(one.header.profile for one in self.runs(release))
            raise BadUsage(f"{release} has no record under {profile}", f"recorded are: {profiles}")
        return found

    def alike(self, run: JudgedRun) -> list[JudgedRun]:
        """Return the runs of the same release and setting on other host classes."""
        return [
            one
            for one in self.elsewhere
            if one.judged_by.observations
            and (one.header.release, one.header.profile) == (run.header.release, run.header.profile)
            and not differences(one.judged_by, run.judged_by)
        ]

    def default_profile(self, release: str) -> str | None:
        """Return the profile that TensorFlow comes to with nothing set; None where that was not recorded."""
        default = self._default(release)
        return ids.parse_run(default.header.same_as or default.header.run).profile if default else None

    def default_profile_on(self, processor: Processor | None, release: str, profiles: Profiles) -> str | None:
        """For a processor of another host class, the default profile follows from TensorFlow's own rule for oneDNN."""
        recorded, default = self.default_profile(release), self._default(release)
        if processor is None or default is None or recorded == "default":
            return recorded
        there = default.header.host.host_class.removesuffix(ids.EMULATED)
        if there == processor.host_class:
            return recorded
        on = processor.has_onednn_on(release)
        return next((profile.name for profile in profiles.values() if on is not None and profile.onednn is on), None)

    def _default(self, release: str) -> JudgedRun | None:
        defaults = (one for one in self.judged_runs if one.header.profile == "default")
        return next((one for one in defaults if one.header.release == release), None)


def releases(reports: Path, backend: str) -> list[str]:
    """Return the releases with observations on the backend."""
    files: dict[str, list[Path]] = {}
    for file in records.files(reports):
        if name := re.match(ids.TARGET_ID, file.name):
            files.setdefault(name["release"] * (name["backend"] == backend), []).append(file)
    files.pop("", None)
    # Only until one has observations: reading line 1 of all takes longer than the rest of an answer.
    return [name for name, of_it in files.items() if any(header.observations for header in records.headers_of(of_it))]


def load(reports: Path, release: str, backend: str, processor: Processor | None = None) -> ReleaseRecords:
    """Read the records that answer best for the processor, or else those of the host class that has most of all.

    What was executed counts before what was planned, wherever it was. Raise BadUsage where the backend has no record.
    """
    chosen = nearest(release, releases(reports, backend))
    made = list(_read(reports, (f"*/*/tf{name}-py*-{backend}+*.jsonl" for name in chosen.releases)))

    def timed(wanted: str, name: str) -> list[SpeedRun]:
        return _timed(reports, wanted, name, backend)

    def ran(host_class: str) -> int:
        files = (reports / "runs" / host_class).glob(f"*/tf*-{backend}+*{records.RUNS.ending}")
        return len({file.name for file in files})

    found = answering(chosen, judged_runs(made), timed, ran, processor)
    borrowed = _borrowed(reports, found.judged_runs, processor) if processor and backend == "cpu" else ()
    return replace(found, borrowed=tuple(borrowed))


def answering(
    chosen: Nearest,
    judged: Sequence[JudgedRun],
    timed: Callable[[str, str], list[SpeedRun]],
    ran: Callable[[str], int],
    processor: Processor | None,
) -> ReleaseRecords:
    """Choose among the runs of the chosen releases. `timed` gives a release's speed runs for a host class; `ran`: how
    many runs a class has in all releases, so that one that ran a few does not answer for these alone. What is borrowed
    is not looked up.
    """
    headers = [run.header for run in judged if run.header.observations]
    classes = [one.host.host_class for one in [one for one in headers if one.how != "planned"] or headers]
    if not classes:
        raise BadUsage("the records of that release cannot be read", "nox -s report names what is wrong with them")
    most = max(sorted(set(classes)), key=lambda name: (not ids.is_emulated(name), ran(name)))
    wanted = processor.host_class if processor else most
    order = processors.nearest(wanted, set(classes))
    best: dict[tuple[str, str], JudgedRun] = {}
    runs = [one for one in judged if one.header.host.host_class in order]
    for one in sorted(runs, key=lambda one: (not one.judged_by.observations, order.index(one.header.host.host_class))):
        best.setdefault((one.header.release, one.header.profile), one)
    ours = [one for one in runs if best[one.header.release, one.header.profile] is one]
    return ReleaseRecords(
        nearest=chosen,
        host_class=order[0],
        judged_runs=tuple(ours),
        elsewhere=tuple(one for one in runs if one not in ours),
        timed={name: timed(wanted, name) for name in chosen.releases},
    )


def borrowed_in_words(borrowed: Iterable[Borrowed]) -> Iterator[str]:
    """Say whose records answer, and how far that host class agrees with what is nearest to the processor."""
    for one in borrowed:
        said = "nothing was run on both that could be compared"
        if found := one.agreement:
            pair = f"{found.host_class} and {found.other}"
            said = f"on {found.release} {processors.agreement_in_words(found)}, between {pair}"
        yield f"{one.run} on {one.host_class}: {said}"


def _borrowed(reports: Path, runs: Iterable[JudgedRun], processor: Processor) -> Iterator[Borrowed]:
    """Find what other host classes answer where oneDNN alone is set, and compare them with the processor's own class.

    Where that has no record at all, the recorded class that is nearest to it stands in.
    """
    order = processors.nearest(processor.host_class, [folder.name for folder in (reports / "runs").iterdir()])
    for run in runs:
        header, name = run.judged_by, run.header.host.host_class
        if name != processor.host_class and is_plain(header) and header.observations and not run.header.same_as:
            like = next((other for other in order if other != name), name)
            yield Borrowed(run=header.run, host_class=name, agreement=_agreement(reports, header, like))


def _agreement(reports: Path, header: Header, other: str) -> Agreement | None:
    """Compare the run's host class with another under the run's profile, on the nearest release that both have."""
    classes = (header.host.host_class, other)
    ours, theirs = (
        {file.name for file in (reports / "runs" / name).glob(f"*/*-cpu+{header.profile}{records.RUNS.ending}")}
        for name in classes
    )

    def distance(name: str) -> tuple[int, ...]:
        release = Version(ids.parse_run(name.removesuffix(records.RUNS.ending)).target.release).release
        pairs = zip(release, Version(header.release).release, strict=False)
        return tuple(abs(there - here) for there, here in pairs)

    for name in sorted(ours & theirs, key=distance):
        if found := processors.agreements(_read(reports, (f"{each}/*/{name}" for each in classes))):
            return found[0]
    return None


def _read(reports: Path, patterns: Iterable[str]) -> Iterator[Record]:
    """Read the records below `runs/` whose paths match; pass over those that cannot be read."""
    for pattern in patterns:
        for file in sorted((reports / "runs").glob(pattern)):
            try:
                yield records.read(file)
            except BadRecord:
                continue


def _timed(reports: Path, wanted: str, release: str, backend: str) -> list[SpeedRun]:
    """Return the release's speed runs on the host class nearest to the one that is wanted."""
    files = (reports / "runs").glob(f"*/*/tf{release}-py*-{backend}+*{speed_records.ENDING}")
    order = processors.nearest_timed(wanted, {file.parent.parent.name for file in files})
    found = (speed_records.of_release(reports, name, release, backend) for name in order)
    return next(filter(None, found), [])
