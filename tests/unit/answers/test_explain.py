from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.fabricated import error, header, record

from matrix.answers import instructions
from matrix.answers import published_answers as index
from matrix.answers.answer_data import Answers
from matrix.answers.error_answers import error_answers, settings
from matrix.answers.explain import LINES, WIDTH, explain, lines
from matrix.answers.nearest_release import nearest
from matrix.answers.situation import Asked, profile_of
from matrix.base import paths
from matrix.base.errors import BadUsage
from matrix.catalog import clues, known_errors, questions
from matrix.catalog import releases as catalog
from matrix.record import records
from matrix.record.records import Record

KNOWN = known_errors.load()
DATA = catalog.load()
FUSED = "Fused conv implementation does not support grouped convolutions for now."
MADE, _ = records.readable(paths.REPORTS)
PUBLISHED = index.build(paths.REPORTS, MADE)
BASE = "g4-k3/bias_relu/f32/nhwc"
PLUS = "g4-k3/plus_relu/f32/nhwc"


def only(*cell: str, **fields):
    """Change a single cell."""
    return lambda one: fields if one == cell else {}


OFF = only("nn-conv2d", "graph", "forward", BASE, **error(FUSED))
ON_2_9 = "tf2.9.3-py310-cpu+onednn-on"
ON = record(profile="onednn-on", run="tf2.8.4-py310-cpu+onednn-on", onednn=True)
DEFAULT = Record(header=header("default", status="not_run", same_as="tf2.8.4-py310-cpu+onednn-off"))


def answers(*made: Record) -> Answers:
    found = error_answers(made, KNOWN)
    told = {"settings": settings(DATA), "clues": list(clues.load()), "questions": list(questions.load())}
    return msgspec.structs.replace(found, **told)


def said(text: str, found: Answers, **asked) -> str:
    """The first screen, on one line."""
    return " ".join(" ".join(lines(explain(text, found, Asked(**asked)))).split())


def of(found: Answers, error_id: str):
    return next(one for one in found.errors if one.id == error_id)


def workarounds(found: Answers) -> dict:
    (place,) = of(found, "fused-conv-groups").where
    return {(way.kind, way.name): way for way in place.ways}


def test_a_place_names_the_release_what_it_does_by_default_and_the_cells():
    found = answers(record(OFF), ON, DEFAULT)
    (place,) = of(found, "fused-conv-groups").where
    assert (place.profile, place.approach, place.check, place.modes) == (
        "onednn-off",
        "nn-conv2d",
        "forward",
        ["graph"],
    )
    assert (place.releases, place.runs, place.default_in) == (["2.8.4"], ["tf2.8.4-py310-cpu+onednn-off"], ["2.8.4"])
    assert place.cell == "nn-conv2d/graph/forward/g4-k3/bias_relu/f32/nhwc"


def test_a_workaround_is_one_only_where_the_very_cells_that_fail_pass():
    found = workarounds(answers(record(OFF), ON, DEFAULT))
    assert (
        found["profile", "onednn-on"].whole and found["mode", "jit"].whole and found["approach", "split-concat"].whole
    )
    assert found["profile", "onednn-on"].trains == "yes"

    def nothing_else(cell):
        return error(FUSED) if cell[2] == "forward" and cell[3] in {BASE, PLUS} else {}

    assert not any(place.ways for place in of(answers(record(nothing_else)), "fused-conv-groups").where)


