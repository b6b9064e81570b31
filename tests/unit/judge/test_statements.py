from __future__ import annotations

import dataclasses
import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from unit.fabricated import error, header, observe, where
from unit.released import CATALOG, RELEASES, at, built, planned, run

from matrix.base import paths
from matrix.catalog.releases import Release, Wheel
from matrix.judge import statements
from matrix.judge.changes import Change
from matrix.judge.needs import cell_answer, need_cells
from matrix.judge.statements import CaseStatement, Statement, Statements
from matrix.judge.verdicts import NEEDS, JudgedRun, Judgement, core_case, core_cells, judge
from matrix.record import records
from matrix.record.records import Record
from matrix.report import statement_tables
from matrix.suite.catalog import TRAINED


def stated(found: Statements, need, approach="nn-conv2d", profile="default") -> Statement:
    (one,) = (one for one in found.statements if (one.need, one.approach, one.profile) == (need, approach, profile))
    return one


def changed(found: Statements, what, approach="nn-conv2d") -> list[Change]:
    return [change for change in found.changes if (change.what, change.approach) == (what, approach)]


USUAL = {need: [cell for cell in need_cells("nn-conv2d", need) if cell[3] == core_case("nn-conv2d")] for need in NEEDS}


def judged(release, answer) -> Judgement:
    """Make a judgement with observations that gives the same answer for every need."""
    head = header("default", release=release, run=run(release))
    outcome = {"yes": "pass", "some": "error", "no": "crash", "unknown": "skipped"}[answer]
    seen = {cell: observe(cell, outcome=outcome, fusion=None) for need in NEEDS for cell in USUAL[need]}
    return Judgement(
        run=JudgedRun(header=head, judged_by=head, cells={}, engines=("venv",)),
        approach="nn-conv2d",
        cells=seen,
        needs=dict.fromkeys(NEEDS, answer),
        word={"yes": "works", "no": "refused", "unknown": "unknown"}.get(answer, "partial"),
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
    """Return the cells of `nn-conv2d` in a record that count, as `mode/check/case`."""
    (judgement,) = (one for one in judge([made]) if one.approach == "nn-conv2d")
    return ["/".join(cell[1:]) for cell in judgement.cells]


def test_changes_name_word_errors_and_what_lies_beyond_the_needs():
    before = at("2.8.4", where("gradient", "graph", "bias_relu", **error("old words")))
    after = at("2.9.3", where("gradient", "jit", **error()), suite_sha256="a" * 64)
    later = at("2.10.1", where("gradient", "jit", **error("new words")), suite_sha256="a" * 64)
    found = built(before, after, later)
    assert [(one.was, one.now, one.release) for one in changed(found, "need")] == [("some", "yes", "2.9.3")]
    assert [(one.was, one.now) for one in changed(found, "verdict")] == [("partial", "works")]
    (beyond,) = changed(found, "outcome")
    gradients = len(TRAINED)
    assert (beyond.was, beyond.now, beyond.count, beyond.suites_differ) == ("pass", "error", gradients, True)
    assert beyond.deciding[1] == f"{run('2.9.3')}/nn-conv2d/jit/gradient/g4-k3/bias_relu/f32/nhwc"
    (words,) = changed(found, "error")
    texts = ("InvalidArgumentError: does not compute", "InvalidArgumentError: new words")
    assert ((words.was, words.now), words.before, words.release) == (texts, "2.9.3", "2.10.1")
    assert not words.suites_differ


def test_a_crash_anywhere_decides_its_own_change():
    crash = where("gradient", "jit", "bias_relu", outcome="crash", signal="SIGSEGV")
    (change,) = changed(built(at("2.8.4"), at("2.9.3", crash)), "verdict")
    assert (change.was, change.now, change.count) == ("works", "crash", 1)
    assert change.deciding[1] == f"{run('2.9.3')}/nn-conv2d/jit/gradient/g4-k3/bias_relu/f32/nhwc"


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


def case_of(found: Statements, cell) -> CaseStatement:
    (one,) = (one for one in found.cases if cell in one.cells and one.approach == "nn-conv2d")
    return one


def test_what_no_need_is_judged_on_is_stated_cell_by_cell():
    found = built(at("2.8.4", where("gradient", "jit", **error())), at("2.9.3"), at("2.10.1"))
    gradient = case_of(found, "jit/gradient/g4-k3/bias_relu/f32/nhwc")
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
    assert cell_answer(judgement, ("nn-conv2d", "jit", "fusion", core_case("nn-conv2d"))) == answer
    assert cell_answer(judgement, ("nn-conv2d", "jit", "fusion", core_case("nn-conv2d", "none"))) is None
    assert cell_answer(judgement, ("nn-conv2d", "jit", "fusion", "g9-k9/bias/f32/nhwc")) is None


def test_a_change_is_told_where_only_one_of_both_runs_observed_its_cell():
    """So it is when the suite gets more cases: a crash in a new case has no older cell to be compared with."""

    def older(cell):
        return None if cell[:3] == ("nn-conv2d", "jit", "gradient") else {}

    crash = where("gradient", "jit", "bias_relu", outcome="crash", signal="SIGSEGV")
    (change,) = changed(built(at("2.8.4", older), at("2.9.3", crash)), "verdict")
    assert change.runs == (run("2.8.4"), run("2.9.3"))
    assert change.deciding == (f"{run('2.9.3')}/nn-conv2d/jit/gradient/g4-k3/bias_relu/f32/nhwc",)


def test_a_word_that_some_of_a_mode_decides_names_a_cell_that_changed():
    refused = where(**error())

    def some(cell):
        return {} if cell[1:3] == ("graph", "forward") and "/none/" in cell[3] else refused(cell)

    (change,) = changed(built(at("2.8.4", refused), at("2.9.3", some)), "verdict")
    assert (change.was, change.now, change.count) == ("refused", "partial", 1)
    assert change.deciding[1] == f"{run('2.9.3')}/nn-conv2d/graph/forward/g4-k3/none/f32/nhwc"


def test_what_a_release_switches_by_default_is_told_beside_what_it_changed():
    """2.9 switched oneDNN on: what `default` gained there, a release with oneDNN off did not."""
    refused = where("forward", "graph", **error())
    made = [
        at("2.8.4", refused, profile="onednn-off"),
        at("2.9.3", refused, profile="onednn-off"),
        at("2.9.3", profile="onednn-on"),
        *(
            Record(header=header("default", release=release, run=run(release), status="not_run",
                                 same_as=run(release, profile)))
            for release, profile in (("2.8.4", "onednn-off"), ("2.9.3", "onednn-on"))
        ),
    ]  # fmt: skip
    found = built(*made)
    _, newest = stated(found, "infer-graph").spans
    assert (newest.first, newest.switched) == ("2.9.3", ("oneDNN on",))
    assert [span.switched for span in stated(found, "infer-graph", profile="onednn-off").spans] == [()]
    (change,) = changed(found, "need")
    assert (change.profiles, change.switched) == (("default",), ("oneDNN on",))
    (release,) = statement_tables.changed(found.changes)
    assert release.summary[0].startswith("default with oneDNN on: now infer-graph")
    assert statement_tables.in_words(stated(found, "infer-graph")).startswith("yes from 2.9.3 with oneDNN on, ")


def test_the_records_of_2_8_4_and_2_9_3_differ_by_default_in_onednn_and_the_statements_say_so():
    judged = [one for one in judge(records.read_all(paths.REPORTS)) if one.run.header.release in {"2.8.4", "2.9.3"}]
    found = statements.build(CATALOG, judged)
    by_default = {one.switched for one in found.changes if one.profiles == ("default",) and one.backend == "cpu"}
    assert by_default == {("oneDNN on",)}
    others = {one.switched for one in found.changes if "default" not in one.profiles or one.backend != "cpu"}
    assert others == {()}
    assert {span.switched for one in found.statements for span in one.spans if span.after} == {(), ("oneDNN on",)}
