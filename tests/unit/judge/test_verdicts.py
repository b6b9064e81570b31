from __future__ import annotations

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from unit.fabricated import error, header, observe, record, where

from matrix.catalog import known_errors
from matrix.judge.notes import causes, notes
from matrix.judge.verdicts import (
    FAILED,
    JUDGED,
    NEEDS,
    WORST,
    Judgement,
    core_cells,
    counts,
    is_core,
    judge,
    workarounds,
)
from matrix.record.records import Error, Fusion, Host, Record
from matrix.suite import catalog as suite

FUSED_REFUSAL = Error(
    type="UnimplementedError", message="Fused conv implementation does not support grouped convolutions"
)
NOTHING = Fusion(kernel="unknown", epilogue="separate", ops={}, source="partition_graphs")
NO_JIT = "tf.function has no option jit_compile in this release"
cause = causes(known_errors.load())


def one(*records: Record, approach="nn-conv2d", profile="onednn-off") -> Judgement:
    (found,) = (j for j in judge(records) if (j.approach, j.run.header.profile) == (approach, profile))
    return found


def told(judgement: Judgement, *records: Record) -> str:
    beside = [other for other in judge(records) if other.run.place == judgement.run.place]
    return "\n".join(notes(judgement, beside, cause))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda cell: {}, "works"),
        (where("fusion", "graph", "bias_relu", epilogue="fused"), "fused"),
        (where("forward", "eager", **error()), "partial"),
        (where("forward", "graph", "bias_relu", **error()), "partial"),
        (where("gradient", **error()), "partial"),
        (where("gradient", "jit", **error()), "works"),
        (where(**error()), "refused"),
        (where("forward", "eager", "bn_relu", outcome="crash", signal="SIGSEGV"), "crash"),
        (where("gradient", "jit", "bias_relu", outcome="timeout"), "timeout"),
        (where("forward", "keras", outcome="oom"), "oom"),
        (where("forward", outcome="wrong", reason="output: relative error 1.0"), "wrong"),
        (where(outcome="absent", reason="no such API"), "absent"),
        (where("forward", "jit", outcome="skipped", reason="a fault of the suite"), "unknown"),
        (where(None, "jit", outcome="absent", reason=NO_JIT), "works"),
        (where("fusion", outcome="skipped", fusion=None), "works"),
    ],
)
def test_each_word_is_reached(change, word):
    assert one(record(change)).word == word


def test_the_worst_outcome_outranks_whatever_else_there_is():
    def change(cell):
        outcomes = {"bn_relu": "crash", "bias_relu": "wrong", "bias_add_relu": "timeout"}
        return {"outcome": outcomes.get(cell[3].split("/")[1], "pass")} if cell[2] == "forward" else {}

    judgement = one(record(change))
    assert judgement.word == "wrong"
    assert judgement.deciding == ("tf2.8.4-py310-cpu+onednn-off/nn-conv2d/eager/forward/g4-k3/bias_relu/f32/nhwc",)


def test_what_outranks_the_rest_is_told_with_its_place():
    bad = record(where("gradient", "jit", "bias_relu", outcome="crash", signal="SIGABRT", reason="Check failed"))
    first = "jit/gradient/g4-k3/bias_relu/f32/nhwc"
    asked = sum(cell.approach == "nn-conv2d" and counts(cell.case) for cell in suite.cells())
    assert f"Crash in 1 of {asked} cells, first in {first}: SIGABRT, Check failed." in told(one(bad), bad)


@pytest.mark.parametrize(
    ("change", "need", "answer"),
    [
        (lambda cell: {}, "train", "yes"),
        (where("forward", "keras", "bn_relu", **error()), "infer-graph", "some"),
        (where("forward", "keras", **error()), "infer-graph", "some"),
        (where("forward", "eager", **error()), "infer-eager", "no"),
        (where(None, "eager", outcome="absent"), "infer-eager", "no"),
        (where(None, "keras", outcome="absent"), "infer-graph", "yes"),
        (where(None, "eager", outcome="absent"), "train", "yes"),
        (where("forward", "jit", "bn_relu", outcome="skipped"), "infer-jit", "unknown"),
        (where("fusion", outcome="skipped", fusion=None), "fused", "unknown"),
        (lambda cell: {}, "fused", "no"),
    ],
)
def test_each_answer_is_reached(change, need, answer):
    assert one(record(change)).needs[need] == answer


