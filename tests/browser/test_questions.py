"""What people ask of the pages, asked by clicking; the expected answers are taken from the records."""

from __future__ import annotations

import json
import tomllib
from itertools import product

import pytest
from msgspec import to_builtins
from playwright.sync_api import expect

from matrix.answers import claim_decisions, published_answers, release_records
from matrix.answers.advise import Asked as Wanted
from matrix.answers.advise import advise
from matrix.answers.error_answers import error_answers
from matrix.answers.explain import explain
from matrix.answers.situation import Asked
from matrix.base import paths
from matrix.catalog import claims, known_errors
from matrix.catalog import releases as catalog
from matrix.catalog.known_errors import failure_text
from matrix.judge.support import decode
from matrix.record import records
from matrix.report.claim_table import WORDS as CLAIMS
from matrix.site.question_form import ASKED
from matrix.suite import catalog as suite

RELEASES = "rows => rows.map((row) => row.dataset.release)"
# The ranking of the page's script, before it is drawn.
BEST = """({ release, need, dtype }) => {
    const asked = { release, need, dtype, backend: "cpu", setting: "", form: MATRIX.approaches[0].form };
    const runs = place(asked, null);
    return worthIt(choices(asked, runs, byDefault(runs, null))).map((one) => [one.approach.id, one.run.profile]);
}"""
# An entry in a range of releases is shown when the range is opened.
OPEN_RANGE = """cell => {
    const box = cell.closest("tbody.members")?.previousElementSibling.querySelector("input");
    if (box && !box.checked) box.click();
}"""


@pytest.fixture(scope="module")
def support():
    return decode((paths.REPORTS / "support.json").read_bytes())


@pytest.fixture(scope="module")
def made():
    return list(records.read_all(paths.REPORTS))


def first(support, **asked):
    """The first verdict with these values."""
    fits = (one for one in support.verdicts if all(getattr(one, name) == value for name, value in asked.items()))
    found = next(fits, None)
    assert found, f"no published verdict has {asked}"
    return found


def test_a_cell_of_the_table_leads_to_its_evidence(page, address, support):
    partial = first(support, verdict="partial", evidence="executed")
    page.goto(f"{address}/index.html")
    link = page.locator(f'a[href^="tf/{partial.release}/{partial.approach}.html#"]').first
    link.evaluate(OPEN_RANGE)
    link.click()
    expect(page.locator("h1")).to_contain_text(partial.approach)
    assert partial.release in page.title()
    decides = page.locator("td.d").first
    expect(decides).to_be_visible()
    assert page.locator(".remarks .said").count(), "a partial verdict has an error's text"


def test_what_about_mine(page, address, support):
    """Where nn-conv2d does not train, the page names an approach that trains there by its record."""
    refusing = next(one for one in support.verdicts if one.approach == "nn-conv2d" and one.profile == "default"
                    and one.evidence == "executed" and one.needs["train"] == "no")  # fmt: skip
    page.goto(f"{address}/index.html")
    page.get_by_role("combobox", name="TensorFlow", exact=True).select_option(refusing.release)
    page.get_by_role("combobox", name="that", exact=True).select_option("train")
    page.get_by_role("combobox", name="with", exact=True).select_option("default")
    advised = page.locator("#mine-answer .answer a").inner_text()
    best = first(support, approach=advised, release=refusing.release, profile="default", host_class=refusing.host_class)
    assert best.needs["train"] == "yes"
    page.locator("#mine-answer summary").click()
    fallen = page.locator("#mine-answer details tr", has=page.get_by_role("link", name="nn-conv2d"))
    expect(fallen).to_contain_text("no")
    assert set(page.locator("tr[data-release]:visible").evaluate_all(RELEASES)) == {refusing.release}


