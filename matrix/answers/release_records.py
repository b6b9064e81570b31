"""The records of one release, read without reading the others: a question about a release must not wait for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from matrix.answers.nearest_release import Nearest, nearest
from matrix.answers.processor import Processor
from matrix.base import ids
from matrix.base.errors import BadRecord, BadUsage
from matrix.catalog.releases import Catalog
from matrix.judge.verdicts import JudgedRun, judged_runs
from matrix.record import records, speed_records
from matrix.record.speed_records import SpeedRun


@dataclass(frozen=True, kw_only=True)
class ReleaseRecords:
    """The records of the releases that an answer is given from, on one host class; `timed`: speed runs by release."""

    nearest: Nearest
    host_class: str
    judged_runs: tuple[JudgedRun, ...]
    timed: Mapping[str, list[SpeedRun]] = field(default_factory=dict)

    def runs(self, release: str) -> list[JudgedRun]:
        """Return the runs with observations of their own; a run that is the same as another is left out."""
        return [one for one in self.judged_runs if one.header.release == release and not one.header.same_as]

    def default_profile(self, release: str) -> str | None:
        """Return the profile that TensorFlow comes to with nothing set; None where that was not recorded."""
        default = (one.header for one in self.judged_runs if one.header.profile == "default")
        asked = next((one for one in default if one.release == release), None)
        return ids.parse_run(asked.same_as or asked.run).profile if asked else None

    def default_profile_on(self, processor: Processor | None, release: str, catalog: Catalog) -> str | None:
        """For a processor of another host class, the default profile follows from TensorFlow's own rule for oneDNN."""
        recorded = self.default_profile(release)
        if processor is None or processor.host_class == self.host_class or recorded == "default":
            return recorded
        on = processor.has_onednn_on(release)
        return next((profile.name for profile in catalog.profiles if profile.onednn is on), recorded)


def releases(reports: Path, backend: str) -> list[str]:
    """Return the releases with observations on the backend."""
    seen = (header for header in records.headers(reports) if header.backend == backend and header.observations)
    return list(dict.fromkeys(header.release for header in seen))


def load(reports: Path, release: str, backend: str, processor: Processor | None = None) -> ReleaseRecords:
    """Read the records of the processor's host class, or else of the host class that has most of them.

    What was executed counts before what was planned, wherever it was. Raise BadUsage where the backend has no record.
    """
    chosen = nearest(release, releases(reports, backend))
    made = []
    for name in chosen.releases:
        for file in sorted((reports / "runs").glob(f"*/*/tf{name}-py*-{backend}+*.jsonl")):
            try:
                made.append(records.read(file))
            except BadRecord:
                continue
    headers = [record.header for record in made if record.header.observations]
    classes = [one.host.host_class for one in [one for one in headers if one.how != "planned"] or headers]
    if not classes:
        raise BadUsage("the records of that release cannot be read", "nox -s report names what is wrong with them")
    host_class = max(sorted(set(classes)), key=classes.count)
    if processor and processor.host_class in classes:
        host_class = processor.host_class
    return ReleaseRecords(
        nearest=chosen,
        host_class=host_class,
        judged_runs=tuple(judged_runs(record for record in made if record.header.host.host_class == host_class)),
        timed={name: speed_records.of_release(reports, host_class, name, backend) for name in chosen.releases},
    )
