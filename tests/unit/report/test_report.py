from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from unit.fabricated import header, record, where

from matrix.base import paths
from matrix.base.errors import BadData
from matrix.base.text import plain
from matrix.cli import terminal
from matrix.judge import support
from matrix.judge.verdicts import core_cells
from matrix.record import records
from matrix.record.records import Error, Record
from matrix.report import schemas
from matrix.report.markdown import escape
from matrix.report.report import BEGIN, END, report
from matrix.suite import catalog as suite

HOSTILE = (
    "</td><script>alert(1)</script> | a | b [x](javascript:alert(1)) `code` \u202e![i](http://e.vil) <!-- table:end -->"
)
README = f"# Title\n\n{BEGIN}\nwhat was there before\n{END}\n\nThe end.\n"


def publish(folder: Path, *made: Record) -> Path:
    for one in made:
        records.write(folder, one)
    readme = folder / "README.md"
    readme.write_text(README)
    return readme


def refused(check: str, **more) -> dict:
    text = "Fused conv implementation does not support grouped convolutions for now."
    return {"check": check, "outcome": "error", "error": Error(type="UnimplementedError", message=text), **more}


OFF = record(where(**refused("forward", mode="graph", of="bias_relu")), onednn=False)
ON = record(where("fusion", "graph", epilogue="fused"), profile="onednn-on", onednn=True)
DEFAULT = Record(header=header("default", status="not_run", same_as="tf2.8.4-py310-cpu+onednn-off"))


def test_over_what_an_entry_is_judged_is_told_as_the_suites_core_has_it(tmp_path):
    report(tmp_path, publish(tmp_path, OFF))
    told = re.search(
        r"Each entry is judged over .*?\n", (tmp_path / "SUPPORT.md").read_text().replace("\nin ", " in ")
    )[0]
    outputs, gradients = re.search(r"outputs with the epilogues (.*?); gradients with (.*?);", told).groups()
    core = [suite.parse_case(one.case).epilogue for one in suite.cells("core") if one.approach == "nn-conv2d"]
    assert re.findall(r"`(\w+)`", outputs) == list(suite.CORE_EPILOGUES) and set(suite.CORE_EPILOGUES) <= set(core)
    judged = {case.split("/")[1] for _, _, check, case in core_cells("nn-conv2d", "train") if check == "gradient"}
    assert set(re.findall(r"`(\w+)`", gradients)) == judged


def test_what_is_published_is_what_the_records_say(tmp_path):
    readme = publish(tmp_path, OFF, ON, DEFAULT)
    summary = report(tmp_path, readme)
    made = {tmp_path / name for name in ("support.json", "answers.json", "SUPPORT.md")}
    assert made | {readme} <= set(summary.written)
    assert support.decode((tmp_path / "support.json").read_bytes()) == summary.support
    words = {(one.profile, one.approach): one.verdict for one in summary.support.verdicts}
    assert words["onednn-off", "nn-conv2d"] == words["default", "nn-conv2d"] == "partial"
    assert words["onednn-on", "nn-conv2d"] == "fused"
    assert words["onednn-on", "split-concat"] == "works"
    made = [run for run in summary.support.runs if run.engine]
    assert {run.profile: run.same_as for run in made}["default"] == "tf2.8.4-py310-cpu+onednn-off"
    assert all((tmp_path / run.record).is_file() for run in made)
    planned = [run for run in summary.support.runs if not run.engine]
    assert planned and {run.profile for run in planned} == {"default", "onednn-on", "onednn-off"}
    assert summary.headline[0].endswith(f": 3 complete, {len(planned)} due.")
    assert [(error.known, error.count) for error in summary.support.errors] == [("fused-conv-groups", 1)]


