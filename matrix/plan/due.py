"""Which runs are due, because no record of the same inputs stands, and how long they will take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matrix.base.errors import BadRecord, NotBuilt
from matrix.catalog.suite_hash import suite_parts, suite_sha256
from matrix.plan.planned_run import Planned, recipe_sha256
from matrix.provision import emulators, interpreters
from matrix.provision.engines import ENGINES
from matrix.record import records
from matrix.record.records import Record

# Measured on two cores; only used until there are records to learn from.
SECONDS_A_RUN = 60
SECONDS_AN_ENVIRONMENT = 10
# A record with one of these stays until its inputs change; any other outcome is tried again.
LASTING = ("complete", "not_imported")


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What the due runs will take, in seconds of wall time."""

    environments: int
    runs: int
    seconds: float


def current(planned: Planned, reports: Path) -> Record | None:
    """The record of this run, where it has one that was made from the same inputs.

    One that could not be built for want of an interpreter stands as long as there is none.
    """
    record = _record(planned, reports)
    if record is None:
        return None
    header = record.header
    if header.status == "not_built" and planned.engine == "venv":
        return None if interpreters.find(planned.run.target.python) else record
    todays = suite_sha256(how=planned.how)
    same = header.suite_sha256 == todays and header.recipe_sha256 == _recipe(planned)
    stays = not header.machine and (header.status in LASTING or header.same_as)
    return record if same and stays else None


def still_true(planned: Planned, reports: Path) -> Record | None:
    """What of a record of an older suite was observed as the suite of today would, in the same environment and on the
    same processor: a record has one.
    """
    record = _record(planned, reports)
    if record is None or record.header.status != "complete" or record.header.recipe_sha256 != _recipe(planned):
        return None
    if record.header.host.cpu != planned.host.cpu:
        return None
    then, now = record.header.suite_parts or {}, suite_parts(how=planned.how)
    same = {part for part in now if then.get(part) == now[part]}
    kept = tuple(one for one in record.observations if {"*", one.approach} <= same)
    return Record(header=record.header, observations=kept) if kept else None


def _record(planned: Planned, reports: Path) -> Record | None:
    try:
        return records.read(records.path(reports, planned.host.host_class, planned.engine, planned.run.id))
    except (FileNotFoundError, BadRecord):
        return None


def _recipe(planned: Planned) -> str | None:
    try:
        return recipe_sha256(planned, ENGINES[planned.engine].recipe(planned.run.target))
    except NotBuilt:
        return None


def estimate(due: Sequence[Planned], reports: Path, slots: int) -> Estimate:
    """From the records of the same runs where there are any, else from all records, else from a constant."""
    known = {(header.run, header.engine): header.seconds or 0.0 for header in records.headers(reports)}
    usual = statistics.median(known.values()) if known else SECONDS_A_RUN
    slower = emulators.SLOWER if any(planned.emulator for planned in due) else 1
    targets = {planned.run.target: planned for planned in due}
    missing = sum(_is_to_build(planned) for planned in targets.values())
    seconds = sum(known.get((planned.run.id, planned.engine), usual) for planned in due)
    return Estimate(
        environments=missing,
        runs=len(due),
        seconds=slower * seconds / min(slots, len(due) or 1) + missing * SECONDS_AN_ENVIRONMENT,
    )


def _is_to_build(planned: Planned) -> bool:
    """What cannot be built at all takes no time."""
    try:
        return not ENGINES[planned.engine].is_built(planned.run.target)
    except NotBuilt:
        return False
