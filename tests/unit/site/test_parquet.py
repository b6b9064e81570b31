"""The file of all observations: its columns, its rows, and the queries that docs/page.md prints."""

from __future__ import annotations

import contextlib
import io
import re

import duckdb
import pyarrow.parquet as pq
import pytest
from unit.fabricated import error, record, where

from matrix.base import paths
from matrix.site import pages, parquet

DOCUMENT = (paths.DOCS / "page.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs: one refuses in a graph, the other is wrong there."""
    made = [
        record(where("forward", "graph", **error("No groups."))),
        record(where("forward", "graph", outcome="wrong"), release="2.9.3", run="tf2.9.3-py310-cpu+onednn-off"),
    ]
    site = tmp_path_factory.mktemp("site")
    name, data = parquet.observations(made)
    (site / name).parent.mkdir()
    (site / name).write_bytes(data)
    (site / "observations.parquet").write_bytes(data)
    return site, made


def test_each_observation_is_a_row_with_its_run(folder):
    site, made = folder
    rows = pq.read_table(site / parquet.NAME).to_pylist()
    assert len(rows) == sum(len(one.observations) for one in made)
    observed = [(one.header, seen) for one in made for seen in one.observations]
    for row, (header, seen) in zip(rows, observed, strict=True):
        assert (row["run"], row["release"], row["host_class"]) == (header.run, header.release, header.host.host_class)
        assert (row["approach"], row["mode"], row["check"], row["case"]) == seen.cell
        assert "/".join(row[name] for name in ("geometry", "epilogue", "dtype", "layout")) == seen.case
        assert (row["outcome"], row["error_message"]) == (seen.outcome, seen.error and seen.error.message)
        assert (row["fused"], row["onednn"]) == (seen.fusion and seen.fusion.epilogue, "off")


def test_the_columns_are_those_of_the_document_and_say_what_they_hold(folder):
    schema = pq.read_schema(folder[0] / parquet.NAME)
    told = {field.name: field.metadata[b"comment"].decode() for field in schema}
    table = DOCUMENT.partition("| column |")[2]
    assert told == dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)) == parquet.COLUMNS


def test_the_printed_queries_answer(folder, monkeypatch):
    site, made = folder
    monkeypatch.chdir(site)
    cells = sum(one.outcome == "wrong" for one in made[1].observations)
    (query,) = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)
    assert duckdb.sql(query).fetchall() == [("2.9.3", "nn-conv2d", cells)]
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    for text in (program, pages.QUERY):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(text, {})
        assert re.search(rf"2\.9\.3 +nn-conv2d +{cells}\b", printed.getvalue())
