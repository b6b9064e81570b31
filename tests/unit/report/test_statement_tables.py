from __future__ import annotations

import pytest
from markdown_it import MarkdownIt
from unit.fabricated import error, where
from unit.released import RELEASES, at, built, run

from matrix.judge import statements
from matrix.judge.statements import Statement
from matrix.record import records
from matrix.report.report import report
from matrix.report.statement_tables import cases, in_words, since
from matrix.report.statement_tables import changed as changed_in


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
    failing = where("forward", "graph", of="bn_relu", approach="slice-loop", **error())
    twin = where("forward", "graph", of="bn_relu", control=True, **error())
    both = at("2.8.4", lambda cell: failing(cell) | twin(cell))
    found = built(both, at("2.9.3"), at("2.10.1", where("gradient", outcome="skipped")))
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


def test_cases_that_say_the_same_share_a_row():
    tables = cases(built(at("2.8.4", where("gradient", "jit", "bias_relu", **error())), at("2.9.3")).cases)
    (table,) = (one for one in tables if one.approach == "slice-loop")
    said = {name: dict(zip(table.columns, cells, strict=True)) for names, cells in table.rows for name in names}
    assert said["g4-k3/bias_relu/f32/nhwc"]["jit gradient"] == "yes"
    assert said["g4-k3/none/f32/nhwc"]["jit fusion"] == ""
    assert len({cells for _, cells in table.rows}) == len(table.rows)
