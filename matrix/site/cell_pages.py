"""A page for each release and approach: every run that observed it, cell by cell, with errors and kernels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from matrix.answers.reproduction import Reproduction, script
from matrix.base.errors import BadUsage
from matrix.base.grouping import grouped
from matrix.base.ids import BACKENDS
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.known_errors import failure_text
from matrix.catalog.releases import Catalog
from matrix.judge.support import RunEntry, Verdict, question_of
from matrix.judge.verdicts import FAILED, Judgement, counts
from matrix.record.letters import EPILOGUES, OUTCOMES, letter
from matrix.record.records import CellId, Error, Fusion, Observation
from matrix.site.content import Content
from matrix.site.html import grid_cell
from matrix.suite import catalog as suite

NOTHING = Markup("<td>")
# The letters that the style sheet has a colour for, as classes: what did not pass, and what is fused.
COLOURED = {EPILOGUES["fused"], *OUTCOMES.values()} - {OUTCOMES["pass"]}
# A section is drawn by what differs from another one up to a third of its cells.
MOST_DIFFERING = 3
CameOut = Mapping[CellId, tuple[str, Error | None]]


@dataclass(frozen=True, kw_only=True)
class Remark:
    """Say once below a grid what several of its cells have in common. `known`: the id of the error, if it has one."""

    number: int
    error: Error | None
    known: str | None
    fusion: Fusion | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Cases down, (mode, check) across. `lines`: cases that came out alike and their drawn cells; a cell without an
    observation is empty.
    """

    columns: tuple[tuple[str, str], ...]
    lines: tuple[tuple[tuple[str, ...], Markup], ...]
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
    """A run of the page's release and approach. Without a `grid` nothing was observed, or `run.same_as` has the cells,
    or every cell came out as in the section `like`, or is absent.

    Where most of the `observed` cells did, `differing` counts those that did not, and the grid has their cases alone.
    `before` and `after`: the verdicts of the neighbouring releases.
    """

    run: RunEntry
    verdict: Verdict
    judgement: Judgement
    grid: Grid | None
    like: Verdict | None
    observed: int
    differing: int
    spans: tuple[Span, ...]
    before: Verdict | None
    after: Verdict | None

    @property
    def is_absent(self) -> bool:
        return bool(self.judgement.cells) and {one.outcome for one in self.judgement.cells.values()} == {"absent"}

    @property
    def example(self) -> Observation | None:
        """The cell to reproduce: the first deciding cell that fails, else the first deciding one."""
        cells = self.judgement.cells
        seen = [cells[cell] for text in self.verdict.deciding if (cell := _cell_id(text)) in cells]
        executed = [one for one in seen if one.evidence == "executed"]
        return min(executed, key=lambda one: (one.check == "fusion", one.outcome not in FAILED), default=None)


@dataclass(frozen=True, kw_only=True)
class Page:
    release: str
    approach: str
    sections: tuple[Section, ...]

    @property
    def overview(self) -> list[list[Verdict]]:
        """The verdicts, those together that a setting has on several processors."""
        by_setting = grouped((section.verdict for section in self.sections), lambda one: (one.backend, one.profile))
        return [
            alike
            for verdicts in by_setting.values()
            for alike in grouped(verdicts, lambda one: (one.verdict, one.evidence, tuple(one.needs.values()))).values()
        ]


def pages(content: Content) -> Iterator[Page]:
    """Oldest release first, approaches in the suite's order."""
    series = grouped(content.support.verdicts, lambda one: (*question_of(one)[1:], one.approach))
    by_page = grouped(content.support.verdicts, lambda one: (one.release, one.approach))
    observed = {
        (record.header.host.host_class, record.header.engine, record.header.run): grouped(
            record.observations, lambda one: one.approach
        )
        for record in content.records
    }
    for release in content.releases:
        for approach in APPROACHES:
            sections = []
            drawn: list[tuple[Verdict, CameOut]] = []
            for verdict in _newest_suite_first(content, by_page.get((release, approach), ())):
                asked = question_of(verdict)
                judgement, run = content.judged[asked, approach], content.runs[asked]
                header = judgement.run.judged_by
                # the control stands with its own approach, since it tells whether groups are at fault
                seen = observed.get((header.host.host_class, header.engine, header.run), {}).get(approach, [])
                shown: Sequence[Observation] = []
                alike = series[*asked[1:], approach]
                place = [one.release for one in alike].index(release)
                like, differing = None, set[CellId]()
                if not run.same_as and any(one.outcome != "absent" for one in seen):
                    came_out = {one.cell: (letter(one), one.error) for one in seen}
                    if nearest := _nearest(came_out, [each for each in drawn if each[0].backend == verdict.backend]):
                        like, differing = nearest
                        cases = {case for *_, case in differing}
                        shown = [one for one in seen if one.case in cases]
                    else:
                        shown = seen
                        drawn.append((verdict, came_out))
                sections.append(
                    Section(
                        run=run,
                        verdict=verdict,
                        judgement=judgement,
                        grid=grid(content, shown, verdict) if shown else None,
                        like=like,
                        observed=len(seen),
                        differing=len(differing),
                        spans=tuple(spans(alike, release)),
                        before=alike[place - 1] if place else None,
                        after=alike[place + 1] if place + 1 < len(alike) else None,
                    )
                )
            if sections:
                yield Page(release=release, approach=approach, sections=tuple(sections))


