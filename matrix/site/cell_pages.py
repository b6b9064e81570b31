"""A page for each release and approach: every run that observed it, cell by cell, with what was said and shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from markupsafe import Markup

from matrix.catalog.approaches import APPROACHES
from matrix.judge.support import RunEntry, Verdict, question_of
from matrix.judge.verdicts import FAILED, Judgement, Question, counts
from matrix.record.records import CellId, Error, Fusion, Observation
from matrix.site.content import Content
from matrix.site.html import anchor, grid_cell
from matrix.suite import catalog as suite

NOTHING = Markup("<td></td>")


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What several cells of a section have in common, told once, below the grid."""

    number: int
    error: Error | None = None
    known: str | None = None
    fusion: Fusion | None = None
    told: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A case, and its cells drawn; one is empty where the suite does not ask or the run has no answer."""

    case: str
    cells: Markup


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Cases down, (mode, check) across."""

    columns: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    remarks: tuple[Remark, ...]

    @property
    def modes(self) -> list[tuple[str, int]]:
        """Each mode with the number of its columns."""
        return [(mode, len(list(group))) for mode, group in groupby(mode for mode, _ in self.columns)]


@dataclass(frozen=True, kw_only=True)
class Span:
    """Neighbouring releases with the same verdict; `here`: the page's own release is one of them."""

    verdict: Verdict
    first: str
    last: str
    here: bool


@dataclass(frozen=True, kw_only=True)
class Section:
    """One run of the page's release and approach. Without a `grid` nothing was observed, or another run answers."""

    run: RunEntry
    verdict: Verdict
    judgement: Judgement
    grid: Grid | None
    spans: tuple[Span, ...]
    before: Verdict | None
    after: Verdict | None

    @property
    def example(self) -> Observation | None:
        """The cell to see happen: the first that fails of those that the verdict rests on, else the first of them."""
        deciding: list[CellId] = [_cell(text) for text in self.verdict.deciding]
        seen = [self.judgement.cells[cell] for cell in deciding if cell in self.judgement.cells]
        seen = [one for one in seen if one.evidence == "executed"]
        return min(seen, key=lambda one: (one.check == "fusion", one.outcome not in FAILED), default=None)


@dataclass(frozen=True, kw_only=True)
class Page:
    release: str
    approach: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, kw_only=True)
class Series:
    """The verdicts of one backend, profile, host class and approach, oldest release first."""

    verdicts: tuple[Verdict, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        return {verdict.release: number for number, verdict in enumerate(self.verdicts)}

    def beside(self, release: str, step: int) -> Verdict | None:
        place = self.places[release] + step
        return self.verdicts[place] if 0 <= place < len(self.verdicts) else None

    def spans(self, release: str) -> Iterator[Span]:
        for _, group in groupby(self.verdicts, key=lambda one: (one.verdict, one.evidence)):
            alike = list(group)
            releases = [one.release for one in alike]
            yield Span(verdict=alike[0], first=releases[0], last=releases[-1], here=release in releases)


def pages(content: Content) -> Iterator[Page]:
    """Oldest release first, approaches in the suite's order."""
    series = dict(_series(content))
    for release in content.releases:
        asked = [(question, ways) for question, ways in content.verdicts.items() if question[0] == release]
        for approach in APPROACHES:
            sections = tuple(
                _section(content, ways[approach], series[*question[1:], approach])
                for question, ways in asked
                if approach in ways
            )
            if sections:
                yield Page(release=release, approach=approach, sections=sections)


def _series(content: Content) -> Iterator[tuple[tuple[str, ...], Series]]:
    found: dict[tuple[str, ...], list[Verdict]] = {}
    for verdict in content.support.verdicts:
        found.setdefault((*question_of(verdict)[1:], verdict.approach), []).append(verdict)
    for key, verdicts in found.items():
        yield key, Series(verdicts=tuple(verdicts))


def _section(content: Content, verdict: Verdict, series: Series) -> Section:
    question: Question = question_of(verdict)
    judgement = content.judged[question, verdict.approach]
    run = content.runs[question]
    # the control stands with its own approach, since it tells whether groups are at fault
    observations = [] if run.same_as else content.observed(judgement.run.judged_by, verdict.approach)
    return Section(
        run=run,
        verdict=verdict,
        judgement=judgement,
        grid=grid(content, observations, verdict) if observations else None,
        spans=tuple(series.spans(verdict.release)),
        before=series.beside(verdict.release, -1),
        after=series.beside(verdict.release, 1),
    )


@dataclass
class _Remarks:
    """Numbers what is said, in the order in which it is first said."""

    named: dict[tuple[str, str], str]
    numbers: dict[object, int] = field(default_factory=dict)
    made: list[Remark] = field(default_factory=list)

    def of(self, one: Observation) -> int | None:
        key = (one.error, _said(one), _shown(one.fusion))
        if not any(key):
            return None
        if key not in self.numbers:
            self.numbers[key] = len(self.made) + 1
            known = self.named.get((one.error.type, one.error.message)) if one.error else None
            self.made.append(
                Remark(number=self.numbers[key], error=one.error, known=known, fusion=one.fusion, told=_said(one))
            )
        return self.numbers[key]


def grid(content: Content, observations: Sequence[Observation], verdict: Verdict) -> Grid:
    """Columns in the suite's order of modes and checks. What counts in no verdict, control and misuse, comes last."""
    columns = sorted({(one.mode, one.check) for one in observations}, key=_column)
    deciding = {_cell(text) for text in verdict.deciding}
    place = anchor(verdict.backend, verdict.profile, verdict.host_class)
    remarks = _Remarks(named=content.named)
    by_case: dict[str, dict[tuple[str, str], Markup]] = {}
    for one in sorted(observations, key=lambda one: not counts(one.case)):
        number = remarks.of(one)
        drawn = _drawn(one, f"{place}-{number}" if number else None, deciding=one.cell in deciding)
        by_case.setdefault(one.case, {})[one.mode, one.check] = drawn
    lines = (
        Line(case=case, cells=Markup("").join(drawn.get(column, NOTHING) for column in columns))
        for case, drawn in by_case.items()
    )
    return Grid(columns=tuple(columns), lines=tuple(lines), remarks=tuple(remarks.made))


def _drawn(one: Observation, remark: str | None, *, deciding: bool) -> Markup:
    """The outcome in its word; of fusion, where it was seen, the word for the epilogue."""
    classes = [f"o o-{one.outcome}"]
    classes += [f"e-{one.fusion.epilogue}"] if one.fusion else []
    classes += ["d"] if deciding else []
    word = one.fusion.epilogue if one.fusion else one.outcome
    return grid_cell(" ".join(classes), word, one.rel_err, remark)


def _cell(deciding: str) -> CellId:
    """Of `run/approach/mode/check/case`."""
    _, approach, mode, check, case = deciding.split("/", 4)
    return (approach, mode, check, case)


def _column(column: tuple[str, str]) -> tuple[int, str, int]:
    mode, check = column
    modes, checks = list(suite.MODES), ["forward", "fusion", "gradient"]
    return (modes.index(mode) if mode in modes else len(modes), mode, checks.index(check))


def _said(one: Observation) -> str:
    return ", ".join(filter(None, (one.signal, one.reason)))


def _shown(fusion: Fusion | None) -> object:
    return fusion and (fusion.kernel, fusion.epilogue, fusion.source, tuple(fusion.ops.items()))
