"""A section of a page shows what differs from another one; nothing that differs may be left out."""

from __future__ import annotations

import shutil
from itertools import product

import pytest

from matrix.base import paths
from matrix.record.letters import letter
from matrix.site import cell_pages, content


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The records of 2.21.0 on one processor: with oneDNN on and off, and on with lesser instructions."""
    reports = tmp_path_factory.mktemp("site") / "reports"
    folder = reports / "runs" / "x86-amx" / "venv"
    folder.mkdir(parents=True)
    for file in (paths.REPORTS / "runs" / "x86-amx" / "venv").glob("tf2.21.0-*-cpu+onednn-*.jsonl"):
        shutil.copy(file, folder)
    return content.load(reports)


@pytest.fixture(scope="module")
def sections(made):
    return [section for page in cell_pages.pages(made) for section in page.sections]


def drawn(section) -> set[str]:
    """Name every case of the grid; a line may name several: {g4-k3, g4-k3-s2}/bias_relu/{f32, f16}/nhwc."""
    names = [name for cases, _ in section.grid.lines for name in cases]
    return {
        "/".join(words)
        for name in names
        for words in product(*(word.strip("{}").split(", ") for word in name.split("/")))
    }


def came_out(made, run: str, approach: str) -> dict:
    observed = next(record.observations for record in made.records if record.header.run == run)
    return {one.cell: (letter(one), one.error) for one in observed if one.approach == approach}


def test_every_cell_that_differs_from_the_section_it_is_like_is_drawn(made, sections):
    runs = {run.profile: run.run for run in made.support.runs if run.engine}
    partly = [section for section in sections if section.like and section.differing]
    assert len(partly) > 10, "with oneDNN off something differs in most approaches"
    for section in partly:
        here, there = (came_out(made, runs[one.profile], one.approach) for one in (section.verdict, section.like))
        differing = {cell for cell, outcome in here.items() if outcome != there.get(cell)}
        assert (section.observed, section.differing) == (len(here), len(differing))
        assert drawn(section) == {case for *_, case in differing}


def test_a_section_without_a_grid_is_like_another_or_absent(sections):
    for section in sections:
        assert section.grid or section.run.same_as or section.is_absent or (section.like and not section.differing)
