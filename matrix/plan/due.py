"""Which runs are due, because they have no current record, and how long they will take."""

from __future__ import annotations

import contextlib
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matrix.base import ids
from matrix.base.errors import BadRecord, NotBuilt
from matrix.base.ids import Target
from matrix.catalog.suite_hash import suite_parts, suite_sha256
from matrix.plan.planned_run import PlannedRun, recipe_sha256
from matrix.provision import emulators, interpreters
from matrix.provision.engines import ENGINES
from matrix.record import records
from matrix.record.records import Header, Record

# Measured on two cores; used only until there are records to learn from.
SECONDS_A_RUN = 60
SECONDS_AN_ENVIRONMENT = 10
# A record with one of these statuses stays until its inputs change; a run with any other status is tried again.
LASTING = ("complete", "not_imported")


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What the due runs will take. `environments`: how many must be built. `of`: each run's part of the wall time, of
    which several go side by side, by its id.
    """

    environments: int
    of: Mapping[str, float]

    @property
    def seconds(self) -> float:
        return sum(self.of.values())


def current(planned: PlannedRun, reports: Path) -> Record | None:
    """Return the run's record where it was made from today's inputs, so that the run is not due.

    The record of a target that lacked its Python is current as long as this machine lacks that Python.
    """
    record = _record(planned, reports)
    if record is None:
        return None
    header = record.header
    if header.status == "not_built" and planned.engine == "venv":
        return record if lacks_python(header) else None
    same_inputs = header.suite_sha256 == suite_sha256(how=planned.how) and header.recipe_sha256 == _recipe(planned)
    # What one run alone has seen is to be seen by a second one.
    stays = not header.machine and not header.seen_once and (header.status in LASTING or header.same_as)
    is_deep_enough = header.is_full or planned.depth == "core"
    return record if same_inputs and stays and is_deep_enough else None


def lacks_python(header: Header) -> bool:
    """Tell whether the run was not made because this machine lacks the CPython of its target."""
    unbuilt = header.status == "not_built" and header.engine == "venv"
    return unbuilt and interpreters.find(ids.parse_run(header.run).target.python) is None


def still_true(planned: PlannedRun, reports: Path) -> Record | None:
    """Return the run's outdated record with only the observations that are still valid; None where there are none.

    They are valid where the parts of the suite that they depend on, the environment and the processor are unchanged.
    """
    record = _record(planned, reports)
    if record is None or record.header.status != "complete" or record.header.recipe_sha256 != _recipe(planned):
        return None
    if record.header.host.cpu != planned.host.cpu or record.header.seen_once:
        return None
    same = record.header.same_parts(suite_parts(how=planned.how))
    kept = tuple(observation for observation in record.observations if {"*", observation.approach} <= same)
    return Record(header=record.header, observations=kept) if kept else None


def _record(planned: PlannedRun, reports: Path) -> Record | None:
    try:
        return records.read(records.path(reports, planned.host.host_class, planned.engine, planned.run.id))
    except (FileNotFoundError, BadRecord):
        return None


def _recipe(planned: PlannedRun) -> str | None:
    try:
        return recipe_sha256(planned, ENGINES[planned.engine].recipe(planned.run.target))
    except NotBuilt:
        return None


def estimate(due: Sequence[PlannedRun], reports: Path, slots: int) -> Estimate:
    """Estimate from the records of the same runs, best of this host class, by how many cells they had; without any,
    from all records; without any, from a constant.

    `slots`: how many runs go side by side.
    """
    classes = {planned.host.host_class for planned in due}
    made = sorted(records.headers(reports), key=lambda header: header.host.host_class in classes)
    known = {(header.run, header.engine): header for header in made}
    usual = statistics.median(header.seconds or 0.0 for header in made) if made else SECONDS_A_RUN
    missing = Counter[Target]()
    for planned in due:
        with contextlib.suppress(NotBuilt):  # what cannot be built at all takes no time
            missing[planned.run.target] += not ENGINES[planned.engine].is_built(planned.run.target)

    def expected(planned: PlannedRun) -> float:
        header = known.get((planned.run.id, planned.engine))
        seconds = usual if header is None else header.seconds or 0.0
        if header and header.observations:
            wanted = len(planned.cells) - (len(planned.kept.observations) if planned.kept else 0)
            seconds *= min(1.0, wanted / header.observations)
        is_slower = planned.emulator and not (header and header.host.host_class in classes)
        seconds *= (emulators.SLOWER if is_slower else 1) / min(slots, len(due))
        builds = missing[planned.run.target]
        return seconds + (SECONDS_AN_ENVIRONMENT / builds if builds else 0.0)

    return Estimate(
        environments=sum(map(bool, missing.values())), of={planned.run.id: expected(planned) for planned in due}
    )


def quickest_first(due: Sequence[PlannedRun], expected: Estimate) -> tuple[PlannedRun, ...]:
    """Put the target first whose runs are expected to end first, so that a person soon sees a row of the table."""
    of_target = Counter[Target]()
    for planned in due:
        of_target[planned.run.target] += round(expected.of[planned.run.id])
    quickest = min(of_target, key=of_target.__getitem__, default=None)
    return tuple(sorted(due, key=lambda planned: planned.run.target != quickest))
