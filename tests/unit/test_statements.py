from __future__ import annotations

import dataclasses
import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from packaging.version import Version
from unit.fabricated import error, header, observe, record, where

from matrix import catalog, landmarks, records, statements
from matrix.catalog import Release, Wheel
from matrix.changes import Change
from matrix.needs import answer_of_cell, need_cells
from matrix.records import Fusion, Record
from matrix.report import report
from matrix.report.statements import cases, in_words, since
from matrix.report.statements import changed as changed_in
from matrix.statements import CaseStatement, Statement, Statements
from matrix.verdicts import NEEDS, Judgement, Witness, core_case, core_cells, judge

CATALOG = catalog.load()
RELEASES = [release.version for release in CATALOG.releases]
PYTHONS = {release.version: release.wheels["cpu"].python for release in CATALOG.releases}


def run(release, profile="default", backend="cpu") -> str:
    return f"tf{release}-py{PYTHONS[release].replace('.', '')}-{backend}+{profile}"


def at(release, change=lambda cell: {}, profile="default", **changes) -> Record:
    return record(change, release=release, profile=profile, **{"run": run(release, profile)} | changes)


def built(*made: Record) -> Statements:
    return statements.build(CATALOG, judge(made))


def stated(found: Statements, need, approach="nn-conv2d", profile="default") -> Statement:
    (one,) = (one for one in found.statements if (one.need, one.approach, one.profile) == (need, approach, profile))
    return one


def changed(found: Statements, what, approach="nn-conv2d") -> list[Change]:
    return [change for change in found.changes if (change.what, change.approach) == (what, approach)]


def judged(release, answer) -> Judgement:
    """A judgement that was observed and gives one answer for every need."""
    head = header("default", release=release, run=run(release))
    cell = ("nn-conv2d", "graph", "forward", core_case("nn-conv2d"))
    seen = observe(cell, outcome="pass" if answer == "yes" else "error")
    return Judgement(
        witness=Witness(asked=head, answers=head, cells={}, engines=("venv",)),
        approach="nn-conv2d",
        cells={cell: seen},
        needs=dict.fromkeys(NEEDS, answer),
        word={"yes": "works", "no": "refused", "unknown": "unknown"}.get(answer, "partial"),
        failing={} if answer == "yes" else dict.fromkeys(NEEDS, (seen,)),
    )


ANSWERS = st.dictionaries(st.sampled_from(RELEASES), st.sampled_from(["yes", "some", "no", "unknown"]), max_size=12)


def of_answers(answers, data=CATALOG) -> Statement | None:
    found = statements.build(data, [judged(*one) for one in answers.items()]).statements
    return next((one for one in found if one.need == "train"), None)


def is_within(release, span) -> bool:
    return Version(span.first) <= Version(release) <= Version(span.last)


@given(ANSWERS)
def test_each_recorded_answer_lies_in_a_span_of_its_own_and_in_no_other(answers):
    known = {release: answer for release, answer in answers.items() if answer != "unknown"}
    found = of_answers(answers)
    assert (found is None) == (not known)
    for release, answer in known.items():
        assert [span.answer for span in found.spans if is_within(release, span)] == [answer]
    assert not found or set(found.untried) == set(RELEASES) - set(known)


@given(ANSWERS)
def test_the_ends_of_a_span_are_recorded_neighbours_that_answer_otherwise(answers):
    known = {release: answer for release, answer in answers.items() if answer != "unknown"}
    found = of_answers(answers)
    for span in found.spans if found else ():
        assert known[span.first] == known[span.last] == span.answer
        older = [release for release in known if Version(release) < Version(span.first)]
        newer = [release for release in known if Version(release) > Version(span.last)]
        assert span.after == max(older, key=Version, default=None)
        assert span.until == min(newer, key=Version, default=None)
        assert {known[end] for end in (span.after, span.until) if end}.isdisjoint({span.answer})


