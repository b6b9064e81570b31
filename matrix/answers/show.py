"""An approach on a release as it was recorded: verdicts, cells, evidence, and which cell a script is made of."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator

from matrix.answers.lookup import Recorded
from matrix.answers.reproduction import Reproduction
from matrix.base.errors import BadUsage
from matrix.base.structs import Strict
from matrix.catalog.known_errors import spoken
from matrix.catalog.releases import Catalog
from matrix.judge.notes import Cause, notes
from matrix.judge.verdicts import FAILED, Answer, Judgement, Need, VerdictWord, core_case, weigh
from matrix.record.records import Observation


class Shown(Strict, frozen=True, kw_only=True):
    """The approach under one profile. `default`: what nothing set comes to; `cells` are those that were asked for."""

    run: str
    release: str
    profile: str
    host_class: str
    record: str
    default: bool
    verdict: VerdictWord
    needs: dict[Need, Answer]
    notes: list[str]
    cells: list[Observation]


class Showing(Strict, frozen=True, kw_only=True):
    """An approach on a release, `note` where another release than the one asked for is shown."""

    approach: str
    note: str
    shown: list[Shown]


def show(recorded: Recorded, approach: str, wanted: str, cause: Cause) -> Showing:
    """`wanted` is a pattern of `mode/check/case`, as in `graph/*/g4-k3/bias_relu/*`."""
    shown = []
    for release in recorded.found.releases:
        judgements = [weigh(run, approach) for run in recorded.of(release)]
        default = recorded.default(release)
        beside = [weigh(run, other) for run in recorded.of(release) for other in run.cells]
        shown += [_shown(one, beside, default, wanted, cause) for one in judgements]
    if not any(one.cells for one in shown):
        raise BadUsage(f"no cell of {approach} is named {wanted} in these records", "python -m matrix show --help")
    return Showing(approach=approach, note=recorded.found.note, shown=shown)


def _shown(judgement: Judgement, beside: list[Judgement], default: str | None, wanted: str, cause: Cause) -> Shown:
    header = judgement.run.judged_by
    return Shown(
        run=header.run,
        release=header.release,
        profile=header.profile,
        host_class=header.host.host_class,
        record=f"runs/{header.host.host_class}/{header.engine}/{header.run}.jsonl",
        default=header.profile == default,
        verdict=judgement.word,
        needs=judgement.needs,
        notes=list(notes(judgement, beside, cause)),
        cells=[one for one in judgement.cells.values() if fnmatch.fnmatchcase("/".join(one.cell[1:]), wanted)],
    )


def reproduction(showing: Showing, catalog: Catalog, profile: str | None) -> Reproduction:
    """Of the first cell shown that fails, of `bias_relu` where that is among them, else of the first that passes.

    Raise BadUsage where no cell is shown under that profile.
    """
    shown = [one for one in showing.shown if profile in {None, one.profile}]
    found = sorted(((one, cell) for one in shown for cell in one.cells), key=lambda pair: _interest(*pair))
    if not found:
        profiles = ", ".join(one.profile for one in showing.shown)
        raise BadUsage(f"there is no cell under {profile}", f"profiles with records there: {profiles}")
    one, cell = found[0]
    made_under = next((entry for entry in catalog.profiles if entry.name == one.profile), None)
    return Reproduction(cell=cell.cell, release=one.release, profile=made_under, told=_told(one, cell))


def _interest(one: Shown, cell: Observation) -> tuple[object, ...]:
    usual = cell.case == core_case(cell.approach)
    return (cell.check == "fusion", cell.outcome not in FAILED, not one.default, not usual)


def _told(one: Shown, cell: Observation) -> str:
    came = spoken(cell) if cell.outcome in FAILED else cell.outcome
    return f"Recorded on TensorFlow {one.release}, {one.profile}, {one.host_class}: {came}"


def lines(showing: Showing, limit: int = 12) -> Iterator[str]:
    """The answer of `show`, line by line; `limit` failing cells a profile."""
    if showing.note:
        yield f"{showing.note}\n"
    for one in showing.shown:
        default = ", what happens with nothing set" if one.default else ""
        place = f"TensorFlow {one.release}, {one.profile} ({one.host_class}{default})"
        yield f"{showing.approach} on {place}: {one.verdict}"
        yield "  " + ", ".join(f"{need} {answer}" for need, answer in one.needs.items())
        yield from (f"  {note}" for note in one.notes)
        yield from _cells(one.cells, limit)
        yield f"  record: {one.record}\n"


def _cells(cells: Iterable[Observation], limit: int) -> Iterator[str]:
    seen = list(cells)
    failed = [one for one in seen if one.outcome in FAILED]
    yield f"  {len(seen)} cells shown, {len(failed)} of them fail"
    for one in failed[:limit] or seen[:limit]:
        told = f": {spoken(one)}" if one.outcome in FAILED else ""
        ops = f" {one.fusion.kernel}, {one.fusion.epilogue} {one.fusion.ops}" if one.fusion else ""
        yield f"    {one.outcome:8} {'/'.join(one.cell[1:])}{told}{ops}"
    if len(failed) > limit:
        yield f"    and {len(failed) - limit} more; --json has all, --cell chooses"
