"""What people reported of grouped convolutions, put to `explain` and `advise` for the release that they name."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import get_args

import pytest

from matrix.answers import release_records
from matrix.answers.advise import CHECKS, MODES, WISHES, Asked, advise
from matrix.answers.error_answers import error_answers
from matrix.answers.explain import Explained, explain
from matrix.base import paths
from matrix.base.ids import Backend
from matrix.catalog import known_errors, releases
from matrix.judge.notes import causes
from matrix.record import records
from matrix.suite import catalog as suite

KNOWN, DATA = known_errors.load(), releases.load()
MADE, _ = records.readable(paths.REPORTS)
PUBLISHED = error_answers(MADE, KNOWN)
REPORTS = tomllib.loads((Path(__file__).parents[1] / "data" / "public_reports.toml").read_text())["report"]
ASKED = sorted({(one["release"], one["backend"]) for one in REPORTS})
# Every outcome by host class, run and cell, read without any of the code that is tested.
OUTCOMES = {
    (record.header.host.host_class, record.header.run): {one.cell: one.outcome for one in record.observations}
    for record in MADE
}


def named(report: dict) -> str:
    return f"{report['release']}-{report['backend']}-{' '.join(report['text'].split())[:40]}"


@pytest.fixture(params=REPORTS, ids=named)
def report(request):
    return request.param


def cell_of(text: str) -> tuple[str, ...]:
    return tuple(text.split("/", 3))


def explained(report: dict):
    return explain(report["text"], PUBLISHED, release=report["release"], backend=report["backend"])


def shown(one: Explained) -> str:
    """Say where the error holds, in the words of public_reports.toml."""
    raised = [(standing.by_default, where) for standing in one.here for where in standing.raised]
    usual = [by_default for by_default, where in raised if not where.misuse]
    if not one.error.seen:
        return "public"
    if not one.here:
        return "unobserved"
    if usual:
        return "default" if any(usual) else "set"
    return "misuse" if raised else "elsewhere"


def test_there_are_a_few_dozen_of_every_kind():
    assert len(REPORTS) >= 70
    assert {one["backend"] for one in REPORTS} == set(get_args(Backend))
    assert {one.get("shown") for one in REPORTS} >= {"default", "misuse", "elsewhere", "unobserved", "public", None}


def test_the_cause_is_named_or_honestly_not_seen(report):
    found = explained(report)
    assert [one.error.id for one in found.meant] == report["means"]
    assert [shown(one) for one in found.meant][:1] == ([report["shown"]] if report["means"] else [])


def test_every_workaround_passed_in_a_record_of_the_release_that_it_is_told_for(report):
    for one in explained(report).meant:
        for standing in one.here:
            for way in (way for where in standing.raised for way in where.ways):
                target = standing.place.run.partition("+")[0]
                run = {"profile": f"{target}+{way.name}", "release": way.run}.get(way.kind, standing.place.run)
                assert OUTCOMES[standing.place.host_class, run][cell_of(way.cell)] == "pass"


def test_what_only_the_cpu_says_is_told_of_the_cpu(report):
    for one in explained(report).meant:
        if one.error.backends and report["backend"] not in one.error.backends:
            assert one.instead == one.error.backends[0]
        places = {standing.place.backend for standing in one.here}
        assert places <= {one.instead or report["backend"]}


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize(("release", "backend"), ASKED)
def test_advice_is_what_passed_in_every_cell_there(release, backend, wish):
    found = release_records.load(paths.REPORTS, release, backend)
    advice = advise(found, Asked(wish=wish, modes=list(MODES[wish])), DATA, causes(KNOWN), None)
    assert bool(advice.best) != bool(advice.unobserved)
    for choice in advice.best:
        run = choice.cells[0].partition("/")[0]
        asked = {OUTCOMES[advice.host_class, run].get(cell) for cell in wanted(choice.approach, wish)}
        assert "pass" in asked and asked <= {"pass", "absent", None}, choice


def wanted(approach: str, wish: str) -> list[tuple[str, ...]]:
    """Return every cell that the answer stands for: the base geometry in float32, all epilogues."""
    base = f"{suite.APPROACHES[approach].base}/"
    cells = (tuple(cell) for cell in suite.cells())
    return [
        (of, mode, check, case)
        for of, mode, check, case in cells
        if of == approach and mode in MODES[wish] and check in CHECKS[wish]
        if case.startswith(base) and case.endswith("/f32/nhwc") and not suite.is_misuse(case)
    ]