def test_a_workaround_has_to_hold_under_the_core_s_epilogues_beside_those_that_show_the_text():
    """As on 2.15.1, whose auto-clustering has the gradient of a bare convolution and of none with a bias."""
    bare, text = BASE.replace("bias_relu", "none"), "Gradients for grouped convolutions are not supported on CPU."
    off = record(lambda cell: error(text if cell[3] == bare else FUSED) if is_trained(cell) else {})
    run = "tf2.8.4-py310-cpu+onednn-off+auto-cluster"
    option = record(
        lambda cell: error(FUSED) if is_trained(cell) and cell[3] != bare else {},
        profile="onednn-off+auto-cluster", run=run, onednn=False,
    )  # fmt: skip
    (place,) = of(answers(off, ON, option), "cpu-group-gradient").where
    ways = {(way.kind, way.name): way for way in place.ways}
    assert place.cell.endswith(bare) and ways["profile", "onednn-on"].whole and ways["mode", "jit"].whole
    assert (ways["profile", "onednn-off+auto-cluster"].passed, ways["profile", "onednn-off+auto-cluster"].of) == (1, 2)
    assert "set_jit" not in said(text, answers(off, ON, option), release="2.8.4")


def is_trained(cell) -> bool:
    return cell[:3] == ("nn-conv2d", "graph", "gradient") and cell[3].startswith("g4-k3/") and "f32/nhwc" in cell[3]


def test_a_bias_written_as_an_addition_is_offered_for_the_modes_in_which_it_was_tried_after_what_is_better():
    found = answers(record(lambda cell: OFF(cell) | only("nn-conv2d", "graph", "gradient", PLUS, **error("no"))(cell)))
    way = workarounds(found)["epilogue", "plus"]
    assert (way.cell, way.modes, way.trains) == (f"nn-conv2d/graph/forward/{PLUS}", ["graph"], "no")
    told = explain(FUSED, found, Asked(release="2.8.4")).do[-1]
    assert told.words == (
        "Write the bias as y + b, not by tf.nn.bias_add or in the layer (only graph); nothing is fused; forward only."
    )
    predict = f"{FUSED} [Op:__inference_predict_function_9]"
    assert not any("y + b" in step.words for step in explain(predict, found, Asked(release="2.8.4")).do)


@pytest.mark.parametrize("release", ["2.8.4", "2.15.1", "2.21.0"])
def test_the_records_show_that_a_bias_written_as_an_addition_passes_in_a_graph_and_does_not_train(release):
    steps = explain(FUSED, PUBLISHED, Asked(release=release, profile="onednn-off")).do
    assert "y + b" in steps[-1].words and steps[-1].words.endswith("(only graph); nothing is fused; forward only.")
    assert any("split-concat" in step.words for step in steps[:-1])
    assert not any("y + b" in step.words for step in explain(FUSED, PUBLISHED, Asked(release="2.4.4")).do)


def test_an_option_of_another_processor_is_offered_as_such_where_it_trains_and_was_not_run_here():
    host, run = msgspec.structs.replace(header().host, host_class="x86-avx2-amd"), "tf2.8.4-py310-cpu+"
    here = record(OFF, host=host)
    options = [
        record(refused, profile=f"onednn-off+{name}", run=f"{run}onednn-off+{name}", onednn=False)
        for name, refused in (
            ("auto-cluster", lambda cell: {}),
            ("remapper-off", only("nn-conv2d", "graph", "gradient", BASE, **error("no"))),
        )
    ]
    asked = Asked(release="2.8.4", host_class="x86-avx2-amd")
    (step,) = [
        one for one in explain(FUSED, answers(here, record(OFF), *options), asked).do if one.basis == "elsewhere"
    ]
    assert "set_jit(True)" in step.words and step.words.endswith("trains too (measured on x86-avx2).")
    assert step.cell.startswith(f"{run}onednn-off+auto-cluster/nn-conv2d/graph/forward/")
    failing = record(lambda cell: {**error("no")} if cell[1] == "graph" else {}, profile="onednn-off+auto-cluster",
                     run=f"{run}onednn-off+auto-cluster", onednn=False, host=host)  # fmt: skip
    found = explain(FUSED, answers(here, record(OFF), *options, failing), asked)
    assert not any(one.basis == "elsewhere" for one in found.do)