def test_the_page_and_advise_agree_on_every_recorded_release(page, address):
    """Both name the same approaches under the same profiles in the same order, for each wish and dtype."""
    profiles = catalog.load_profiles()
    page.goto(f"{address}/index.html")
    releases = release_records.releases(paths.REPORTS, "cpu")
    assert releases
    for release in releases:
        here = release_records.load(paths.REPORTS, release, "cpu")
        for (need, (wish, modes)), dtype in product(ASKED.items(), suite.DTYPES):
            asked = Wanted(wish=wish, modes=list(modes), dtype=dtype)
            advice = advise(here, asked, profiles, failure_text, None)
            shown = page.evaluate(BEST, {"release": release, "need": need, "dtype": dtype})
            assert shown == [[one.approach, one.profile] for one in advice.best], (release, need, dtype)


def test_pasted_flags_of_a_processor_that_nobody_has_run_are_called_an_inference(page, address, support):
    on = next(run for run in support.runs if run.profile == "default" and run.onednn and run.backend == "cpu")
    page.goto(f"{address}/index.html#release={on.release}")
    page.get_by_role("textbox", name="or its flags").fill("fpu sse4_2 avx fma")
    answer = page.locator("#mine-answer")
    expect(answer).to_contain_text("Nobody has run this on x86-avx.")
    expect(answer).to_contain_text("an inference, not a measurement")
    expect(answer).to_contain_text("oneDNN does not switch itself on there")


def test_a_release_that_nobody_has_run_is_unknown_and_borrows_nothing(page, address, support):
    tried = {run.release for run in support.runs if run.backend == "cpu" and run.observations}
    untried = [
        entry.version for entry in catalog.load().releases if "cpu" in entry.wheels and entry.version not in tried
    ]
    if not untried:
        pytest.skip("every release of the catalog has a record")
    page.goto(f"{address}/index.html#release={untried[-1]}")
    answer = page.locator("#mine-answer")
    expect(answer).to_contain_text("Unknown")
    assert answer.locator("table").count() == 0


def test_the_state_of_the_front_page_is_a_link(page, address, watched):
    page.goto(f"{address}/index.html")
    page.get_by_role("combobox", name="TensorFlow", exact=True).select_option(index=4)
    page.get_by_role("combobox", name="that", exact=True).select_option("fused")
    page.locator(".range input").first.dispatch_event("click")
    shown = page.locator("#mine-answer").inner_text()
    again = watched().new_page()
    again.goto(page.url)
    assert again.locator("#mine-answer").inner_text() == shown
    assert again.get_by_role("combobox", name="that", exact=True).input_value() == "fused"
    assert again.locator(".range input").first.is_checked()


def test_the_page_and_explain_give_one_answer(page, address, made):
    """To every example, every text that was recorded, every public report and question, in many situations."""
    published = published_answers.build(paths.REPORTS, made)
    folder = paths.ROOT / "tests" / "unit" / "data"
    reports = [
        one
        for name in ("answered", "public")
        for one in tomllib.loads((folder / f"{name}_reports.toml").read_text())["report"]
    ]
    texts = [failure_text(one) for record in made for one in record.observations if one.error]
    texts += [f'Traceback (most recent call last):\n  File "a.py"\n{text}\n\n' for text in texts[:20]]
    texts += [example for error in published.errors for example in error.examples]
    texts += [f"{example[:-9]}..." for error in published.errors for example in error.examples]
    texts += [*(one["text"] for one in reports), "nothing like that was ever seen", "a, b", "İſ\u2028 K groups? 😀"]
    situations = [Asked(), Asked(release="2.5", profile="onednn-on"), Asked(release="2.13.0", backend="cpu")]
    situations += [Asked(release="2.20", host_class="x86-avx2-amd", switches_on=False), Asked(release="1.15")]
    situations += [Asked(release="2.8", backend="cuda"), Asked(release="2.15", profile="remapper-off")]
    asked = [(text, one) for text in sorted(set(texts)) for one in situations]
    asked += [(one["text"], Asked(release=one.get("release", ""), backend=one["backend"])) for one in reports]
    page.goto(f"{address}/errors.html")
    shown = page.evaluate(
        "asked => asked.map(([text, one]) => explainText(text, one))",
        [(text, {"release": "", "backend": "", "host_class": "", "switches_on": None, "profile": ""} | to_builtins(one))
         for text, one in asked],
    )  # fmt: skip
    assert len(asked) > 1_000
    for (text, one), drawn in zip(asked, shown, strict=True):
        told = to_builtins(explain(text, published, one))
        for step in (*told.get("do", ()), *drawn["do"]):
            for name in ("code", "way"):
                step.pop(name, None)
        told["do"] = [{"cell": ""} | step for step in told.get("do", ())]
        drawn["do"] = [{"cell": ""} | step for step in drawn["do"]]
        assert {name: value for name, value in drawn.items() if value} == {
            name: value for name, value in told.items() if value
        }, (text, one)


