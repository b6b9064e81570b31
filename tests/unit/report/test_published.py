"""The published records and matrix/data/ fit together: what one names, the other has."""

from __future__ import annotations

import pytest
from packaging.version import Version

from matrix.base import ids, paths
from matrix.catalog import known_errors, releases
from matrix.judge import landmarks, statements, support
from matrix.judge.verdicts import WORST, judge
from matrix.record import records
from matrix.update import refresh

CATALOG = releases.load()
EXPLAINED = {"partial", "unknown", *WORST}


@pytest.fixture(scope="module")
def made():
    readable, faults = records.readable(paths.REPORTS)
    assert faults == ()
    return readable


@pytest.fixture(scope="module")
def judgements(made):
    return judge(made)


@pytest.fixture(scope="module")
def found(judgements):
    return statements.build(CATALOG, judgements)


@pytest.fixture(scope="module")
def verdicts(made, judgements):
    return support.build(CATALOG, made, judgements, known_errors.load()).verdicts


def test_every_record_is_of_a_run_that_the_catalog_plans(made):
    """Nightly builds are left out: the catalog has only the newest."""
    planned = {
        ids.Run(target=target, profile=profile.name).id
        for release in CATALOG.releases
        for target in {*map(release.target, release.wheels), *refresh.targets(release)}
        for profile in CATALOG.profiles
        if profile.holds_for(release.version, target.backend)
    }
    assert made
    ran = {record.header.run for record in made if not Version(record.header.release).is_devrelease}
    assert ran <= planned


def test_every_verdict_that_needs_a_note_has_one(verdicts):
    assert [
        (one.release, one.profile, one.approach) for one in verdicts if one.verdict in EXPLAINED and not one.notes
    ] == []


def test_every_deciding_cell_stands_in_its_record(made, verdicts, found):
    observed = {"/".join((record.header.run, *seen.cell)) for record in made for seen in record.observations}
    assert {cell for one in verdicts for cell in one.deciding} <= observed
    assert {cell for change in found.changes for cell in change.deciding} <= observed
    assert all(change.deciding for change in found.changes)


def test_the_landmarks_are_where_the_records_change(found):
    assert landmarks.contradictions(CATALOG, found.statements) == []
