"""The published pages: static files from the records alone, for any web server or to be opened from disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import msgspec

from matrix import paths, statements
from matrix.cells import suite
from matrix.errors import BadUsage
from matrix.report import statements as since
from matrix.report import support as support_json
from matrix.report.pages import cells, compare, downloads, errors, front, mine, prose, runs
from matrix.report.pages.answer import answer
from matrix.report.pages.content import Content, load
from matrix.report.pages.html import cell_path, render, run_path
from matrix.report.table import WORDS, headline, in_words
from matrix.verdicts import NEEDS

STATIC = Path(__file__).parent / "static"
# What marks a folder as a site of ours, that may be replaced.
MARK = "support.json"
PAGES = ("index.html", "errors.html", "changes.html", "compare.html", "runs.html", "method.html")


@dataclass(frozen=True, kw_only=True)
class Site:
    """What was written: `files` counts them, `left_out` are the records that could not be read."""

    folder: Path
    files: int
    left_out: tuple[str, ...]


def build(reports: Path, folder: Path) -> Site:
    """Replace the site in `folder` as a whole. Raise BadUsage where something else lies there."""
    content = load(reports)
    new = _emptied(folder)
    shutil.copytree(STATIC, new / "static")
    count = 0
    for path, data in files(content):
        target = new / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        count += 1
    _swap(new, folder)
    return Site(folder=folder, files=count, left_out=tuple(str(fault) for fault in content.faults))


def files(content: Content) -> Iterator[tuple[str, bytes]]:
    """Path below the site's root, and what is written there."""
    for path, text in _pages(content):
        yield path, text.encode()
    yield from downloads.tables(content)
    yield from downloads.observations(content.records)
    yield "data/outcomes.js", compare.script(content)
    yield "data/mine.js", mine.script(content)
    yield "statements.json", statements.encode(content.statements)
    yield "data/answers.json", msgspec.json.encode(content.answers)
    yield "support.json", support_json.encode(content.support)
    for schema in sorted(paths.SCHEMAS.glob("*.json")):
        yield f"schema/{schema.name}", schema.read_bytes()


def _pages(content: Content) -> Iterator[tuple[str, str]]:
    told = in_words(headline(content.support, content.records, broken=len(content.faults)))
    common = {"pages": PAGES, "approaches": suite.APPROACHES, "needs": NEEDS}
    yield "index.html", render(
        "index.html.jinja", "index.html", **common, words=WORDS, headline=told, places=front.places(content),
        needs_of=front.needs_of, **mine.choices(content), answer=answer(content, content.statements.statements),
    )  # fmt: skip
    for release, group in groupby(cells.pages(content), key=lambda page: page.release):
        alike = list(group)
        ways = [page.approach for page in alike]
        for page in alike:
            path, approach = cell_path(release, page.approach), suite.APPROACHES[page.approach]
            yield path, render("cell.html.jinja", path, **common, page=page, approach=approach, ways=ways)

    yield "errors.html", render(
        "errors.html.jinja", "errors.html", **common, explained=errors.explained(content.answers, content.catalog),
        releases=content.releases, unnamed=content.answers.unnamed, observations=content.observations,
        shown_backends=tuple(dict.fromkeys(run.backend for run in content.support.runs if run.engine)),
    )  # fmt: skip
    yield "changes.html", render(
        "changes.html.jinja", "changes.html", **common, changed=since.changed(content.statements.changes),
        since=since.since(content.statements.statements), evidence=since.EVIDENCE, what=since.CHANGES,
    )  # fmt: skip
    yield "compare.html", render("compare.html.jinja", "compare.html", **common)
    yield "method.html", render("method.html.jinja", "method.html", **common, parts=prose.method())
    made, never = runs.listed(content)
    yield "runs.html", render("runs.html.jinja", "runs.html", **common, made=made, never=never)
    for one in runs.pages(content):
        path = run_path(one.header.host.host_class, one.header.engine, one.header.run)
        yield path, render("run.html.jinja", path, **common, page=one)


def _emptied(folder: Path) -> Path:
    """A fresh folder beside `folder`, to take its place when it is whole."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARK).is_file())):
        raise BadUsage(f"{folder} holds something else than a site", "name another folder: --output FOLDER")
    new = folder.with_name(f".{folder.name}.new")
    if new.exists():
        shutil.rmtree(new)
    new.mkdir(parents=True)
    return new


def _swap(new: Path, folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    new.rename(folder)