def test_the_readme_says_it_in_words_and_keeps_the_rest(tmp_path):
    readme = publish(tmp_path, OFF, ON, DEFAULT)
    report(tmp_path, readme)
    text = readme.read_text()
    assert text.startswith(f"# Title\n\n{BEGIN}\n") and text.endswith(f"{END}\n\nThe end.\n")
    assert "what was there before" not in text
    record = "reports/runs/x86-avx2/venv/tf2.8.4-py310-cpu+onednn-on.jsonl"
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| [")]
    assert rows[0][:4] == [
        f"| [2.8 and later]({record})", "any", "`tf.nn.conv2d` with a grouped filter, one kernel with bias and ReLU",
        "`TF_ENABLE_ONEDNN_OPTS=1`",
    ]  # fmt: skip
    assert len(rows) == 2


def test_the_short_table_says_each_need_in_words(tmp_path):
    publish(tmp_path, OFF, ON, DEFAULT)
    report(tmp_path, None)
    text = (tmp_path / "SUPPORT.md").read_text()
    rows = [line.split(" | ")[1:-1] for line in text.splitlines() if line.startswith("| `tf.nn.conv2d`")]
    link = "runs/x86-avx2/venv/tf2.8.4-py310-cpu+onednn"
    assert rows == [
        [f"**[2.8.4]({link}-off.jsonl)**", "off", "yes", "refused: conv+bias+relu in a tf.function", "yes", "yes"],
        [f"[2.8.4]({link}-on.jsonl)", "on", "yes", "yes", "yes", "yes"],
    ]


def elsewhere(made: Record, host_class: str) -> Record:
    host = msgspec.structs.replace(made.header.host, host_class=host_class)
    return Record(header=msgspec.structs.replace(made.header, host=host), observations=made.observations)


def test_host_classes_that_do_the_same_share_a_row_and_one_that_differs_stands_under_it(tmp_path):
    wrong = record(where("gradient", outcome="wrong"), profile="onednn-on", onednn=True)
    publish(tmp_path, OFF, elsewhere(OFF, "x86-amx"), ON, elsewhere(ON, "x86-amx"), elsewhere(wrong, "x86-avx2-amd"))
    summary = report(tmp_path, None)
    (short,) = summary.shorts
    assert set(short.host_classes) == {"x86-avx2", "x86-amx", "x86-avx2-amd"}
    off, on = (row for row in short.rows if row.approach == "nn-conv2d")
    assert (set(off.host_classes), off.otherwise) == ({"x86-avx2", "x86-amx"}, ())
    (under,) = on.otherwise
    assert (under.host_classes, on.answers["train"], under.answers["train"]) == (
        ("x86-avx2-amd",),
        "yes",
        "wrong result",
    )
    rows = [line for line in (tmp_path / "SUPPORT.md").read_text().splitlines() if line.startswith("| 2.8.4 on")]
    assert [re.findall(r"\[(x86-[^]]+)\]", row) for row in rows] == [
        ["x86-amx", "x86-avx2"],
        ["x86-avx2-amd"],
        ["x86-amx", "x86-avx2"],
    ]
    assert any("does not matter: of 2 host classes" in sentence for sentence in summary.headline)


def test_a_host_class_that_was_never_seen_stands_in_every_table(tmp_path, capsys):
    """Its gradients fail, and in 2.9.3 its forward passes too."""
    own, name = {"gradient": "wrong"}, "x86-avx512-amd"

    def fewer(fails):
        return lambda cell: {"outcome": fails.get(cell[2], "pass")} if cell[0] == "nn-conv2d" else None

    newer = {"release": "2.9.3", "run": "tf2.9.3-py310-cpu+onednn-off"}
    made = [record(fewer({})), record(fewer({}), **newer)]
    theirs = [record(fewer(own)), record(fewer({**own, "forward": "error"}), **newer)]
    readme = publish(tmp_path, *made, *(elsewhere(one, name) for one in theirs))
    terminal.tell_summary(report(tmp_path, readme), tmp_path)
    told = {file: (tmp_path / file).read_text() for file in ("README.md", "SUPPORT.md", "CASES.md", "CHANGES.md")}
    assert f"fails on {name}" in told["README.md"]
    for file, title in (
        ("SUPPORT.md", f"... on {name} |"),
        ("SUPPORT.md", f"- Host class **{name}**"),
        ("SUPPORT.md", f"### CPU, {name}, onednn-off"),
        ("CASES.md", f"## CPU, {name}, onednn-off: nn-conv2d"),
        ("CHANGES.md", f"## 2.9.3: CPU, {name}"),
    ):
        assert title in told[file], (file, title)
    assert name.removeprefix("x86-") in capsys.readouterr().out


def test_an_emulated_processor_comes_last_and_plans_nothing(tmp_path):
    publish(tmp_path, OFF, elsewhere(ON, "arm-neoverse-n1-emulated"))
    found = report(tmp_path, None)
    assert {run.host_class for run in found.support.runs if not run.engine} == {"x86-avx2"}
    lines = (tmp_path / "SUPPORT.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("## CPU")][-1] == "## CPU, onednn-on, emulated"
    for listed in ("- Host class", "### CPU, "):
        assert [("x86-avx2" in line, "emulated" in line) for line in lines if line.startswith(listed)] == [
            (True, False),
            (False, True),
        ]
    assert "1 complete" in found.headline[0]


def test_no_news_touches_no_file(tmp_path):
    readme = publish(tmp_path, OFF, ON, DEFAULT)
    written = report(tmp_path, readme).written
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in written}
    assert report(tmp_path, readme).written == ()
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in written}


