from __future__ import annotations

from matrix.judge.ladder import Comparison, Difference, Ladder, Rung
from matrix.report import processor_tables
from matrix.report.markdown import render

FAILS = Difference(approach="nn-conv2d", check="gradient", dtype="bf16", there="pass", here="error", cells=4, first="a")
REAL = Comparison(host_class="x86-avx2-amd", run="r", compared=9, differences=[], computed_by={"bf16": "Conv2D"})
LADDER = Ladder(
    host_class="x86-amx",
    release="2.21.0",
    rungs=[
        Rung(run="r", cap=None, isa="amx", computed_by={"bf16": "_MklNativeConv2D"}),
        Rung(
            run="r+isa",
            cap="avx2",
            isa="avx2",
            computed_by={"bf16": "_MklNativeConv2D"},
            above=Comparison(host_class="x86-amx", run="r", compared=9, differences=[FAILS], computed_by={}),
            beside=[REAL],
        ),
    ],
    refused=["tf2.21.0-py313-cpu+onednn-on+isa-avx512"],
)


def test_a_ladder_says_for_each_rung_how_many_outcomes_differ_and_which():
    page = render("processors.md.jinja", processors=[], ladders=[LADDER], **processor_tables.FOR_TEMPLATES)
    rows = [line for line in page.splitlines() if line.startswith(("| all", "| avx2", "- ", "oneDNN did"))]
    assert rows == [
        r"| all of x86-amx | amx | the top | |  \_MklNativeConv2D |  |".replace("| |  ", "|  | "),
        r"| avx2, by a cap | avx2 | 4 of 9 outcomes differ, all in bf16 |  | \_MklNativeConv2D |  |",
        r"| all of x86-avx2-amd | avx2 | from the cap: 0 of 9 outcomes differ |  | Conv2D |  |",
        "- avx2 by a cap: nn-conv2d, gradient in bf16: error, and pass on the rung above (4 cells, first a)",
        "oneDNN did not say that it kept to the cap in tf2.21.0-py313-cpu+onednn-on+isa-avx512.",
    ]
