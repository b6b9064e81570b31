"""The records of a release, read without reading the others: a question about one must not wait for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matrix.answers.nearest_release import Found, find
from matrix.base import ids
from matrix.base.errors import BadRecord, BadUsage
from matrix.catalog.releases import Catalog
from matrix.judge.verdicts import JudgedRun, judged_runs
from matrix.record import host, records, speed_records
from matrix.record.records import Host, Record
from matrix.record.speed_records import SpeedRun

# TensorFlow 2.9 is the first that switches oneDNN on by itself (tensorflow/core/util/util.cc)
SWITCHES_ITSELF = (2, 9)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A processor that is asked about, by its features."""

    host_class: str
    switches_onednn_on: bool

    @classmethod
    def here(cls) -> Machine:
        return cls.of(host.facts("cpu"))

    @classmethod
    def of(cls, facts: Host) -> Machine:
        return cls(host_class=facts.host_class, switches_onednn_on=host.onednn_switches_itself_on(facts))

    @classmethod
    def with_flags(cls, flags: Iterable[str]) -> Machine:
        """Flags as /proc/cpuinfo writes them."""
        named = sorted(set(flags))
        facts = Host(host_class=host.cpu_class(set(named)), cpu="named", cpu_flags=named, cores=1, kernel="-")
        return cls.of(facts)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What was recorded of the releases that an answer is given from, on one host class; `timed`: by release, the speed
    runs.
    """

    found: Found
    host_class: str
    judged_runs: tuple[JudgedRun, ...]
    timed: dict[str, list[SpeedRun]] = field(default_factory=dict)

    def of(self, release: str) -> list[JudgedRun]:
        """Its runs that have observations of their own; what is the same as another run is that run."""
        return [one for one in self.judged_runs if one.header.release == release and not one.header.same_as]

    def default(self, release: str) -> str | None:
        """The profile that nothing set comes to there; None where that was not recorded."""
        asked = [one for one in self.judged_runs if one.header.release == release and one.header.profile == "default"]
        return ids.parse_run(asked[0].header.same_as or asked[0].header.run).profile if asked else None


def releases(reports: Path, backend: str) -> list[str]:
    """Those with a run on the backend that was observed."""
    seen = (header for header in records.headers(reports) if header.backend == backend and header.observations)
    return list(dict.fromkeys(header.release for header in seen))


def load(reports: Path, release: str, backend: str, machine: Machine | None = None) -> Recorded:
    """Of the machine's host class, or where that has no record of the one that most is recorded of.

    Raise BadUsage where the backend has no record at all.
    """
    found = find(release, releases(reports, backend))
    made = [record for one in found.releases for record in _read(reports, one, backend)]
    host_class = _host_class(made, machine)
    chosen = [record for record in made if record.header.host.host_class == host_class]
    timed = {one: speed_records.of_release(reports, host_class, one, backend) for one in found.releases}
    return Recorded(found=found, host_class=host_class, judged_runs=tuple(judged_runs(chosen)), timed=timed)


def _read(reports: Path, release: str, backend: str) -> list[Record]:
    made = []
    for file in sorted((reports / "runs").glob(f"*/*/tf{release}-py*-{backend}+*.jsonl")):
        try:
            made.append(records.read(file))
        except BadRecord:
            continue
    return made


def _host_class(made: Sequence[Record], machine: Machine | None) -> str:
    """What was executed counts before what was planned, wherever it was."""
    headers = [record.header for record in made if record.header.observations]
    executed = [header for header in headers if header.how != "planned"]
    classes = [header.host.host_class for header in executed or headers]
    if machine and machine.host_class in classes:
        return machine.host_class
    if not classes:
        raise BadUsage("the records of that release cannot be read", "nox -s report names what is wrong with them")
    return max(sorted(set(classes)), key=classes.count)


def default_profile(recorded: Recorded, release: str, catalog: Catalog, machine: Machine | None) -> str | None:
    """The profile that nothing set comes to on that machine: as recorded, or by TensorFlow's own rule for oneDNN."""
    usual = recorded.default(release)
    if machine is None or machine.host_class == recorded.host_class or usual == "default":
        return usual
    on = machine.switches_onednn_on and tuple(map(int, release.split(".")[:2])) >= SWITCHES_ITSELF
    return next((profile.name for profile in catalog.profiles if profile.onednn is on), usual)
