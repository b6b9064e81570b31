"""Writes the report from the records: SUPPORT.md, CASES.md, CHANGES.md, the README's table, and three JSON files.

A file is written only where it changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matrix.answers import contribution_comparison, published_answers
from matrix.base.errors import BadData, BadRecord
from matrix.base.files import write_whole
from matrix.catalog.approaches import APPROACHES
from matrix.judge import landmarks
from matrix.judge import statements as statements_json
from matrix.judge import support as support_json
from matrix.judge.judged import load
from matrix.judge.processors import in_words
from matrix.judge.support import Support
from matrix.judge.verdicts import judged_runs
from matrix.record import contribution
from matrix.report import claim_table, processor_tables, short_answer, speed_tables, statement_tables
from matrix.report.executed_plans import executed_plans
from matrix.report.markdown import render
from matrix.report.support_table import WORDS, Short, headline, judged_over, meanings, sections, shorts
from matrix.speed import comparisons
from matrix.speed.rankings import rankings

BEGIN, END = "<!-- table:begin -->", "<!-- table:end -->"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What the report says, for the terminal.

    `faults`: records that could not be read. `marks`: landmarks of releases.toml that contradict the records.
    `written`: the files that changed.
    """

    support: Support
    headline: tuple[str, ...]
    shorts: tuple[Short, ...]
    faults: tuple[BadRecord, ...]
    marks: tuple[str, ...]
    written: tuple[Path, ...]


def report(reports: Path, readme: Path | None) -> Summary:
    """Judge the records and write what changed. A broken record is left out.

    Raise BadData where the README has no place for the table, or where matrix/data/ is faulty.
    """
    judged = load(reports)
    support, statements = judged.support, judged.statements
    answers = published_answers.build(reports, judged.records)
    short_tables = tuple(shorts(support, judged.judgements, judged.catalog))
    tables, notes = sections(support)
    speed = comparisons.places(judged.timed, judged.catalog)
    contributions, refused = contribution.read_all(reports)
    faults = (*judged.faults, *refused)
    ours = judged_runs(judged.records) if contributions else []
    processors = [statement for statement in statements.processors if statement.compared]
    sentences = (*headline(support, judged.records, judged.catalog, broken=len(faults)), *map(in_words, processors))
    defaults = {run.same_as or run.run for run in support.runs if run.profile == "default"}
    evidence = statement_tables.EVIDENCE
    support_page = render("SUPPORT.md.jinja", sections=tables, notes=notes, approaches=APPROACHES, support=support,
                          words=WORDS, profiles=judged.catalog.profiles, errors=meanings(support, judged.known),
                          since=statement_tables.since(statements.statements), evidence=evidence,
                          claims=claim_table.rows(answers.claims), executed=list(executed_plans(judged.records)),
                          contributed=[contribution_comparison.compare(one, ours) for one in contributions],
                          speed=speed, rankings=rankings(speed), networks=comparisons.network_tables(judged.timed),
                          halves=comparisons.half_points(judged.timed),
                          shorts=short_tables, ladders=statements.ladders, judged_over=judged_over(),
                          processors=statements.processors, **processor_tables.FOR_TEMPLATES,
                          fastest=[found for place in speed if (found := comparisons.fast(place, defaults))],
                          programs=short_answer.PROGRAMS, headline=sentences, **speed_tables.FOR_TEMPLATES)  # fmt: skip
    cases = render("CASES.md.jinja", cases=statement_tables.cases(statements.cases), evidence=evidence)
    changes = render("CHANGES.md.jinja", changed=statement_tables.changed(statements.changes), evidence=evidence,
                     what=statement_tables.CHANGES)  # fmt: skip
    files = {
        reports / "support.json": support_json.encode(support),
        reports / "SUPPORT.md": support_page.encode(),
        reports / "statements.json": statements_json.encode(statements),
        reports / "CASES.md": cases.encode(),
        reports / "CHANGES.md": changes.encode(),
        reports / published_answers.NAME: published_answers.encode(answers),
    }
    if readme:
        advised = short_answer.advise(short_tables, speed, judged.catalog)
        measured_on = dict.fromkeys(name for row in advised for name in row.measured_on)
        block = render("README.md.jinja", advised=advised, measured_on=measured_on, headline=sentences)
        files[readme] = _with_block(readme, block)
    written = [path for path, content in files.items() if not path.exists() or path.read_bytes() != content]
    for path in written:
        write_whole(path, files[path])
    marks = tuple(landmarks.contradictions(judged.catalog, statements.statements))
    return Summary(support=support, headline=sentences, shorts=short_tables, faults=faults, marks=marks,
                   written=tuple(written))  # fmt: skip


def _with_block(readme: Path, block: str) -> bytes:
    """Return the README with the block between its markers replaced."""
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BadData(f"{readme}: has no {BEGIN} with {END} after it", "put both, each on a line of its own")
    return f"{before}{BEGIN}\n{block}{END}{after}".encode()
