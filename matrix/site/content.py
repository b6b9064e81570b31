"""What the pages are made of: the records, read and judged once, and looked up by what a page asks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.version import Version

from matrix.answers import published
from matrix.answers.published import Index
from matrix.judge import judged as judged_reports
from matrix.judge.judged import Judged
from matrix.judge.support import RunEntry, Verdict, question_of
from matrix.judge.verdicts import Judgement, Question, question
from matrix.record.records import Header, Observation
from matrix.site.html import anchor, cell_path


@dataclass(frozen=True, kw_only=True)
class Content(Judged):
    """`faults` are on no page; the front page says how many there are."""

    index: Index

    @cached_property
    def runs(self) -> dict[Question, RunEntry]:
        return {question_of(run): run for run in self.support.runs}

    @cached_property
    def verdicts(self) -> dict[Question, dict[str, Verdict]]:
        """By approach, in the suite's order; those that a run's profile does not ask for are left out."""
        found: dict[Question, dict[str, Verdict]] = {}
        for verdict in self.support.verdicts:
            found.setdefault(question_of(verdict), {})[verdict.approach] = verdict
        return found

    def ways(self, asked: Question) -> dict[str, Verdict]:
        """The verdicts of a run by approach; none where it was never made."""
        return self.verdicts.get(asked, {})

    @cached_property
    def judged(self) -> dict[tuple[Question, str], Judgement]:
        return {(question(one.run.header), one.approach): one for one in self.judgements}

    @cached_property
    def _observations(self) -> dict[tuple[str, str, str], dict[str, list[Observation]]]:
        """By host class, engine and run, then by approach."""
        found = {}
        for record in self.records:
            by_approach: dict[str, list[Observation]] = defaultdict(list)
            for one in record.observations:
                by_approach[one.approach].append(one)
            found[_record(record.header)] = by_approach
        return found

    def observed(self, header: Header, approach: str) -> list[Observation]:
        """In the order of the record."""
        return self._observations[_record(header)].get(approach, [])

    @cached_property
    def named(self) -> dict[tuple[str, str], str]:
        """(type, message) of an error to the id that it is known by."""
        return {(entry.type, entry.message): entry.known for entry in self.support.errors if entry.known}

    def cell(self, deciding: str) -> str | None:
        """The page of a cell named `run/approach/mode/check/case`; None where no table has the run."""
        run_id, approach, *_ = deciding.split("/")
        run = self._by_id.get(run_id)
        if run is None or approach not in self.ways(question_of(run)):
            return None
        return f"{cell_path(run.release, approach)}#{anchor(run.backend, run.profile, run.host_class)}"

    @cached_property
    def _by_id(self) -> dict[str, RunEntry]:
        """On the first host class that has it."""
        return {run.run: run for run in reversed(self.support.runs) if run.engine}

    @property
    def observations(self) -> int:
        return sum(len(record.observations) for record in self.records)

    @cached_property
    def releases(self) -> list[str]:
        """Those that have a record, oldest first."""
        return sorted({run.release for run in self.support.runs if run.engine}, key=Version)


def load(reports: Path) -> Content:
    """Raise BadData where a file of matrix/data/ is faulty."""
    judged = judged_reports.load(reports)
    return Content(**vars(judged), index=published.build(reports, judged.records))


def _record(header: Header) -> tuple[str, str, str]:
    return (header.host.host_class, header.engine, header.run)