def _newest_suite_first(content: Content, verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Of each backend, so that what an older suite observed, which is less, is compared with what today's did."""
    return sorted(verdicts, key=lambda one: (BACKENDS.index(one.backend), content.runs[question_of(one)].older_suite))


def _nearest(came_out: CameOut, drawn: Sequence[tuple[Verdict, CameOut]]) -> tuple[Verdict, set[CellId]] | None:
    """Return the section from which the fewest cells differ, and those; None where too many do. A cell that the other
    section does not have differs too.
    """
    near = [
        (verdict, {cell for cell, outcome in came_out.items() if outcome != other.get(cell)})
        for verdict, other in drawn
    ]
    found = min(near, key=lambda one: len(one[1]), default=None)
    return found if found and len(found[1]) <= len(came_out) / MOST_DIFFERING else None


def spans(verdicts: Sequence[Verdict], here: str) -> Iterator[Span]:
    """`verdicts` are those of a backend, profile, host class and approach, oldest release first."""
    for _, group in groupby(verdicts, key=lambda one: (one.verdict, one.evidence)):
        alike = list(group)
        releases = [one.release for one in alike]
        yield Span(verdict=alike[0], first=releases[0], last=releases[-1], here=here in releases)


def grid(content: Content, observations: Sequence[Observation], verdict: Verdict) -> Grid:
    """Columns in the suite's order of modes and checks. Cases that count in no verdict, control and misuse, come last.

    A cell shows its outcome, or where its epilogue ran. Remarks are numbered in the order in which they first occur.
    """
    columns = sorted({(one.mode, one.check) for one in observations}, key=_column)
    deciding = {_cell_id(text) for text in verdict.deciding}
    remarks: dict[object, Remark] = {}
    by_case: dict[str, dict[tuple[str, str], Markup]] = {}
    for one in sorted(observations, key=lambda one: not counts(one.case)):
        error, fusion = one.error, one.fusion
        reason = ", ".join(filter(None, (one.signal, one.reason)))
        shown = fusion and (fusion.kernel, fusion.source, tuple(fusion.ops.items()))
        key = (error, reason, shown)
        if any(key) and key not in remarks:
            known = content.error_ids.get((error.type, error.message)) if error else None
            remarks[key] = Remark(number=len(remarks) + 1, error=error, known=known, fusion=fusion, reason=reason)
        came_out = letter(one)
        classes = came_out if came_out in COLOURED else ""
        classes += " d" if one.cell in deciding else ""
        word = fusion.epilogue if fusion else one.outcome
        remark = remarks[key].number if key in remarks else None
        by_case.setdefault(one.case, {})[one.mode, one.check] = grid_cell(classes.strip(), word, one.rel_err, remark)
    rows = {case: Markup("").join(drawn.get(column, NOTHING) for column in columns) for case, drawn in by_case.items()}
    lines = ((tuple(_together(cases)), drawn) for drawn, cases in grouped(rows, rows.__getitem__).items())
    return Grid(columns=tuple(columns), lines=tuple(lines), remarks=tuple(remarks.values()))


def _together(cases: Sequence[str]) -> Iterator[str]:
    """Name cases once that differ in one word alone, word by word: `{g4-k3, g4-k3-s2}/bias_relu/{f32, f16}/nhwc`."""
    named: list[list[tuple[str, ...]]] = [[(word,) for word in case.split("/")] for case in cases]
    for place in (0, 3, 2, 1):
        rest_is_the_same = grouped(named, lambda one: (*one[:place], *one[place + 1 :]))  # noqa: B023 - used at once
        named = [
            [*rest[:place], tuple(word for one in alike for word in one[place]), *rest[place:]]
            for rest, alike in rest_is_the_same.items()
        ]
    for words in named:
        yield "/".join(f"{{{', '.join(word)}}}" if len(word) > 1 else word[0] for word in words)


def reproduction(section: Section, catalog: Catalog) -> tuple[str, bool]:
    """Return a program that makes the section's example fail, and True if it needs nothing but TensorFlow.

    Where there is no such program, or the example passes, it is the command of the suite that shows the same, and
    False.
    """
    one, header = section.example, section.judgement.run.judged_by
    assert one, "the template asks only where there is an example"
    command = f"cd tests && python -m suite.observe {' '.join(one.cell)}"
    if one.outcome not in FAILED:
        return command, False
    told = f"Recorded on TensorFlow {header.release}, {header.profile}, {header.host.host_class}: {failure_text(one)}"
    profile = next((entry for entry in catalog.profiles if entry.name == header.profile), None)
    try:
        return script(Reproduction(cell=one.cell, release=header.release, profile=profile, told=told)), True
    except BadUsage:
        return command, False


def _cell_id(deciding: str) -> CellId:
    """Return the cell in `run/approach/mode/check/case`."""
    _, approach, mode, check, case = deciding.split("/", 4)
    return (approach, mode, check, case)


def _column(column: tuple[str, str]) -> tuple[int, str, int]:
    mode, check = column
    modes, checks = list(suite.MODES), ["forward", "fusion", "gradient"]
    return (modes.index(mode) if mode in modes else len(modes), mode, checks.index(check))
