"""Report, from the records: support.json, statements.json, answers.json, SUPPORT.md, CHANGES.md and the README's table.

Written only where they change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matrix.answers import contributed, published
from matrix.base.errors import BadData, BadRecord
from matrix.base.files import write_whole
from matrix.catalog.approaches import APPROACHES
from matrix.judge import landmarks
from matrix.judge import statements as statements_json
from matrix.judge import support as support_json
from matrix.judge.judged import load
from matrix.judge.statements import Statements
from matrix.judge.support import Support
from matrix.judge.verdicts import judged_runs
from matrix.record.records import Record
from matrix.report import claim_table, executed_plans, speed_tables, statement_tables
from matrix.report.markdown import render
from matrix.report.support_table import WORDS, Headline, Short, headline, in_words, meanings, sections, shorts
from matrix.speed import comparisons

BEGIN, END = "<!-- table:begin -->", "<!-- table:end -->"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What the records come to. `faults`: records that could not be read; `marks`: where the landmarks of releases.toml
    contradict the records; `written`: the files that changed.
    """

    support: Support
    headline: Headline
    shorts: tuple[Short, ...]
    faults: tuple[BadRecord, ...]
    marks: tuple[str, ...]
    written: tuple[Path, ...]


def report(reports: Path, readme: Path | None) -> Summary:
    """Raise BadData where the README has no place for the table, or data/ is faulty. A broken record is left out."""
    judged = load(reports)
    support, found = judged.support, judged.statements
    told = headline(support, judged.records, broken=len(judged.faults))
    short = tuple(shorts(support, judged.judgements, judged.catalog))
    places = comparisons.places(judged.timed, judged.catalog)
    context = {"headline": in_words(told), "shorts": short, **speed_tables.WORDS}
    tables, notes = sections(support)
    answers = published.build(reports, judged.records)
    whole = render("SUPPORT.md.jinja", sections=tables, notes=notes, approaches=APPROACHES, support=support,
                   words=WORDS, profiles=judged.catalog.profiles, errors=meanings(support, judged.known),
                   since=statement_tables.since(found.statements), evidence=statement_tables.EVIDENCE,
                   claims=claim_table.told(answers.claims), contributed=_contributed(reports, judged.records),
                   executed=list(executed_plans.executed(judged.records)), speed=places, **context)  # fmt: skip
    files = {reports / "support.json": support_json.encode(support), reports / "SUPPORT.md": whole.encode()}
    files |= {reports / name: content for name, content in _of_statements(found).items()}
    files[reports / published.NAME] = published.encode(answers)
    if readme:
        files[readme] = _with_block(readme, render("README.md.jinja", speed=_fast(places, support), **context))
    written = tuple(path for path, content in files.items() if _write(path, content))
    marks = tuple(landmarks.contradictions(judged.catalog, found.statements))
    return Summary(support=support, headline=told, shorts=short, faults=judged.faults, marks=marks, written=written)


def _fast(places: Sequence[comparisons.Place], support: Support) -> list[comparisons.Fast]:
    defaults = {run.same_as or run.run for run in support.runs if run.profile == "default"}
    return [told for place in places if (told := comparisons.fast(place, defaults))]


def _of_statements(found: Statements) -> dict[str, bytes]:
    words = {"evidence": statement_tables.EVIDENCE, "what": statement_tables.CHANGES}
    cases = render("CASES.md.jinja", cases=statement_tables.cases(found.cases), **words)
    changes = render("CHANGES.md.jinja", changed=statement_tables.changed(found.changes), **words)
    return {
        "statements.json": statements_json.encode(found),
        "CASES.md": cases.encode(),
        "CHANGES.md": changes.encode(),
    }


def _contributed(reports: Path, made: Sequence[Record]) -> list[contributed.Against]:
    """What others sent, beside ours: listed, and evidence of nothing."""
    sent = list(contributed.read_all(reports))
    ours = judged_runs(made) if sent else []
    return [contributed.against(one, ours) for one in sent]


def _with_block(readme: Path, block: str) -> bytes:
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BadData(f"{readme}: has no {BEGIN} with {END} after it", "put both, each on a line of its own")
    return f"{before}{BEGIN}\n{block}{END}{after}".encode()


def _write(path: Path, content: bytes) -> bool:
    if path.exists() and path.read_bytes() == content:
        return False
    write_whole(path, content)
    return True