@given(ANSWERS, st.integers(0, 30), st.integers(6, 9))
def test_a_release_that_nobody_ran_changes_no_span_and_opens_only_the_ends_it_lies_in(answers, minor, patch):
    wheel = Wheel(requirement="tensorflow==2.0.0", python="3.10")
    new = Release(version=f"2.{minor}.{patch}", date=datetime.date(2026, 1, 1), wheels={"cpu": wheel})
    releases = sorted((*CATALOG.releases, new), key=lambda release: Version(release.version))
    before, after = of_answers(answers), of_answers(answers, dataclasses.replace(CATALOG, releases=tuple(releases)))
    if before is None:
        assert after is None
        return
    assert after.spans == before.spans
    for span in before.spans:
        if span.after:
            lies_in = Version(span.after) < Version(new.version) < Version(span.first)
            opened = sorted([*before.between(span.after, span.first), *([new.version] * lies_in)], key=Version)
            assert after.between(span.after, span.first) == opened


def test_what_a_release_lacks_is_told_from_what_it_refuses():
    gone = where(outcome="absent", reason="no such API")
    found = built(at("2.4.4", gone), at("2.5.3", where("gradient", **error())), at("2.6.5"))
    assert [span.answer for span in stated(found, "train").spans] == ["absent", "no", "yes"]
    assert [span.answer for span in stated(found, "infer-eager").spans] == ["absent", "yes"]
    assert [span.answer for span in stated(found, "fused").spans] == ["absent", "no"]


def test_no_statement_is_made_of_a_need_that_an_approach_has_no_mode_for():
    found = built(at("2.4.4"))
    assert {one.need for one in found.statements if one.approach == "fused-kernel"} == {"infer-graph", "train", "fused"}


def test_untried_are_the_releases_that_have_the_profile():
    found = built(at("2.8.4", profile="onednn-on"), at("2.6.5", where(outcome="skipped"), profile="onednn-on"))
    untried = stated(found, "train", profile="onednn-on").untried
    assert untried[:3] == ["2.5.3", "2.6.5", "2.7.4"]
    assert "2.8.4" not in untried


def test_default_is_stated_by_the_profile_that_it_comes_to_and_told_once():
    defaults = [
        Record(header=header("default", release=release, run=run(release), status="not_run",
                             same_as=run(release, "onednn-on")))
        for release in ("2.9.3", "2.10.1")
    ]  # fmt: skip
    failing = at("2.9.3", where("gradient", **error()), profile="onednn-on")
    found = built(*defaults, failing, at("2.10.1", profile="onednn-on"))
    assert stated(found, "train").spans == stated(found, "train", profile="onednn-on").spans
    (change,) = changed(found, "need")
    assert change.profiles == ("default", "onednn-on")
    told = (change.need, change.was, change.now, change.count)
    assert told == ("train", "no", "yes", len(core_cells("nn-conv2d", "train")))
    cell = "nn-conv2d/eager/gradient/g4-k3/bias_relu/f32/nhwc"
    assert change.deciding == (f"{run('2.9.3', 'onednn-on')}/{cell}", f"{run('2.10.1', 'onednn-on')}/{cell}")


def test_only_like_is_compared_with_like():
    slow = where("gradient", **error())
    found = built(
        at("2.8.4", slow, profile="onednn-off"),
        at("2.9.3", profile="onednn-on"),
        at("2.9.3", engine="docker", profile="onednn-off"),
        at("2.10.1", profile="onednn-off", host=msgspec.structs.replace(header().host, host_class="x86-amx")),
    )
    assert found.changes == []
    assert [span.answer for span in stated_on(found, "x86-avx2").spans] == ["no", "yes"]


def stated_on(found, host_class) -> Statement:
    (one,) = (one for one in found.statements if one.host_class == host_class and one.profile == "onednn-off"
              and (one.approach, one.need) == ("nn-conv2d", "train"))  # fmt: skip
    return one


def cells_of(made: Record) -> list[str]:
    """What counts of `nn-conv2d` in a record, as `mode/check/case`."""
    (judgement,) = (one for one in judge([made]) if one.approach == "nn-conv2d")
    return ["/".join(cell[1:]) for cell in judgement.cells]