def test_an_option_is_told_after_what_is_simpler_with_a_program_that_sets_all_of_it():
    run = "tf2.8.4-py310-cpu+onednn-off+auto-cluster"
    option = record(profile="onednn-off+auto-cluster", run=run, onednn=False)
    told = explain(FUSED, answers(record(OFF), ON, DEFAULT, option), Asked(release="2.8.4"))
    assert [step.words.split()[0] for step in told.do] == ["Set", "Compile", "Call", "Set", "Split", "Write"]
    option = told.do[3]
    assert option.words == (
        "Set TF_ENABLE_ONEDNN_OPTS=0 TF_XLA_FLAGS=--tf_xla_cpu_global_jit before Python starts,"
        " and call tf.config.optimizer.set_jit(True) before the first function; trains too."
    )
    *variables, imported, _, called = option.code.splitlines()
    assert variables[-1] == 'os.environ["TF_XLA_FLAGS"] = "--tf_xla_cpu_global_jit"'
    assert (imported, called) == ("import tensorflow as tf", "tf.config.optimizer.set_jit(True)")


def test_a_workaround_says_when_it_does_not_train():
    refused = only("nn-conv2d", "eager", "gradient", BASE, **error("no"))
    found = workarounds(answers(record(lambda cell: OFF(cell) | refused(cell))))
    assert found["mode", "eager"].trains == "some" and found["mode", "jit"].trains == "yes"
    bare = only("nn-conv2d", "eager", "gradient", BASE.replace("bias_relu", "none"), **error("no"))
    found = workarounds(answers(record(lambda cell: OFF(cell) | refused(cell) | bare(cell))))
    assert found["mode", "eager"].trains == "no"


