"""The README's answer, from short tables that are made up here."""

from __future__ import annotations

import dataclasses

import msgspec
from unit.timings import USUAL, run

from matrix.catalog import releases
from matrix.judge.verdicts import NEEDS
from matrix.report.short_answer import MOST_ROWS, advise
from matrix.report.support_table import Seen, Short, ShortRow
from matrix.speed import comparisons

DATA = releases.load()
WORKS = dict.fromkeys(NEEDS, "yes")
APART = WORKS | {"fused": "no"}
REFUSED = APART | {"infer-graph": "refused", "train": "refused"}
NOT_THERE = dict.fromkeys(NEEDS, "not there")


def row(approach: str, onednn: str, answers: dict, *versions: str) -> ShortRow:
    seen = tuple(Seen(release=one, record=f"runs/{one}+{onednn}.jsonl", by_default=False) for one in versions)
    return ShortRow(approach=approach, onednn=onednn, answers=answers, spans=(seen,))


def short(*rows: ShortRow, backend: str = "cpu") -> Short:
    return Short(backend=backend, host_class="x86-avx2", cpus=("A processor",), rows=rows, unobserved=())


def told(*rows: ShortRow, places=(), **more) -> list[tuple[str, ...]]:
    return [
        (one.releases, one.processor, one.program, one.setting, "; ".join(one.traps))
        for one in advise([short(*rows, **more)], places, DATA)
    ]


SPLIT = "`tf.split`, a convolution for each group, `tf.concat`"
NN = "`tf.nn.conv2d` with a grouped filter"
KERAS = "Keras `Conv2D(groups=...)`"


def test_neighbouring_releases_that_do_the_same_are_one_row_and_the_newest_stands_first():
    assert told(
        row("split-concat", "off", APART, "2.4.4", "2.6.5", "2.7.4"),
        row("nn-conv2d", "off", REFUSED, "2.4.4", "2.6.5"),
        row("nn-conv2d", "off", APART, "2.7.4"),
    ) == [
        ("2.7 and later", "any", f"{NN} or {SPLIT}", "nothing", ""),
        ("2.4 to 2.6", "any", SPLIT, "nothing", f"{NN} fails in a `tf.function` and in training"),
    ]


def test_a_host_class_on_which_what_is_written_fails_is_named_among_the_traps():
    worse = ShortRow(
        approach="split-concat", onednn="off", answers=REFUSED, host_classes=("x86-avx2-amd",),
        spans=row("split-concat", "off", REFUSED, "2.5.3").spans,
    )  # fmt: skip
    rows = row("split-concat", "off", APART, "2.5.3", "2.6.5")
    assert [one[0::4] for one in told(dataclasses.replace(rows, otherwise=(worse,)))] == [
        ("2.6 and later", ""),
        ("2.5", f"{SPLIT} fails on x86-avx2-amd"),
    ]


def test_from_2_9_on_the_processor_decides_and_before_it_the_variable():
    rows = [row("split-concat", state, APART, "2.8.4", "2.9.3") for state in ("on", "off")]
    rows += [row("nn-conv2d", "on", WORKS, "2.8.4", "2.9.3"), row("nn-conv2d", "off", REFUSED, "2.8.4", "2.9.3")]
    kernel = f"{NN}, one kernel with bias and ReLU"
    assert [one[:4] for one in told(*rows)] == [
        ("2.9 and later", "x86 with AVX512_VNNI, AVX_VNNI or AMX", kernel, "nothing"),
        ("2.9 and later", "any other x86", SPLIT, "nothing"),
        ("2.8", "any", kernel, "`TF_ENABLE_ONEDNN_OPTS=1`"),
        ("2.8", "any", SPLIT, "nothing"),
    ]


def test_a_variable_that_brings_nothing_is_not_told():
    assert told(row("split-concat", "on", APART, "2.8.4"), row("nn-conv2d", "on", REFUSED, "2.8.4")) == []


def test_what_fails_in_one_release_of_a_row_only_is_told_as_failing_in_part():
    no_graph, no_training = APART | {"infer-graph": "crashes"}, APART | {"train": "refused: conv"}
    (only,) = told(
        row("split-concat", "off", APART, "2.3.4", "2.4.4"),
        row("nn-conv2d", "off", no_graph, "2.3.4"),
        row("nn-conv2d", "off", no_training, "2.4.4"),
    )
    assert only[-1] == f"{NN} fails in part"


def test_where_nothing_trains_what_infers_is_told_with_its_limit():
    (only,) = told(row("split-concat", "off", APART | {"train": "refused"}, "1.8.0"))
    assert only[2:] == (f"{SPLIT}, to infer only", "nothing", f"{SPLIT} fails in training")


def test_what_is_unknown_or_not_there_says_nothing():
    unknown = dict.fromkeys(NEEDS, "unknown")
    assert told(row("nn-conv2d", "off", unknown, "2.21.0"), backend="cuda") == []
    (only,) = told(row("split-concat", "off", APART, "2.2.3"), row("keras-groups", "off", NOT_THERE, "2.2.3"))
    assert only[-1] == ""


def test_what_trains_many_times_slower_is_a_trap_and_is_not_to_be_written():
    timed = msgspec.structs.replace(run(USUAL | {"keras-groups": 50 * USUAL["split-concat"]}), onednn=False)
    places = comparisons.places([timed], DATA)
    rows = [row(name, "off", APART, "2.8.4") for name in ("keras-groups", "split-concat")]
    (only,) = told(*rows, places=places)
    assert only[2] == SPLIT
    assert only[-1].startswith(f"{KERAS} trains up to ") and only[-1].endswith(" times slower")
    assert told(*rows, places=places, backend="rocm")[0][2] == f"{KERAS} or {SPLIT}"


def test_there_are_ten_rows_at_most():
    answers = [APART if number % 2 else WORKS for number in range(20)]
    rows = [row("split-concat", "off", one, f"1.{number}.0") for number, one in enumerate(answers)]
    assert len(told(*rows)) == MOST_ROWS and told(*rows)[0][0] == "1.19 and later"