def test_changes_name_word_errors_and_what_lies_beyond_the_needs():
    before = at("2.8.4", where("gradient", "graph", "bias", **error("old words")))
    after = at("2.9.3", where("gradient", "jit", **error()), suite_sha256="a" * 64)
    later = at("2.10.1", where("gradient", "jit", **error("new words")), suite_sha256="a" * 64)
    found = built(before, after, later)
    assert [(one.was, one.now, one.release) for one in changed(found, "need")] == [("some", "yes", "2.9.3")]
    assert [(one.was, one.now) for one in changed(found, "verdict")] == [("partial", "works")]
    (beyond,) = changed(found, "outcome")
    gradients = sum(cell.startswith("jit/gradient/") for cell in cells_of(after))
    assert (beyond.was, beyond.now, beyond.count, beyond.suites_differ) == ("pass", "error", gradients, True)
    assert beyond.deciding[1] == f"{run('2.9.3')}/nn-conv2d/jit/gradient/g4-k3/bias_relu/f32/nhwc"
    (words,) = changed(found, "error")
    texts = ("InvalidArgumentError: does not compute", "InvalidArgumentError: new words")
    assert ((words.was, words.now), words.before, words.release) == (texts, "2.9.3", "2.10.1")
    assert not words.suites_differ


def test_a_crash_anywhere_decides_its_own_change():
    crash = where("gradient", "jit", "bias", outcome="crash", signal="SIGSEGV")
    (change,) = changed(built(at("2.8.4"), at("2.9.3", crash)), "verdict")
    assert (change.was, change.now, change.count) == ("works", "crash", 1)
    assert change.deciding[1] == f"{run('2.9.3')}/nn-conv2d/jit/gradient/g4-k3/bias/f32/nhwc"


def planned(release, epilogue) -> Record:
    cell = ("nn-conv2d", "graph", "fusion", core_case("nn-conv2d"))
    fusion = Fusion(kernel="unknown", epilogue=epilogue, ops={}, source="grappler_plan")
    head = header("default", release=release, run=run(release, backend="cuda"), backend="cuda", observations=1)
    return Record(header=head, observations=(observe(cell, evidence="planned", fusion=fusion),))


def test_what_is_planned_is_stated_of_fusion_alone_and_apart():
    found = built(planned("2.8.4", "separate"), planned("2.10.1", "fused"))
    (one,) = found.statements
    assert (one.evidence, one.need, one.backend) == ("planned", "fused", "cuda")
    assert [span.answer for span in one.spans] == ["no", "yes"]
    assert one.between("2.8.4", "2.10.1") == ["2.9.3"]
    assert [(one.what, one.was, one.now) for one in found.changes] == [
        ("need", "no", "yes"),
        ("verdict", "plans-separate", "plans-fused"),
    ]


def test_a_run_without_observations_is_untried():
    found = built(at("2.8.4"), Record(header=header("default", release="2.9.3", run=run("2.9.3"), status="not_built",
                                                    reason="no wheel")))  # fmt: skip
    assert "2.9.3" in stated(found, "train").untried
    assert found.changes == []


@pytest.mark.parametrize("found", [built(), built(at("2.8.4"), at("2.9.3", where("forward", **error())))])
def test_what_is_published_is_read_back(found):
    data = statements.encode(found)
    assert statements.decode(data) == found
    assert statements.encode(statements.decode(data)) == data
    assert all(
        b"\n" + msgspec.json.encode(one, order="sorted") in data
        for one in (*found.statements, *found.cases, *found.changes)
    )


def test_what_is_no_statement_is_refused():
    with pytest.raises(msgspec.ValidationError):
        statements.decode(b'{"format":"statements/2","statements":[],"changes":[]}')


def words(spans, untried=()) -> str:
    statement = Statement(
        backend="cpu", host_class="x86-avx2", profile="default", evidence="executed", approach="nn-conv2d",
        need="train", spans=statements.spans(spans), untried=list(untried),
    )  # fmt: skip
    return in_words(statement)