def test_a_later_release_is_a_workaround_with_the_run_that_shows_it():
    new = record(run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3")
    upgrade = workarounds(answers(record(OFF), new))["release", "2.9.3"]
    assert upgrade.whole and upgrade.run == "tf2.9.3-py310-cpu+onednn-off"


def test_releases_that_differ_in_nothing_are_one_place():
    new = record(OFF, run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3")
    (place,) = of(answers(record(OFF), new), "fused-conv-groups").where
    assert place.releases == ["2.8.4", "2.9.3"]


def test_every_failure_in_the_published_records_has_a_name():
    found = PUBLISHED
    nameless, seen = sum(one.seen for one in found.unnamed), sum(one.seen for one in found.errors)
    assert nameless <= 0.01 * (seen + nameless), found.unnamed


def test_what_nothing_shows_has_a_source():
    for one in PUBLISHED.errors:
        assert one.seen or one.links, f"{one.id}: no record shows it, and no public report is named"
        assert one.seen or not one.where


def test_every_workaround_is_in_the_records():
    passed = {
        "/".join((one.header.run, *seen.cell)) for one in MADE for seen in one.observations if seen.outcome == "pass"
    }
    for one in PUBLISHED.errors:
        for place in one.where:
            for way in place.ways:
                for run in place.runs:
                    own = f"{run.partition('+')[0]}+{way.name}" if way.kind == "profile" else way.run or run
                    assert f"{own}/{way.cell}" in passed


def test_the_same_text_by_misuse_promises_nothing():
    for one in PUBLISHED.errors:
        assert not any(place.ways for place in one.where if place.misuse)


@pytest.mark.parametrize("answer", PUBLISHED.errors, ids=lambda one: one.id)
def test_an_answer_can_be_told_for_every_release_on_a_screen(answer):
    for release in ("", "1.15", "2.7", "2.8.0", "2.30", "1.0"):
        for example in answer.examples:
            found = explain(example, PUBLISHED, Asked(release=release))
            assert answer.id in found.known
            told = list(lines(found))
            assert len(told) <= LINES and max(map(len, told)) <= WIDTH
            assert len(list(lines(found, everything=True))) >= len(told) - 2


def test_an_unknown_text_is_not_explained_and_its_neighbours_are_called_near():
    found = answers(record(OFF))
    unknown = explain("ZeroDivisionError: float division by zero", found, Asked())
    assert not unknown.known and not unknown.near and unknown.what.startswith("Not seen")
    near = explain("RuntimeError: fused conv implementation does support grouped convolutions", found, Asked())
    assert not near.known and "(fused-conv-groups)" in near.near[0]


@pytest.mark.parametrize(
    "text",
    ["Fused conv implementation does not supp", "UnimplementedError: Fused conv implementation does...",
     "ementation does not support grouped convol"],
)  # fmt: skip
def test_a_text_that_was_cut_short_is_known_and_said_to_be_cut(text):
    found = explain(text, answers(), Asked())
    assert found.known == ["fused-conv-groups"] and "cut short" in " ".join(found.notes)


def test_a_text_with_two_causes_names_both():
    text = f"{FUSED}\nDuring handling of that ...\nGradients for grouped convolutions are not supported on CPU."
    assert explain(text, answers(), Asked()).known == ["fused-conv-groups", "cpu-group-gradient"]


def test_what_a_run_does_not_show_is_said_of_the_cells_that_were_looked_at():
    found = answers(record(OFF), ON)
    assert "1 cells were run that raise this text elsewhere: all of them pass" in said(
        FUSED, found, release="2.8", profile="onednn-on"
    )
    assert "In our records" not in said(FUSED, found, release="2.8", profile="onednn-off")


def test_the_same_programs_may_be_refused_in_other_words():
    grouped = "input and filter must have the same depth: 16 vs 4"
    other = record(
        only("nn-conv2d", "graph", "forward", BASE, **error(grouped)),
        profile="onednn-on",
        run="tf2.8.4-py310-cpu+onednn-on",
        onednn=True,
    )
    told = said(FUSED, answers(record(OFF), other), release="2.8", profile="onednn-on")
    assert "refused in other words" in told and "(equal-depth)" in told


def test_the_text_tells_the_setting_where_nothing_set_does_not_raise_it():
    default = Record(header=header("default", status="not_run", same_as=ON.header.run))
    found = explain(FUSED, answers(record(OFF), ON, default), Asked(release="2.8"))
    assert found.run == "tf2.8.4-py310-cpu+onednn-off" and "yours has oneDNN off" in " ".join(found.notes)


def test_nothing_is_said_of_a_backend_without_executed_runs():
    text = "No gradient defined for operation 'fused/convolution' (op type: _FusedConv2D)"
    found = answers(record(only("nn-conv2d", "graph", "gradient", BASE, **error(text))))
    told = explain(text, found, Asked(release="2.8", backend="rocm"))
    assert "No run on ROCm was executed" in " ".join(told.notes)
    assert not [step for step in told.do if step.basis == "measured"]


def test_what_only_the_cpu_says_is_told_of_the_cpu_whatever_was_asked_for():
    told = explain(FUSED, answers(record(OFF)), Asked(release="2.8", backend="rocm"))
    assert "Only CPU has the kernels" in " ".join(told.notes) and told.run == "tf2.8.4-py310-cpu+onednn-off"


@pytest.mark.parametrize(("text", "asked"), [("groups are slow", "rocm"), ("groups are slow on a CUDA GPU", None)])
def test_a_question_about_a_gpu_is_not_answered_with_what_the_cpu_kernel_does(text, asked):
    found = explain(text, answers(record(OFF)), Asked(backend=asked))
    assert found.question == "speed-on-a-gpu"
    assert not any("CPU" in one for one in [*found.why, *(step.words for step in found.do)])


def test_a_release_is_read_in_the_text_and_one_that_is_asked_for_counts_more():
    found = answers(record(OFF))
    text = f"/venv/lib/python3.10/site-packages/tensorflow-2.8.4.dist-info\n{FUSED}"
    assert explain(text, found, Asked()).run == "tf2.8.4-py310-cpu+onednn-off"
    assert explain(text, found, Asked(release="1.15")).notes == [nearest("1.15", ["2.8.4"]).note]
    with pytest.raises(BadUsage, match="no release of TensorFlow"):
        explain(FUSED, found, Asked(release="two"))


@pytest.mark.parametrize(
    ("setting", "profile"),
    [("TF_ENABLE_ONEDNN_OPTS=1", "onednn-on"), ("oneDNN off", "onednn-off"), ("remapper-off", "remapper-off")],
)
def test_a_setting_is_named_as_people_set_it(setting, profile):
    assert profile_of(setting, PUBLISHED.settings) == profile


def test_a_setting_that_no_profile_has_is_refused_with_those_that_there_are():
    with pytest.raises(BadUsage, match="no profile sets") as fault:
        profile_of("TF_NOTHING=1", PUBLISHED.settings)
    assert "onednn-off" in fault.value.cure


def test_a_later_release_is_told_with_what_it_needs_on_any_processor():
    """2.9 switches oneDNN on by itself on some processors only."""
    old = record(OFF, run="tf2.4.4-py38-cpu+default", release="2.4.4", profile="default", onednn=False)
    new = record(run=ON_2_9, release="2.9.3", profile="onednn-on", onednn=True)
    default = Record(
        header=header("default", run="tf2.9.3-py310-cpu+default", release="2.9.3", status="not_run", same_as=ON_2_9)
    )
    upgrade = workarounds(answers(old, new, default))["release", "2.9.3"]
    assert "TF_ENABLE_ONEDNN_OPTS=1" in instructions.for_workaround(upgrade, "2.4.4", catalog.load_profiles())


RECORDED = ("1.15.5", "2.4.4", "2.8.4", "2.9.3", "2.23.0.dev20261026")


@pytest.mark.parametrize(
    ("asked", "releases", "fit"),
    [
        ("2.8.4", ("2.8.4",), "recorded"),
        ("2.8", ("2.8.4",), "recorded"),
        ("2.8.1", ("2.8.4",), "same minor"),
        ("2.6.2", ("2.4.4", "2.8.4"), "between"),
        ("1.4", ("1.15.5",), "older than all"),
        ("3.0", ("2.23.0.dev20261026",), "newer than all"),
    ],
)
def test_a_release_is_found_or_its_neighbours_are_named(asked, releases, fit):
    found = nearest(asked, RECORDED)
    assert (found.releases, found.fit) == (releases, fit)
    assert all(release in found.note for release in releases) or fit == "recorded"


@pytest.mark.parametrize("asked", ["", "latest", "2", "two.eight", "1" * 5000 + ".0"])
def test_what_is_no_release_is_a_clear_error(asked):
    with pytest.raises(BadUsage, match="no release of TensorFlow"):
        nearest(asked, RECORDED)


@given(st.integers(0, 3), st.integers(0, 40), st.integers(0, 9))
def test_neighbours_enclose_what_was_asked(major, minor, patch):
    found = nearest(f"{major}.{minor}.{patch}", RECORDED)
    assert set(found.releases) <= set(RECORDED) and len(found.releases) == (2 if found.fit == "between" else 1)


def test_the_index_is_believed_only_while_its_records_are_the_same(tmp_path):
    records.write(tmp_path, record(OFF))
    made, _ = records.readable(tmp_path)
    (tmp_path / index.NAME).write_bytes(index.encode(index.build(tmp_path, made)))
    published, current = index.load(tmp_path)
    assert current and of(published, "fused-conv-groups").seen == 1
    records.write(tmp_path, ON)
    renewed, current = index.load(tmp_path)
    assert not current and len(renewed.places) == 2


def test_a_broken_index_is_not_believed(tmp_path):
    records.write(tmp_path, record(OFF))
    (tmp_path / index.NAME).write_bytes(b'{"format": "answers/1", ')
    assert index.load(tmp_path)[1] is False