@pytest.mark.parametrize(("epilogue", "answer"), [("fused", "yes"), ("partly", "some"), ("separate", "no")])
def test_fused_is_about_bias_relu_in_graph_mode(epilogue, answer):
    only = lambda cell: {"epilogue": epilogue} if (cell[1], cell[2]) == ("graph", "fusion") else {"epilogue": "none"}  # noqa: E731
    assert one(record(only)).needs["fused"] == answer


def test_what_is_fused_into_a_kernel_that_fails_is_not_fused():
    def change(cell):
        return {"epilogue": "fused"} | (error() if cell[1] == "graph" and cell[2] != "gradient" else {})

    assert one(record(change)).needs["fused"] == "no"


def test_a_partial_record_leaves_open_what_it_lacks():
    def change(cell):
        return None if cell[1] == "keras" else {}

    ended = record(change, status="partial", reason="it died with SIGKILL")
    judgement = one(ended)
    assert judgement.word == "unknown"
    assert judgement.needs == {
        "infer-eager": "yes", "infer-graph": "unknown", "infer-jit": "yes", "train": "unknown", "fused": "no",
    }  # fmt: skip
    lacks = sum(cell[:2] == ("nn-conv2d", "keras") and counts(cell.case) for cell in suite.cells())
    assert judgement.counts["unobserved"] == lacks
    assert "The run ended before its end (2026-01-02): it died with SIGKILL" in told(judgement, ended)
    assert f"Not in the record: {lacks} cells; unknown: infer-graph and train." in told(judgement, ended)


def test_a_run_that_was_not_built_is_unknown_with_reason_and_day():
    empty = Record(header=header(status="not_built", reason="no Python 3.10 here"))
    judgement = one(empty)
    assert (judgement.word, judgement.evidence, judgement.deciding) == ("unknown", None, ())
    assert told(judgement, empty) == "Could not be built (2026-01-02): no Python 3.10 here"


def test_a_partial_verdict_names_need_mode_known_error_and_the_workaround_that_was_measured():
    off = record(where("forward", "graph", "bias_relu", outcome="error", error=FUSED_REFUSAL))
    on = record(profile="onednn-on")
    text = told(one(off, on), off, on)
    assert text == (
        "Fails: infer-graph in graph (bias_relu): the CPU's fused kernel refuses groups (fused-conv-groups). "
        "Workaround, measured here: mode eager, jit or keras; profile onednn-on; "
        "approach keras-groups, slice-loop, split-concat, masked-dense, patches-einsum, depthwise-sum or "
        "keras-per-group; epilogue plus_relu for bias_relu (only graph, separate)."
    )


def test_a_profile_that_helps_in_some_of_the_failing_modes_is_told_with_these_after_what_helps_in_all():
    """As auto-clustering of 2.21 with oneDNN off, which has the gradients that are not taken eagerly."""
    off = record(where("gradient", **error()))
    clustered = record(where("gradient", "eager", **error()), profile="onednn-off+auto-cluster")
    uncured = record(where("gradient", of="bias_relu", **error()), profile="onednn-off+remapper-off")
    made = [off, clustered, uncured, record(profile="onednn-on", onednn=True)]
    assert workarounds(one(*made), "train", judge(made))["profile"] == [
        "onednn-on", "onednn-off+auto-cluster (only graph and keras)",
    ]  # fmt: skip
    assert "profile onednn-on or onednn-off+auto-cluster (only graph and keras);" in told(one(*made), *made)


def test_wrong_numbers_beyond_the_core_are_told_and_are_not_the_verdict():
    """A verdict's word is about f32 in nhwc: two bf16 cells made it `wrong` in 14 published runs."""
    wrong = {"outcome": "wrong", "rel_err": 1.0}
    made = record(lambda cell: wrong if cell[0] == "nn-conv2d" and "/bf16/" in cell[3] and cell[1] == "eager" else {})
    judgement = one(made)
    assert judgement.word == "works"
    assert "Wrong in 2 of " in told(judgement, made) and "/bf16/" in told(judgement, made)
    assert one(record(where("forward", "eager", of="none", **wrong))).word == "wrong"


@pytest.mark.parametrize("ops", [{}, {"XLA:Conv2D": 1}, {"XLA_CPU:Conv2D": 1}])
def test_a_fusion_without_any_operation_outside_of_xla_is_unknown(ops):
    """What XLA compiled as a whole is no evidence that bias and ReLU ran separately."""
    fusion = msgspec.structs.replace(NOTHING, ops=ops)
    made = record(lambda cell: {"fusion": fusion} if cell[0] == "nn-conv2d" and cell[2] == "fusion" else {})
    judgement = one(made)
    assert judgement.needs["fused"] == "unknown" and judgement.word == "works"
    assert "cells: no operation outside of what XLA compiled" in told(judgement, made)