@pytest.mark.parametrize(
    ("spans", "untried", "said"),
    [
        ([("2.8.4", "yes")], [], "yes"),
        ([("2.5.3", "no"), ("2.8.4", "yes"), ("2.21.0", "yes")], [], "yes from 2.8.4, no"),
        ([("2.5.3", "no"), ("2.8.4", "yes")], ["2.6.5", "2.9.3"], "yes from (2.5.3, 2.8.4], no"),
        ([("2.5.3", "no"), ("2.10.1", "yes")], ["2.9.3"], "yes from (2.5.3, 2.10.1], no"),
        ([("2.4.4", "absent"), ("2.5.3", "some"), ("2.8.4", "no")], [], "no from 2.8.4, in part from 2.5.3, not there"),
        ([("2.5.3", "yes"), ("2.8.4", "no"), ("2.9.3", "yes")], [], "yes from 2.9.3, no from 2.8.4, yes"),
    ],
)
def test_a_statement_in_words(spans, untried, said):
    unknown = f" (unknown in {', '.join(untried)})" if untried else ""
    assert words(spans, untried) == said + unknown


def test_the_table_says_once_what_was_not_run_and_what_is_doubtful():
    control = where("forward", "graph", control=True, **error())
    found = built(at("2.8.4", control), at("2.9.3"), at("2.10.1", where("gradient", outcome="skipped")))
    (table,) = since(found.statements)
    assert set(table.untried) == set(RELEASES) - {"2.8.4", "2.9.3", "2.10.1"}
    assert table.doubtful == ("2.8.4",)
    cells = dict(zip(table.needs, dict(table.rows)["nn-conv2d"], strict=True))
    assert cells["train"] == "yes (unknown in 2.10.1)"
    assert cells["infer-eager"] == "yes"
    assert dict(table.rows)["fused-kernel"][table.needs.index("infer-eager")] == ""


def test_each_change_leads_to_both_records():
    found = built(at("2.8.4"), at("2.9.3", where("gradient", **error())), at("2.10.1"))
    newest, older = changed_in(found.changes)
    assert (newest.release, older.release) == ("2.10.1", "2.9.3")
    assert (newest.summary, older.summary) == (
        ("default: now train by nn-conv2d",),
        ("default: no longer train by nn-conv2d",),
    )
    (news,) = older.news
    assert [(change.what, change.was, change.now) for change in news.changes[:2]] == [
        ("need", "yes", "no"),
        ("verdict", "works", "partial"),
    ]
    folder = "runs/x86-avx2/venv"
    assert news.records == (f"{folder}/{run('2.8.4')}.jsonl", f"{folder}/{run('2.9.3')}.jsonl")


HOSTILE = "</td><script>alert(1)</script> | a | [x](javascript:alert(1)) `code` \u202e![i](http://e.vil)\n# head"


def test_hostile_texts_of_errors_stay_text(tmp_path):
    for release, text in (("2.8.4", "was fine"), ("2.9.3", HOSTILE)):
        records.write(tmp_path, at(release, where("forward", **error(text))))
    report(tmp_path, None)
    text = (tmp_path / "CHANGES.md").read_text()
    assert "alert" in text
    assert "\u202e" not in text
    page = MarkdownIt("commonmark").enable("table").parse(text)
    assert {len(row) for row in rows(page)} == {5}
    assert not [token for token in page if token.type in {"html_block", "html_inline"}]
    links = [child.attrs["href"] for token in page for child in token.children or () if child.type == "link_open"]
    assert links
    assert all(link == "statements.json" or (tmp_path / link).is_file() for link in links)


def rows(page) -> list[list]:
    cells = [token for token in page if token.type in {"tr_open", "td_open", "th_open"}]
    starts = [number for number, token in enumerate(cells) if token.type == "tr_open"]
    return [cells[start + 1 : end] for start, end in zip(starts, [*starts[1:], len(cells)], strict=True)]


def marked(*releases) -> catalog.Catalog:
    chosen = tuple(
        msgspec.structs.replace(release, landmark="A reason." if release.version in releases else None)
        for release in CATALOG.releases
    )
    return dataclasses.replace(CATALOG, releases=chosen)


