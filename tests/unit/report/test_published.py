"""The published records and matrix/data/ fit together: what one names, the other has."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from packaging.version import Version

from matrix.answers.findings import find
from matrix.answers.upstream_issue import MOST_LINES
from matrix.base import ids, paths
from matrix.catalog import findings, releases
from matrix.catalog.findings import OUTCOMES
from matrix.judge import judged, landmarks
from matrix.judge.verdicts import WORST
from matrix.update import refresh

CATALOG = releases.load()
EXPLAINED = {"partial", "unknown", *WORST}


@pytest.fixture(scope="module")
def concluded():
    read = judged.load(paths.REPORTS)
    assert read.faults == ()
    return read


@pytest.fixture(scope="module")
def made(concluded):
    return concluded.records


@pytest.fixture(scope="module")
def found(concluded):
    return concluded.statements


@pytest.fixture(scope="module")
def verdicts(concluded):
    return concluded.support.verdicts


def test_every_record_is_of_a_run_that_the_catalog_plans(made):
    """Nightly builds are left out: the catalog has only the newest. Older records of Arm do not name it."""
    planned = {
        ids.Run(target=named, profile=profile.name).id
        for release in CATALOG.releases
        for target in {*map(release.target, release.wheels), *refresh.targets(release)}
        for named in (target, replace(target, architecture=ids.USUAL))
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


def test_every_finding_rests_on_cells_that_came_out_as_it_says(concluded):
    outcomes = {
        (record.header.host.host_class, "/".join((record.header.run, *seen.cell))): seen.outcome
        for record in concluded.records
        for seen in record.observations
    }
    shown, _ = find(concluded, findings.load())
    assert {one.finding.id for one in shown} == {rule.id for rule in findings.load()}
    for one in shown:
        assert one.evidence and one.releases and one.since
        for each in one.evidence:
            assert bool(each.cell) == (one.finding.harm != "slow" and not one.finding.switch)
            came_out = outcomes[each.host_class, each.cell] if each.cell else None
            assert came_out is None or one.finding.need or OUTCOMES[came_out] == one.finding.harm
        passed = {cell for (_, cell), outcome in outcomes.items() if outcome == "pass"}
        assert {way.cell for way in one.instead if way.cell} <= passed
        ast.parse(one.script)
        assert 0 < len(one.script.splitlines()) <= MOST_LINES
        assert one.finding.says.rstrip(".") in one.report or one.script in one.report