def test_a_profile_that_differs_in_two_settings_is_no_workaround():
    """The remapper was off in a run with oneDNN on: with oneDNN off that says nothing."""
    off = record(where("forward", "graph", **error()))
    both = record(profile="remapper-off", run="tf2.8.4-py310-cpu+remapper-off", onednn=True)
    alone = record(profile="remapper-off", run="tf2.8.4-py310-cpu+remapper-off", onednn=False)
    assert workarounds(one(off, both), "infer-graph", judge([off, both]))["profile"] == []
    assert workarounds(one(off, alone), "infer-graph", judge([off, alone]))["profile"] == ["remapper-off"]


def test_a_workaround_is_only_what_passed_on_the_same_host_class_and_computes_the_same():
    off = record(lambda cell: error() if cell[0] in {"nn-conv2d", "split-concat"} and cell[2] == "gradient" else {})
    elsewhere = Host(host_class="cuda-sm90", cpu="Another", cpu_flags=[], cores=2, kernel="6.1")
    on = record(profile="onednn-on", host=elsewhere)
    judgement = one(off, on)
    beside = [other for other in judge([off, on]) if other.run.place == judgement.run.place]
    ways = workarounds(judgement, "train", beside)
    assert ways == {
        "mode": [], "profile": [],
        "approach": [
            "keras-groups", "slice-loop", "masked-dense", "patches-einsum", "depthwise-sum", "keras-per-group",
        ],
        "epilogue": [],
    }  # fmt: skip


def test_default_is_judged_by_the_run_that_it_is_the_same_as():
    off = record(where("gradient", **error()))
    same = Record(header=header("default", status="not_run", same_as=off.header.run))
    judgement = one(same, off, profile="default")
    assert judgement.word == "partial"
    assert all(name.startswith("tf2.8.4-py310-cpu+onednn-off/") for name in judgement.deciding)
    text = told(judgement, same, off)
    assert "The same as tf2.8.4-py310-cpu+onednn-off on this host class, and judged by it." in text
    assert "profile" not in text.partition("Workaround")[2]


def test_a_same_as_without_its_record_is_unknown():
    same = Record(header=header("default", status="not_run", same_as="tf2.8.4-py310-cpu+onednn-on"))
    judgement = one(same, profile="default")
    assert judgement.word == "unknown"
    assert "of which there is no record" in told(judgement, same)


def test_docker_wins_over_venv_and_says_so_unless_it_has_less_to_say():
    venv, docker = record(), record(where("gradient", **error()), engine="docker")
    assert one(venv, docker).word == one(docker, venv).word == "partial"
    assert "By the record of docker; there is one of venv too." in told(one(venv, docker), venv, docker)
    broken = Record(header=header(engine="docker", status="not_built", reason="no base image"))
    assert one(broken, venv).run.judged_by.engine == "venv"


def test_of_two_pythons_the_newer_record_answers():
    old = record(where("gradient", **error()), started="2025-01-01T00:00:00Z")
    new = record(run="tf2.8.4-py311-cpu+onednn-off", started="2026-01-01T00:00:00Z")
    assert one(old, new).run.judged_by.run == one(new, old).run.judged_by.run == "tf2.8.4-py311-cpu+onednn-off"


def test_a_failure_whose_twin_fails_too_is_doubtful_and_no_other_is():
    failing = where("forward", "graph", approach="keras-groups", **error())
    twin = where("forward", "graph", "bn_relu", approach="keras-groups", control=True, **error())
    made = record(lambda cell: failing(cell) | twin(cell))
    judgement = one(made, approach="keras-groups")
    assert [observation.case for observation in judgement.doubtful] == ["g4-k3/bn_relu/f32/nhwc"]
    assert "Doubtful: in graph the same fails without groups" in told(judgement, made)
    assert not one(made).doubtful


def test_a_gradient_under_xla_is_told_but_judges_nothing():
    bad = record(where("gradient", "jit", **error("no such operation")))
    assert told(one(bad), bad) == (
        "Counted in no need: gradient in jit fails in 2 of 10 cases, from g4-k3/none/f32/nhwc: "
        "InvalidArgumentError: no such operation."
    )


def test_a_case_of_another_suite_counts_in_nothing():
    made = record()
    other = msgspec.structs.replace(made.observations[0], case="g4-k3-gone/bias/f32/nhwc", outcome="wrong")
    header = msgspec.structs.replace(made.header, observations=len(made.observations) + 1)
    mixed = Record(header=header, observations=(*made.observations, other))
    assert [one.word for one in judge([mixed])] == [one.word for one in judge([made])]