def test_the_answer_to_a_text_is_drawn(page, address):
    page.goto(f"{address}/errors.html")
    page.get_by_role("textbox", name="Paste an error").fill(
        "Fused conv implementation does not support grouped convolutions for now."
    )
    page.get_by_role("combobox", name="TensorFlow", exact=True).select_option("2.8.4")
    expect(page.locator("#found .answer")).to_contain_text("fused kernel refuses groups")
    expect(page.locator("#found ol li").first).to_contain_text("TF_ENABLE_ONEDNN_OPTS=1 before Python starts")
    expect(page.locator("section.error:visible")).to_have_count(1)


def test_an_error_and_a_release_lead_to_a_measured_workaround(page, address, made):
    answers = error_answers(made, known_errors.load())
    error, where = next(
        (error, where) for error in answers.errors for where in error.where if where.ways and where.ways[0].whole
    )
    page.goto(f"{address}/errors.html")
    page.get_by_role("textbox", name="Paste an error").fill(error.examples[0])
    page.get_by_role("combobox", name="TensorFlow", exact=True).select_option(where.releases[0])
    section = page.locator(f"#{error.id}")
    section.get_by_role("link", name="Every place where it was seen").click()
    page.wait_for_url(f"**/errors/{error.id}.html")
    page.locator("details[open] ol a").first.click()
    expect(page.locator("h1")).to_be_visible()
    assert "/tf/" in page.url


def test_an_error_tells_its_cure_before_its_places_and_real_processors_first(page, address):
    page.goto(f"{address}/errors.html")
    section = page.locator("#fused-conv-groups")
    expect(section.locator("p", has_text="What to do").first).to_contain_text("with nothing set, x86-")
    assert section.locator("ol li").count() and not section.locator("table").count()
    section.get_by_role("link", name="Every place where it was seen").click()
    places = page.locator("details summary").all_inner_texts()
    emulated = ["-emulated" in place for place in places]
    assert emulated == sorted(emulated)


def test_two_profiles_compared_say_what_changed(page, address, made):
    like: dict[tuple, list] = {}
    for record in made:
        header = record.header
        if record.observations and not header.planned_for:
            like.setdefault(
                (header.release, header.backend, header.host.host_class, header.engine, header.suite_sha256), []
            ).append(record)
    a, b = next(pair[:2] for pair in like.values() if len(pair) > 1)
    said = [
        {one.cell: one.fusion.epilogue if one.fusion else one.outcome for one in record.observations}
        for record in (a, b)
    ]
    changed = sum(said[1].get(cell) != was for cell, was in said[0].items() if cell in said[1])
    page.goto(f"{address}/compare.html")
    for name, record in (("from", a), ("to", b)):
        header = record.header
        page.get_by_role("combobox", name=name, exact=True).select_option(
            f"{header.run}, {header.host.host_class}, {header.engine}"
        )
    expect(page.locator("#compared")).to_contain_text(f"{changed:,} changed")
    again = page.context.new_page()
    again.goto(page.url)
    expect(again.locator("#compared")).to_contain_text(f"{changed:,} changed")


