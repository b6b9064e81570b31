"""Every page, with the context of its template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import groupby
from typing import Any

from matrix.answers import findings
from matrix.base.grouping import grouped
from matrix.base.ids import BACKENDS, is_emulated
from matrix.catalog import findings as findings_catalog
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.findings import Harm
from matrix.judge.verdicts import NEEDS
from matrix.report import claim_table, statement_tables
from matrix.report.speed_tables import FOR_TEMPLATES
from matrix.report.statement_tables import Cases, Since
from matrix.report.support_table import WORDS, headline
from matrix.site import cell_pages, error_page, front_page, prose, question_form, run_pages, speed_pages
from matrix.site.content import Content
from matrix.site.front_answer import answer
from matrix.site.html import cell_path, render, run_path

# The pages that the navigation may name, each from the template of the same name.
MAIN = (
    "index.html", "findings.html", "cases.html", "speed.html", "errors.html", "changes.html", "claims.html",
    "compare.html", "runs.html", "method.html", "since.html",
)  # fmt: skip

HARMS: dict[Harm, str] = {
    "wrong": "wrong numbers", "crash": "crash", "hang": "hangs", "slow": "trap of speed", "lost": "lost",
}  # fmt: skip

ENDS = re.compile("</(?:li|td|th|tr|dt|dd)>")
QUERY = """\
import pandas as pd  # with pyarrow

seen = pd.read_parquet("observations.parquet")
print(seen[seen.outcome == "wrong"].groupby(["release", "approach"], observed=True).size())"""


def compose(content: Content) -> Iterator[tuple[str, str]]:
    """Yield the path of each page below the site's root, and its HTML."""
    contexts = _contexts(content)
    for path in MAIN:
        yield path, _render(path, path, contexts.get(path, {}))
    yield from _details(contexts)
    reproduction = partial(cell_pages.reproduction, catalog=content.catalog)
    for release, group in groupby(cell_pages.pages(content), lambda page: page.release):
        alike = list(group)
        names = [page.approach for page in alike if not all(section.is_absent for section in page.sections)]
        for page in alike:
            context = {"page": page, "approach": APPROACHES[page.approach], "names": names,
                       "reproduction": reproduction, **FOR_TEMPLATES}  # fmt: skip
            path = cell_path(release, page.approach)
            yield path, _render("cell.html", path, context)
    for run in run_pages.pages(content):
        path = run_path(run.header.host.host_class, run.header.engine, run.header.run)
        yield path, _render("run.html", path, {"page": run})
    for path, context in speed_pages.pages(content):
        yield path, _render("timed.html", path, context)


def _details(contexts: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the parts of the long pages: a page for each approach's cases, release's changes, and error's places."""
    cases, changes, errors = (contexts[f"{name}.html"] for name in ("cases", "changes", "errors"))
    for approach, tables in cases["by_approach"]:
        path = f"cases/{approach}.html"
        yield (
            path,
            _render("cases_of.html", path, {"approach": approach, "tables": tables, "evidence": cases["evidence"]}),
        )
    for release, changed in changes["changed"].items():
        path = f"changes/{release}.html"
        yield path, _render("changes_of.html", path, {**changes, "release": release, "changed": changed})
    for one in errors["explained"]:
        path = f"errors/{one.error.id}.html"
        if one.usual or one.misuse:
            yield path, _render("error.html", path, {"one": one, "by_place": one.by_place})


def _render(template: str, path: str, context: Mapping[str, object]) -> str:
    """HTML lets these end tags be left out; they are a sixtieth of the site."""
    common = {"pages": MAIN, "approaches": APPROACHES, "needs": NEEDS}
    return ENDS.sub("", render(f"{template}.jinja", path, **common, **context))


def _contexts(content: Content) -> dict[str, dict[str, object]]:
    """By the page; a page that is not named needs no context."""
    statements, evidence = content.statements, statement_tables.EVIDENCE
    changed = statement_tables.changed(statements.changes)

    def on_emulated(table: Since | Cases) -> bool:
        return is_emulated(table.place.host_class)

    made, never = run_pages.made_and_never(content)
    by_place = grouped(
        sorted(made, key=lambda one: (is_emulated(one.run.host_class), BACKENDS.index(one.run.backend))),
        lambda one: (one.run.backend, one.run.host_class),
    )
    found, unnamed = findings.find(content, findings_catalog.load())
    cases = sorted(statement_tables.cases(statements.cases), key=on_emulated)
    tables = grouped(cases, lambda one: one.approach)
    by_approach = [(name, tuple(tables[name])) for name in APPROACHES if name in tables]
    settings = {one.name: one.setting for one in content.index.settings}
    return {
        "index.html": {
            **question_form.choices(content),
            "answer": answer(content, statements.statements),
            "headline": headline(content.support, content.records, content.catalog, broken=len(content.faults)),
            "needs_of": front_page.needs_of,
            "places": front_page.places(content),
            "in_words": question_form.in_words,
            "first": front_page.FIRST,
            "slower": front_page.slower(content),
            "words": WORDS,
        },
        "cases.html": {"by_approach": by_approach, "evidence": evidence},
        "speed.html": speed_pages.context(content),
        "errors.html": {
            "explained": error_page.explained(content.index, content.catalog),
            "observations": sum(len(record.observations) for record in content.records),
            "releases": content.releases,
            "shown_backends": tuple(dict.fromkeys(run.backend for run in content.support.runs if run.engine)),
            "settings": settings,
            "shown_hosts": tuple(dict.fromkeys(one.host_class for one in content.index.places if one.backend == "cpu")),
            "unnamed": content.index.unnamed,
        },
        "changes.html": {
            "changed": {
                release: sorted(places, key=lambda one: is_emulated(one.host_class))
                for release, places in grouped(changed, lambda one: one.release).items()
            },
            "evidence": evidence,
            "what": statement_tables.CHANGES,
        },
        "since.html": {
            "since": sorted(statement_tables.since(statements.statements), key=on_emulated),
            "evidence": evidence,
        },
        "findings.html": {
            "found": found,
            "unnamed": unnamed,
            "harms": HARMS,
            "page_of": content.page_of,
            "settings": settings,
        },
        "claims.html": {"claims": claim_table.rows(content.index.claims), "page_of": content.page_of},
        "runs.html": {"made": by_place, "never": never, "query": QUERY},
        "method.html": {"parts": prose.method()},
    }