def test_what_died_and_did_not_alone_is_told_as_flaky():
    reason = "died here (SIGSEGV) after other cases; alone it does not"
    made = record(where("forward", "graph", "bias_relu", reason=reason))
    told = [one for one in judge([made]) if one.approach == "nn-conv2d"]
    (note,) = [note for note in notes(told[0], told, causes(())) if note.startswith("Flaky")]
    assert "seen both ways, in 1 of" in note and note.endswith(f"{reason}.")


def test_what_a_release_lacks_is_told():
    absent = {"outcome": "absent", "reason": NO_JIT}
    old = record(lambda cell: absent if cell[:2] == ("nn-conv2d", "jit") else {})
    assert told(one(old), old) == f"Not in this release: mode jit ({NO_JIT})."
    assert told(one(old, approach="fused-kernel"), old) == "fused-kernel has no mode eager, jit or keras."


def planned(change, approach="nn-conv2d") -> tuple[Judgement, str]:
    """Return the judgement of a record of plans, and its notes."""
    cells = [tuple(cell) for cell in suite.planned_cells()]
    plans = tuple(observe(cell, **{"evidence": "planned"} | change(cell)) for cell in cells)
    device = {"type": "GPU", "model": "NVIDIA A100"}
    made = Record(header=header(planned_for=device, observations=len(plans)), observations=plans)
    judgement = one(made, approach=approach)
    return judgement, told(judgement, made)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda cell: {"epilogue": "fused"}, "plans-fused"),
        (lambda cell: {"epilogue": "separate" if "f32" in cell[3] else "fused"}, "plans-separate"),
        (lambda cell: {"evidence": "registered"}, "registered-only"),
        (lambda cell: {"outcome": "absent", "reason": "this build registers no kernel"}, "absent"),
        (lambda cell: {"outcome": "skipped", "reason": "not believed"}, "unknown"),
        (lambda cell: error(), "refused"),
        (lambda cell: {"outcome": "wrong"}, "wrong"),
    ],
)
def test_what_did_not_run_never_works(change, word):
    judgement, text = planned(change)
    assert judgement.word == word
    assert judgement.needs["fused"] == "unknown"
    assert "Planned for NVIDIA A100, which was not there: nothing was executed." in text


def test_plans_beyond_the_core_are_told():
    _, text = planned(lambda cell: {"epilogue": "fused" if "f16" in cell[3] else "separate"}, approach="depthwise")
    assert "bias_relu elsewhere: separate for g16-k3-cm1 f32 nchw, " in text
    assert "; fused for g16-k3-cm1 f16 nhwc, " in text


OUTCOMES = st.sampled_from(["pass", "wrong", "error", "crash", "timeout", "oom", "absent", "skipped"])
CELLS = [tuple(cell) for cell in suite.cells() if cell.approach == "nn-conv2d"]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(CELLS), OUTCOMES), st.sampled_from([None, "pass", "error", "absent"]))
def test_whatever_was_observed_has_a_verdict_that_holds(outcomes, rest):
    assume(outcomes or rest)  # a complete record without a cell of it was not asked for it
    made = record(lambda cell: {"outcome": o} if cell[0] == "nn-conv2d" and (o := outcomes.get(cell, rest)) else None)
    judgement = one(made)
    seen = {cell: observation.outcome for cell, observation in judgement.cells.items()}
    judged = {cell: seen.get(cell) for need in JUDGED for cell in core_cells("nn-conv2d", need)}
    failing = {cell for cell, outcome in judged.items() if outcome in FAILED}

    assert set(judgement.needs) == set(NEEDS)
    assert not (judgement.word in {"works", "fused"} and (failing or None in judged.values()))
    assert (judgement.word in WORST) == bool({seen[cell] for cell in seen if is_core(cell)} & set(WORST))
    assert not (judgement.word == "refused" and "pass" in judged.values())
    assert not (judgement.word == "absent" and set(judged.values()) != {"absent"})
    if judgement.word == "partial":
        assert "Fails: " in told(judgement, made)
        assert "pass" in judged.values() and failing
    if failing or judgement.word in WORST:
        named = {tuple(name.split("/", 4)[1:]) for name in judgement.deciding}
        assert named & {cell for cell, outcome in seen.items() if outcome in FAILED}


def test_a_run_that_calls_itself_complete_and_observed_nothing_has_entries_that_know_nothing():
    """Or nothing would know of the run whose record lies there."""
    made = judge([Record(header=header())])
    assert [one.approach for one in made] == list(suite.APPROACHES) and {one.word for one in made} == {"unknown"}
