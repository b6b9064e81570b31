"""Every page, with what its template is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import groupby

from matrix.catalog.approaches import APPROACHES
from matrix.judge.verdicts import NEEDS
from matrix.report import claim_table, statement_tables
from matrix.report.speed_tables import FOR_TEMPLATES
from matrix.report.support_table import WORDS, headline
from matrix.site import (
    cell_pages,
    error_page,
    front_page,
    prose,
    question_form,
    run_pages,
    speed_pages,
)
from matrix.site.cell_scripts import reproduction
from matrix.site.content import Content
from matrix.site.front_answer import answer
from matrix.site.html import cell_path, render, run_path

Told = Mapping[str, object]


def compose(content: Content) -> Iterator[tuple[str, str]]:
    """Path below the site's root, and the page."""
    for name, tell in PAGES.items():
        yield name, _render(name, name, tell(content))
    draw = partial(reproduction, catalog=content.catalog)
    for release, group in groupby(cell_pages.pages(content), key=lambda page: page.release):
        alike = list(group)
        ways = [page.approach for page in alike]
        for page in alike:
            about = APPROACHES[page.approach]
            told: Told = {"page": page, "approach": about, "ways": ways, "reproduction": draw, **FOR_TEMPLATES}
            yield (path := cell_path(release, page.approach)), _render("cell.html", path, told)
    for one in run_pages.pages(content):
        path = run_path(one.header.host.host_class, one.header.engine, one.header.run)
        yield path, _render("run.html", path, {"page": one})
    for path, told in speed_pages.pages(content):
        yield path, _render("timed.html", path, told)


def _render(template: str, path: str, told: Told) -> str:
    common = {"pages": tuple(PAGES), "approaches": APPROACHES, "needs": NEEDS}
    return render(f"{template}.jinja", path, **common, **told)


def _index(content: Content) -> Told:
    return question_form.choices(content) | {
        "answer": answer(content, content.statements.statements),
        "headline": headline(content.support, content.records, broken=len(content.faults)),
        "needs_of": front_page.needs_of,
        "places": front_page.places(content),
        "words": WORDS,
    }


def _errors(content: Content) -> Told:
    return {
        "explained": error_page.explained(content.index.answers, content.catalog),
        "observations": content.observations,
        "releases": content.releases,
        "shown_backends": tuple(dict.fromkeys(run.backend for run in content.support.runs if run.engine)),
        "unnamed": content.index.unnamed,
    }


def _changes(content: Content) -> Told:
    return {
        "changed": statement_tables.changed(content.statements.changes),
        "evidence": statement_tables.EVIDENCE,
        "since": statement_tables.since(content.statements.statements),
        "what": statement_tables.CHANGES,
    }


def _cases(content: Content) -> Told:
    return {"cases": statement_tables.cases(content.statements.cases), "evidence": statement_tables.EVIDENCE}


def _claims(content: Content) -> Told:
    return {"claims": claim_table.rows(content.index.claims), "link": content.cell}


def _runs(content: Content) -> Told:
    made, never = run_pages.listed(content)
    return {"made": made, "never": never}


PAGES: dict[str, Callable[[Content], Told]] = {
    "index.html": _index,
    "cases.html": _cases,
    "speed.html": speed_pages.told,
    "errors.html": _errors,
    "changes.html": _changes,
    "claims.html": _claims,
    "compare.html": lambda _: {},
    "runs.html": _runs,
    "method.html": lambda _: {"parts": prose.method()},
}
