"""What people ask of the pages, asked by clicking; the expected answers are taken from the records."""

from __future__ import annotations

import gzip
import json
import tomllib
from random import Random

import pytest
from browser.test_every_page import AXE
from msgspec import to_builtins
from playwright.sync_api import expect

from matrix.answers import claim_decisions, published_answers, release_records
from matrix.answers.advise import advise, program
from matrix.answers.error_answers import error_answers
from matrix.answers.explain import explain
from matrix.answers.processor import Processor
from matrix.answers.situation import Asked
from matrix.base import paths
from matrix.catalog import claims, known_errors
from matrix.catalog import releases as catalog
from matrix.catalog.known_errors import failure_text
from matrix.judge.support import decode
from matrix.record import records
from matrix.report.claim_table import WORDS as CLAIMS
from matrix.site.advice_data import processors, questions

REFUSED = "Fused conv implementation does not support grouped convolutions for now."
RELEASES = "rows => rows.map((row) => row.dataset.release)"
# What the page looks up, before it is drawn.
BEST = """async asked => {
    await load(adviceOf(asked));
    const found = advised(asked);
    return [found.best.map((one) => [one.approach, one.profile]), found.best.length ? codeOf(found.best[0], found) : "",
        found.group.default, found.group.hosts];
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
    partial = first(support, verdict="partial", evidence="executed", approach="nn-conv2d", host_class="x86-avx512vnni")
    page.goto(f"{address}/index.html")
    place = page.locator(f'.place[data-backend="cpu"][data-host="{partial.host_class}"]')
    place.evaluate("place => { place.open = true; }")
    link = place.locator(f'a[href^="tf/{partial.release}/{partial.approach}.html#"]').first
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
    page.goto(f"{address}/index.html#cpu={refusing.host_class}")
    page.get_by_role("combobox", name="TensorFlow", exact=True).select_option(refusing.release)
    page.get_by_role("combobox", name="I want to", exact=True).select_option("train")
    page.locator("[data-more] summary").click()
    page.get_by_role("combobox", name="with", exact=True).select_option("default")
    advised = page.locator("#mine-answer .answer a").inner_text()
    best = first(support, approach=advised, release=refusing.release, profile="default", host_class=refusing.host_class)
    assert best.needs["train"] == "yes"
    fails = page.locator("#mine-answer details").filter(has_text="What fails")
    fails.locator("summary").first.click()
    expect(fails.locator("tr", has=page.get_by_role("link", name="nn-conv2d", exact=True)).first).to_contain_text("no")
    assert set(page.locator("tr[data-release]:visible").evaluate_all(RELEASES)) == {refusing.release}


def test_the_page_and_advise_give_one_answer_to_200_questions(page, address):
    """On all backends, releases and processors; to all needs, dtypes, layouts, forms and layers."""
    random = Random(26)
    profiles, asked = catalog.load_profiles(), questions()
    page.goto(f"{address}/index.html")
    for _ in range(25):
        backend = random.choice(["cpu", "cpu", "cpu", "cuda", "rocm"])
        release = random.choice(release_records.releases(paths.REPORTS, backend))
        host, processor = random.choice([*processors().items()]) if backend == "cpu" else ("", None)
        here = release_records.load(paths.REPORTS, release, backend, processor)
        for name in random.sample([*asked], 8):
            need, form, dtype, layout = (*name.split("/"), "f32", "nhwc")[:4]
            nothing = random.random() < 0.3
            wanted = {"release": release, "backend": backend, "host": host, "need": need, "form": form, "dtype": dtype,
                      "layout": layout, "nothing": nothing}  # fmt: skip
            shown, code, default, hosts = page.evaluate(BEST, wanted)
            if asked[name].told and not any(here.timed.values()):
                continue  # where nothing was timed, a named layer has no answer of its own
            advice = advise(here, asked[name], profiles, failure_text, processor)
            best = [one for one in advice.best if one.nothing_to_set or not nothing]
            assert shown == [[one.approach, one.profile] for one in best], wanted
            assert (code, default) == (program(best[0], asked[name], profiles).rstrip() if best else "", advice.default)
            assert (host != "" and host not in hosts.values()) <= advice.inferred, wanted


def test_a_processor_is_known_by_its_name_and_by_its_flags_and_a_foreign_one_is_called_an_inference(page, address):
    page.goto(f"{address}/index.html")
    named = "text => { one('[name=cpu]').value = text; return processor('cpu').host; }"
    for text in ("zen3", "x86-avx512bf16-amd", "Icelake", "graviton3"):
        expected = text if text.startswith("x86-") else Processor.named(text).host_class
        assert page.evaluate(named, text) == expected
    flags = "vendor_id : AuthenticAMD flags : fpu sse4_2 avx avx2 fma"
    assert page.evaluate(named, flags) == "x86-avx2-amd"
    page.get_by_role("combobox", name="processor").fill("fpu sse4_2 avx fma")
    expect(page.locator("#mine-answer")).to_contain_text("this is inferred, not measured")
    page.get_by_role("combobox", name="processor").fill("abacus")
    expect(page.locator("#mine-answer")).to_contain_text("That processor is not known here")


@pytest.mark.parametrize("size", [(1280, 800), (360, 740)])
@pytest.mark.parametrize(
    "asked", ["", f"release=2.8.4&text={REFUSED}", "release=2.21.0&need=train&cpu=zen3", "backend=rocm"]
)
def test_form_and_first_answer_are_seen_without_scrolling_and_axe_finds_nothing(watched, address, size, asked):
    page = watched(viewport={"width": size[0], "height": size[1]}, bypass_csp=True).new_page()
    page.goto(f"{address}/index.html#{asked}")
    page.wait_for_function("loaded.size && [...loaded.values()].every((one) => one === true)")
    answer = page.locator("#mine-answer > .answer").first
    assert answer.bounding_box()["y"] + answer.bounding_box()["height"] < size[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


def test_what_trains_many_times_as_slowly_is_marked(page, address):
    page.goto(f"{address}/index.html#release=2.15.1&need=train")
    expect(page.locator("#mine-answer > .caution")).to_contain_text("Trap: keras-groups works too, but it trains")
    marked = page.locator('td[data-a="keras-groups"]:visible .trap').first
    expect(marked).to_contain_text("x slower")


def test_what_is_asked_for_decides_the_colour(page, address, support):
    """A dtype that fails is not painted as what f32 does."""
    page.goto(f"{address}/index.html#release=2.15.1&dtype=bf16&cpu=x86-avx512vnni&need=train")
    expect(page.locator("#mine-answer .answer")).to_be_visible()
    shown = page.locator('[data-profile="onednn-off"] td[data-a]:visible a')
    assert set(shown.all_inner_texts()) <= {"yes", "no", "in part", "unknown"}


def test_a_release_that_nobody_has_run_is_unknown_and_borrows_nothing(page, address, made):
    tried = {record.header.release for record in made if record.header.backend == "cpu" and record.observations}
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
    page.get_by_role("combobox", name="I want to", exact=True).select_option("fused")
    expect(page.locator("#mine-answer .others")).to_be_visible()
    page.locator(".range input").first.dispatch_event("click")
    shown = page.locator("#mine-answer").inner_text()
    again = watched().new_page()
    again.goto(page.url)
    expect(again.locator("#mine-answer .others")).to_be_visible()
    assert again.locator("#mine-answer").inner_text() == shown
    assert again.get_by_role("combobox", name="I want to", exact=True).input_value() == "fused"
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
    situations += [Asked(release="2.21", host_class="x86-avx2-amd", switches_on=False)]  # which has not run the options
    situations += [Asked(release="2.8", backend="cuda"), Asked(release="2.15", profile="remapper-off")]
    asked = [(text, one) for text in sorted(set(texts)) for one in situations]
    asked += [(one["text"], Asked(release=one.get("release", ""), backend=one["backend"])) for one in reports]
    page.goto(f"{address}/errors.html")
    shown = page.evaluate(
        "async asked => { await arrived(); return asked.map(([text, one]) => explainText(text, one)); }",
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
    page.get_by_role("textbox", name="Paste an error").fill(REFUSED)
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
    page.get_by_role("combobox", name="written as").select_option("patches-einsum")
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
    verdicts = decode(gzip.decompress((site / "support.json.gz").read_bytes())).verdicts
    rows = json.loads(gzip.decompress((site / "data" / "table.json.gz").read_bytes()))
    lines = gzip.decompress((site / "data" / "table.csv.gz").read_bytes()).decode().splitlines()
    assert [row["verdict"] for row in rows] == [one.verdict for one in verdicts]
    assert len(lines) == 1 + len(verdicts)
