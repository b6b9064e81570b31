"""The content of all pages: the records, read and judged once, with look-ups for what a page asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.version import Version

from matrix.answers import published_answers
from matrix.answers.published_answers import Index
from matrix.judge import judged as judged_reports
from matrix.judge.judged import Judged
from matrix.judge.support import RunEntry, Verdict, question_of
from matrix.judge.verdicts import Judgement, Question, question
from matrix.site.html import anchor, cell_path


@dataclass(frozen=True, kw_only=True)
class Content(Judged):
    """`faults` are on no page; the front page says how many there are."""

    index: Index

    @cached_property
    def runs(self) -> dict[Question, RunEntry]:
        return {question_of(run): run for run in self.support.runs}

    @cached_property
    def _verdicts(self) -> dict[Question, dict[str, Verdict]]:
        found: dict[Question, dict[str, Verdict]] = {}
        for verdict in self.support.verdicts:
            found.setdefault(question_of(verdict), {})[verdict.approach] = verdict
        return found

    def verdicts_of(self, asked: Question) -> dict[str, Verdict]:
        """By approach, in the suite's order; empty where the run was never made.

        Approaches that the run's profile does not ask for are left out.
        """
        return self._verdicts.get(asked, {})

    @cached_property
    def judged(self) -> dict[tuple[Question, str], Judgement]:
        """By run and approach."""
        return {(question(one.run.header), one.approach): one for one in self.judgements}

    @cached_property
    def error_ids(self) -> dict[tuple[str, str], str]:
        """The id of a known error, by the type and message of an error that was seen."""
        return {(entry.type, entry.message): entry.known for entry in self.support.errors if entry.known}

    def page_of(self, deciding: str) -> str | None:
        """Return the page of a cell named `run/approach/mode/check/case`; None where no table has the run."""
        run_id, approach, *_ = deciding.split("/")
        run = next((run for run in self.support.runs if run.run == run_id and run.engine), None)
        if run is None or approach not in self.verdicts_of(question_of(run)):
            return None
        return f"{cell_path(run.release, approach)}#{anchor(run.backend, run.profile, run.host_class)}"

    @cached_property
    def releases(self) -> list[str]:
        """The releases that have a record, oldest first."""
        return sorted({run.release for run in self.support.runs if run.engine}, key=Version)


def load(reports: Path) -> Content:
    """Raise BadData where a file of matrix/data/ is faulty."""
    judged = judged_reports.load(reports)
    index = published_answers.current(reports) or published_answers.build(reports, judged.records)
    return Content(**vars(judged), index=index)