@pytest.mark.parametrize(
    ("releases", "said"),
    [
        (("2.8.4",), []),
        (("2.9.3",), []),
        (("2.8.4", "2.9.3", "2.21.0", RELEASES[-1]), []),
        ((), ["2.9.3 is no landmark, nor is 2.8.4, but between them train by nn-conv2d under default becomes yes: "]),
        (("2.9.3", "2.6.5", "2.5.3"), ["2.6.5 is a landmark, but its neighbours meet every need as it does: "]),
    ],
)
def test_a_landmark_is_where_something_changes(releases, said):
    refused = where("gradient", **error())
    found = built(*(at(release, refused) for release in ("2.6.5", "2.7.4", "2.8.4")), *map(at, ("2.9.3", "2.21.0")))
    told = landmarks.contradictions(marked(*releases), found.statements)
    assert [sentence.rpartition(": ")[0] + ": " for sentence in told] == said


def test_what_is_only_planned_marks_nothing():
    found = built(planned("2.8.4", "separate"), planned("2.10.1", "fused"))
    assert landmarks.contradictions(marked(), found.statements) == []


def case_of(found: Statements, cell) -> CaseStatement:
    (one,) = (one for one in found.cases if cell in one.cells and one.approach == "nn-conv2d")
    return one


def test_what_no_need_is_judged_on_is_stated_cell_by_cell():
    found = built(at("2.8.4", where("gradient", "jit", **error())), at("2.9.3"), at("2.10.1"))
    gradient = case_of(found, "jit/gradient/g4-k3/bias/f32/nhwc")
    assert [(span.answer, span.first, span.last) for span in gradient.spans] == [
        ("no", "2.8.4", "2.8.4"),
        ("yes", "2.9.3", "2.10.1"),
    ]
    judged = {"/".join(cell[1:]) for need in NEEDS for cell in need_cells("nn-conv2d", need)}
    stated = [cell for one in found.cases if one.approach == "nn-conv2d" for cell in one.cells]
    assert len(stated) == len(set(stated))
    observed = set(cells_of(at("2.9.3")))
    assert set(stated) == {cell for cell in observed - judged if "/fusion/" not in cell or "/none/" not in cell}


@pytest.mark.parametrize(
    ("forward", "epilogue", "answer"),
    [("pass", "fused", "yes"), ("pass", "partly", "some"), ("pass", "separate", "no"), ("error", "fused", "no"),
     ("absent", "fused", "absent"), ("skipped", "fused", None)],
)  # fmt: skip
def test_an_epilogue_is_inside_only_where_the_program_runs(forward, epilogue, answer):
    def change(cell):
        if cell[1] == "jit" and cell[2] == "forward":
            return {"outcome": forward}
        return {"epilogue": epilogue} if cell[2] == "fusion" else {}

    (judgement,) = (one for one in judge([at("2.8.4", change)]) if one.approach == "nn-conv2d")
    assert answer_of_cell(judgement, ("nn-conv2d", "jit", "fusion", core_case("nn-conv2d"))) == answer
    assert answer_of_cell(judgement, ("nn-conv2d", "jit", "fusion", core_case("nn-conv2d", "none"))) is None
    assert answer_of_cell(judgement, ("nn-conv2d", "jit", "fusion", "g9-k9/bias/f32/nhwc")) is None


def test_cases_that_say_the_same_share_a_row():
    tables = cases(built(at("2.8.4", where("gradient", "jit", "bias", **error())), at("2.9.3")).cases)
    (table,) = (one for one in tables if one.approach == "slice-loop")
    said = {name: dict(zip(table.ways, cells, strict=True)) for names, cells in table.rows for name in names}
    assert said["g4-k3/bias/f32/nhwc"]["jit gradient"] == "yes"
    assert said["g4-k3/none/f32/nhwc"]["jit fusion"] == ""
    assert len({cells for _, cells in table.rows}) == len(table.rows)