def test_what_happens_with_nothing_set_can_be_compared(page, address, support):
    """Also where it is the same as another profile, and was not run a second time."""
    default = next(run for run in support.runs if run.same_as and run.profile == "default" and run.engine)
    page.goto(f"{address}/compare.html")
    for name in ("from", "to"):
        box = page.get_by_role("combobox", name=name, exact=True)
        place = box.locator(f"optgroup[label='CPU, {default.host_class}']")
        value = place.locator("option", has_text=f"{default.release}, nothing set").first.get_attribute("value")
        box.select_option(value)
    expect(page.locator("#compared .answer")).to_contain_text("0 changed")


def test_what_changed_is_narrowed_to_an_approach(page, address):
    page.goto(f"{address}/changes.html")
    releases = page.locator("section.change:visible").count()
    page.get_by_role("combobox", name="written as").select_option("nn-conv1d")
    assert 0 < page.locator("section.change:visible").count() < releases
    page.get_by_role("combobox", name="on", exact=True).select_option("cuda")
    expect(page.locator("#nothing")).to_be_visible()
    page.goto(f"{address}/changes.html#release=2.9.3")
    page.locator("section.change:visible h2 a").click()
    page.wait_for_url("**/changes/2.9.3.html")
    page.wait_for_load_state()
    every = page.locator("section.change tbody tr:visible").count()
    page.get_by_role("combobox", name="written as").select_option("nn-conv2d")
    shown = page.locator("section.change tbody tr:visible")
    assert 0 < shown.count() < every
    assert set(shown.evaluate_all("rows => rows.map((row) => row.dataset.approach)")) == {"nn-conv2d"}


def test_cases_are_narrowed_to_a_dtype(page, address):
    page.goto(f"{address}/cases.html")
    page.get_by_role("textbox", name="cases about").fill("f16")
    page.get_by_role("link", name="nn-conv2d", exact=True).click()
    page.wait_for_url("**/cases/nn-conv2d.html#case=f16")
    page.wait_for_load_state()
    shown = page.locator("tr[data-case]:visible")
    assert 0 < shown.count() < page.locator("tr[data-case]").count()
    assert all("/f16/" in cases for cases in shown.evaluate_all("rows => rows.map((row) => row.dataset.case)"))


@pytest.mark.parametrize(
    ("word", "approach"),
    list({"dilation": "depthwise", "conv1d": "nn-conv1d", "transpose": "nn-transpose", "half": "nn-conv2d"}.items()),
)
def test_cases_are_found_by_what_people_call_them(page, address, word, approach):
    page.goto(f"{address}/cases.html#case={word}")
    expect(page.locator(f"li[data-words={approach}]")).to_be_visible()
    expect(page.locator("#nothing")).to_be_hidden()


def test_a_filter_that_finds_nothing_says_so(page, address):
    page.goto(f"{address}/cases.html#case=nosuchcase")
    expect(page.locator("#nothing")).to_be_visible()
    assert page.locator(".entries li:visible").count() == 0


def test_every_claim_is_told_with_its_cells(page, address, made):
    page.goto(f"{address}/claims.html")
    decided = claim_decisions.decide(claims.load(), made)
    told = page.locator(".claims > div")
    assert told.count() == len(decided)
    words = [CLAIMS[claim.word] for claim in decided]
    assert page.locator(".claims .word").all_inner_texts() == words
    page.locator(".claims a").first.click()
    assert "/tf/" in page.url


def test_every_run_says_its_status_and_what_is_unknown(page, address, support):
    page.goto(f"{address}/runs.html")
    made = [run for run in support.runs if run.engine]
    assert page.locator(".list tbody tr").count() == len(made)
    page.get_by_role("link", name=made[-1].run, exact=True).first.click()
    expect(page.locator("h1")).to_have_text(made[-1].run)


def test_the_same_table_is_there_for_programs(site):
    verdicts = decode((site / "support.json").read_bytes()).verdicts
    rows = json.loads((site / "data" / "table.json").read_bytes())
    lines = (site / "data" / "table.csv").read_text(encoding="utf-8").splitlines()
    assert [row["verdict"] for row in rows] == [one.verdict for one in verdicts]
    assert len(lines) == 1 + len(verdicts)
