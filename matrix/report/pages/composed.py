"""Every page, with what its template is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import groupby

from matrix.cells import suite
from matrix.report import claims, statements
from matrix.report.pages import cells, errors, front, mine, prose, runs, speed
from matrix.report.pages.answer import answer
from matrix.report.pages.content import Content
from matrix.report.pages.html import cell_path, render, run_path
from matrix.report.pages.scripts import reproduction
from matrix.report.speed import WORDS as WORDS_OF_SPEED
from matrix.report.table import WORDS, headline, in_words
from matrix.verdicts import NEEDS

Told = Mapping[str, object]


def compose(content: Content) -> Iterator[tuple[str, str]]:
    """Path below the site's root, and the page."""
    for name, tell in PAGES.items():
        yield name, _render(name, name, tell(content))
    draw = partial(reproduction, catalog=content.catalog)
    for release, group in groupby(cells.pages(content), key=lambda page: page.release):
        alike = list(group)
        ways = [page.approach for page in alike]
        for page in alike:
            about = suite.APPROACHES[page.approach]
            told: Told = {"page": page, "approach": about, "ways": ways, "reproduction": draw, **WORDS_OF_SPEED}
            yield (path := cell_path(release, page.approach)), _render("cell.html", path, told)
    for one in runs.pages(content):
        path = run_path(one.header.host.host_class, one.header.engine, one.header.run)
        yield path, _render("run.html", path, {"page": one})
    for path, told in speed.pages(content):
        yield path, _render("timed.html", path, told)


def _render(template: str, path: str, told: Told) -> str:
    common = {"pages": tuple(PAGES), "approaches": suite.APPROACHES, "needs": NEEDS}
    return render(f"{template}.jinja", path, **common, **told)


def _index(content: Content) -> Told:
    return mine.choices(content) | {
        "answer": answer(content, content.statements.statements),
        "headline": in_words(headline(content.support, content.records, broken=len(content.faults))),
        "needs_of": front.needs_of,
        "places": front.places(content),
        "words": WORDS,
    }


def _errors(content: Content) -> Told:
    return {
        "explained": errors.explained(content.index.answers, content.catalog),
        "observations": content.observations,
        "releases": content.releases,
        "shown_backends": tuple(dict.fromkeys(run.backend for run in content.support.runs if run.engine)),
        "unnamed": content.index.unnamed,
    }


def _changes(content: Content) -> Told:
    return {
        "changed": statements.changed(content.statements.changes),
        "evidence": statements.EVIDENCE,
        "since": statements.since(content.statements.statements),
        "what": statements.CHANGES,
    }


def _cases(content: Content) -> Told:
    return {"cases": statements.cases(content.statements.cases), "evidence": statements.EVIDENCE}


def _claims(content: Content) -> Told:
    return {"claims": claims.told(content.index.claims), "link": content.cell}


def _runs(content: Content) -> Told:
    made, never = runs.listed(content)
    return {"made": made, "never": never}


PAGES: dict[str, Callable[[Content], Told]] = {
    "index.html": _index,
    "cases.html": _cases,
    "speed.html": speed.told,
    "errors.html": _errors,
    "changes.html": _changes,
    "claims.html": _claims,
    "compare.html": lambda _: {},
    "runs.html": _runs,
    "method.html": lambda _: {"parts": prose.method()},
}