def test_every_link_of_the_whole_table_leads_somewhere(tmp_path):
    publish(tmp_path, OFF, ON, DEFAULT)
    report(tmp_path, None)
    text = (tmp_path / "SUPPORT.md").read_text()
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        folder = paths.REPORTS if target.startswith("../") else tmp_path
        assert (folder / target).exists(), target
    used, defined = re.findall(r"\[\^(\d+)\](?!:)", text), re.findall(r"^\[\^(\d+)\]: \S", text, re.MULTILINE)
    assert used and set(used) == set(defined) and len(defined) == len(set(defined))


@pytest.mark.parametrize("text", ["no markers", BEGIN, f"{END}\n{BEGIN}"])
def test_a_readme_without_a_place_for_the_table_is_a_clear_error(tmp_path, text):
    readme = publish(tmp_path, OFF)
    readme.write_text(text)
    with pytest.raises(BadData, match="has no <!-- table:begin -->"):
        report(tmp_path, readme)
    assert readme.read_text() == text


def test_a_broken_record_is_left_out_and_told(tmp_path):
    publish(tmp_path, OFF, ON)
    file = records.path(tmp_path, "x86-avx2", "venv", ON.header.run)
    file.write_bytes(file.read_bytes()[:-50])
    summary = report(tmp_path, None)
    assert [str(fault).partition(": ")[0] for fault in summary.faults] == [str(file)]
    assert {one.profile for one in summary.support.verdicts} == {"onednn-off"}
    assert "1 record left out, since it could not be read." in (tmp_path / "SUPPORT.md").read_text()


def test_where_there_is_no_record_the_table_is_empty(tmp_path):
    readme = publish(tmp_path)
    summary = report(tmp_path, readme)
    assert summary.support.verdicts == summary.support.runs == []
    assert "Planned 0 runs" in readme.read_text()


def test_hostile_texts_stay_text(tmp_path):
    def hostile(cell):
        if cell[0] == "nn-conv2d" and cell[2] == "forward":
            return {"outcome": "error", "error": Error(type="<b>E</b>", message=HOSTILE)}
        return {"outcome": "skipped", "reason": HOSTILE} if cell[0] == "depthwise" else {}

    readme = publish(tmp_path, record(hostile), Record(header=header("default", status="not_built", reason=HOSTILE)))
    report(tmp_path, readme)
    for file in (readme, tmp_path / "SUPPORT.md"):
        text = file.read_text()
        assert "\u202e" not in text
        shown = MarkdownIt("commonmark").enable("table").render(text)
        assert not re.search(r"<(?:script|img|b>)|javascript:[^<]*\"|href=\"http", shown)
    assert readme.read_text().endswith(f"{END}\n\nThe end.\n")
    assert json.loads((tmp_path / "support.json").read_text())["format"] == "support/1"


@given(st.text())
def test_whatever_is_escaped_is_shown_as_itself_in_a_cell(text):
    """CommonMark and GitHub's tables read one row with two cells, and no element inside them."""
    page = MarkdownIt("commonmark").enable("table").parse(f"| a | b |\n|---|---|\n| {escape(text)} | end |\n")
    cells = [token for token in page if token.type == "inline"][2:]
    assert len(cells) == 2 and [token.type for token in page].count("tr_open") == 2
    assert {child.type for child in cells[0].children} <= {"text", "text_special"}
    assert "".join(child.content for child in cells[0].children) == plain(text, 2000).replace("@", " at ").strip()


@given(st.text(st.sampled_from("1.)-+ #>*`_[]()<!|\\~:/w@&;ax"), max_size=30))
def test_whatever_is_escaped_is_shown_as_itself_in_a_paragraph(text):
    page = MarkdownIt("commonmark").parse(f"{escape(text)}\n")
    assert [token.type for token in page] in ([], ["paragraph_open", "inline", "paragraph_close"])
    assert not page or {child.type for child in page[1].children} <= {"text", "text_special"}


@given(st.text())
def test_plain_texts_have_no_control_characters_and_one_line(text):
    shown = plain(text)
    assert len(shown) <= 300
    assert all(unicodedata.category(character)[0] != "C" for character in shown)
    assert shown.split("\n") == [shown]
    assert plain(shown) == shown


def test_the_committed_schemas_are_current():
    for name, schema in schemas.schemas().items():
        assert (paths.SCHEMAS / name).read_bytes() == schema, "renew them with: python -m matrix.report.schemas"


def test_a_host_class_on_which_the_machine_prevented_everything_moves_no_number_but_its_own(tmp_path):
    publish(tmp_path, OFF, ON)
    before = report(tmp_path, None).headline
    host = msgspec.structs.replace(OFF.header.host, host_class="x86-avx512")
    prevented = header("onednn-off", status="not_built", reason="no network", machine=True, host=host)
    records.write(tmp_path, Record(header=prevented))
    after = report(tmp_path, None).headline
    assert after[0] == before[0]
    assert [line for line in after if line.startswith("1 record of a run that the machine prevented")]
    assert not [line for line in before if "the machine prevented" in line]
