"""What people reported of grouped convolutions, put to `explain` and `advise` for the release that they name."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from matrix.answers import published_answers, release_records
from matrix.answers.advise import CHECKS, MODES, WISHES, advise
from matrix.answers.advise import Asked as Wanted
from matrix.answers.explain import LINES, WIDTH, explain, lines
from matrix.answers.processor import Processor
from matrix.answers.situation import Asked, profile_of
from matrix.base import paths
from matrix.base.ids import Backend
from matrix.catalog import known_errors, releases
from matrix.judge.settings import differences, resolved
from matrix.record import records
from matrix.suite import catalog as suite

MADE, _ = records.readable(paths.REPORTS)
PUBLISHED = published_answers.build(paths.REPORTS, MADE)
FOLDER = Path(__file__).parents[1] / "data"
REPORTS = tomllib.loads((FOLDER / "public_reports.toml").read_text())["report"]
ANSWERED = tomllib.loads((FOLDER / "answered_reports.toml").read_text())["report"]
# What a text says of the mode.
MODES_TOLD = ("", "[Op:Conv2D]", "[Op:__inference_restored_function_9]", "__inference_train_function")
ASKED = sorted({(one["release"], one["backend"]) for one in REPORTS})
# Every outcome by host class, run and cell, read without any of the code that is tested.
OUTCOMES = {
    (record.header.host.host_class, record.header.run): {one.cell: one.outcome for one in record.observations}
    for record in MADE
}
# Where XLA compiled all that shows oneDNN's state, it is as the profile sets it.
HEADERS = {(record.header.host.host_class, record.header.run): resolved(record.header) for record in MADE}


def named(report: dict) -> str:
    return f"{report.get('release')}-{report['backend']}-{' '.join(report['text'].split())[:40]}"


def asked_of(report: dict) -> Asked:
    processor = Processor.named(report["processor"]) if "processor" in report else None
    profile = profile_of(report["setting"], PUBLISHED.settings) if "setting" in report else ""
    return Asked.of(report.get("release", ""), report["backend"], processor, profile)


def cell_of(text: str) -> tuple[str, ...]:
    return tuple(text.split("/", 3))


def test_answers_computed_now_are_the_ones_that_are_read_back():
    """Down to the order of the keys, which decides the order of what is said."""
    read = msgspec.json.decode(published_answers.encode(PUBLISHED), type=published_answers.Index)
    assert repr(read) == repr(PUBLISHED)


@pytest.mark.parametrize("report", ANSWERED, ids=named)
def test_what_is_to_be_said_is_said_on_the_first_screen(report):
    shown = list(lines(explain(report["text"], PUBLISHED, asked_of(report))))
    assert len(shown) <= LINES and max(map(len, shown)) <= WIDTH, shown
    told = " ".join(" ".join(shown).split()).lower()
    assert [words for words in report["says"] if words not in told] == [], told
    assert [words for words in report.get("never", ()) if words in told] == [], told


@pytest.mark.parametrize("report", REPORTS, ids=named)
def test_the_cause_is_named_or_honestly_not_seen(report):
    assert explain(report["text"], PUBLISHED, asked_of(report)).known == report["means"]


def test_there_are_a_few_dozen_of_every_backend():
    assert len(REPORTS) >= 70
    assert {one["backend"] for one in REPORTS} == set(get_args(Backend))


def situations():
    """Every text that records show with each release that was recorded on the CPU, under each setting, in each mode."""
    recorded = {run.release for run in PUBLISHED.places if run.observations and run.backend == "cpu"}
    for error in (one for one in PUBLISHED.errors if one.where):
        for release in sorted(recorded):
            for profile in ("", "onednn-on", "onednn-off", "remapper-off"):
                for mode in MODES_TOLD:
                    yield f"{error.examples[0]} {mode}", Asked(release=release, backend="cpu", profile=profile)


def test_no_answer_promises_what_no_record_of_that_very_setting_shows():
    """A step that is called measured passed in the run of the person's setting, or in one that differs from it in what
    the step changes alone.
    """
    promised = 0
    for text, asked in situations():
        found = explain(text, PUBLISHED, asked)
        own = HEADERS.get((found.host_class, found.run))
        for step in found.do:
            if step.basis != "measured":
                continue
            run, _, cell = step.cell.partition("/")
            header = HEADERS[found.host_class, run]
            assert OUTCOMES[found.host_class, run][cell_of(cell)] == "pass", (text, asked, step)
            if header.run != own.run and header.release == own.release:
                assert len(differences(own, header)) == 1, (text, asked, step)
            elif header.run != own.run:
                assert not differences(own, header) or "with" in step.words, (text, asked, step)
            promised += 1
    assert promised > 1_000


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize(("release", "backend"), ASKED)
def test_advice_is_what_passed_in_every_cell_there(release, backend, wish):
    """With nothing set, and with everything that was: the record of an advised setting differs in one thing at most."""
    found = release_records.load(paths.REPORTS, release, backend)
    for profile in ("", *(run.header.profile for run in found.runs(found.nearest.releases[-1]))):
        asked = Wanted(wish=wish, modes=list(MODES[wish]), profile=profile)
        advice = advise(found, asked, releases.load_profiles(), known_errors.failure_text, None)
        assert bool(advice.best) != bool(advice.unobserved) or profile
        # A profile that the host class lacks is answered from another one, which has it.
        hosts = {one.header.run: one.header.host.host_class for one in found.runs(advice.release)}
        own = next((HEADERS[host, run] for run, host in hosts.items() if HEADERS[host, run].profile == profile), None)
        for choice in advice.best:
            run = choice.cells[0].partition("/")[0]
            seen = {OUTCOMES[hosts[run], run].get(cell) for cell in wanted(choice.approach, wish)}
            assert "pass" in seen and seen <= {"pass", "absent", None}, choice
            assert not profile or len(differences(own, HEADERS[hosts[run], run])) <= 1, choice


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
