"""An approach on a release as it was recorded: verdicts, cells, evidence, and which cell a script is made of."""

from __future__ import annotations

import fnmatch
import textwrap
from collections.abc import Iterator, Sequence

from matrix.answers.release_records import ReleaseRecords
from matrix.answers.reproduction import Reproduction
from matrix.base.errors import BadUsage
from matrix.base.structs import Strict
from matrix.catalog.known_errors import failure_text
from matrix.catalog.releases import Profiles
from matrix.judge.notes import Cause, notes
from matrix.judge.verdicts import FAILED, Answer, JudgedRun, Need, VerdictWord, core_case, weigh
from matrix.record.letters import WORDS, letter
from matrix.record.records import Header, Observation


class Elsewhere(Strict, frozen=True, kw_only=True):
    """The same run on another host class: of the `compared` cells that both observed, `differing` came out otherwise
    there, each with its outcome.
    """

    host_class: str
    record: str
    compared: int
    differing: dict[str, str]


class Shown(Strict, frozen=True, kw_only=True):
    """An approach under one profile. `default`: TensorFlow comes to this profile with nothing set. `cells` are the
    cells that were asked for; `elsewhere` says how they came out on the other host classes.
    """

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
    elsewhere: list[Elsewhere] = []


class Showing(Strict, frozen=True, kw_only=True):
    """An approach on a release; `note` where another release than the one asked for is shown."""

    approach: str
    note: str
    shown: list[Shown]


def show(recorded: ReleaseRecords, approach: str, wanted: str, profile: str, cause: Cause) -> Showing:
    """`wanted` is a pattern of `mode/check/case`, as in `graph/*/g4-k3/bias_relu/*`; `profile`: the only one, or "".

    Raise BadUsage where no cell or no run is named so.
    """
    shown = []
    for release in recorded.nearest.releases:
        runs = recorded.runs(release)
        if profile:
            runs = [recorded.under(release, profile)]
        default = recorded.default_profile(release)
        beside = [weigh(run, other) for run in runs for other in run.cells]
        for judgement in (weigh(run, approach) for run in runs):
            header = judgement.run.judged_by
            cells = judgement.cells.values()
            seen = [cell for cell in cells if fnmatch.fnmatchcase("/".join(cell.cell[1:]), wanted)]
            one = Shown(
                run=header.run,
                release=header.release,
                profile=header.profile,
                host_class=header.host.host_class,
                record=_record(header),
                default=header.profile == default,
                verdict=judgement.word,
                needs=judgement.needs,
                notes=list(notes(judgement, beside, cause)),
                cells=seen,
                elsewhere=[_elsewhere(other, seen) for other in recorded.alike(judgement.run) if seen],
            )
            shown.append(one)
    if not any(one.cells for one in shown):
        raise BadUsage(f"no cell of {approach} is named {wanted} in these records", "tf-groupconv show --help")
    return Showing(approach=approach, note=recorded.nearest.note, shown=shown)


def _elsewhere(run: JudgedRun, seen: Sequence[Observation]) -> Elsewhere:
    there = run.cells.get(seen[0].approach, {})
    both = [(one, there[one.cell]) for one in seen if one.cell in there]
    differing = {
        "/".join(other.cell[1:]): failure_text(other) if other.outcome in FAILED else WORDS[letter(other)]
        for one, other in both
        if letter(one) != letter(other)
    }
    return Elsewhere(
        host_class=run.header.host.host_class,
        record=_record(run.judged_by),
        compared=len(both),
        differing=differing,
    )


def _record(header: Header) -> str:
    return f"runs/{header.host.host_class}/{header.engine}/{header.run}.jsonl"


def reproduction(showing: Showing, profiles: Profiles) -> Reproduction:
    """Choose the first failing cell, of `bias_relu` where it is among them; else the first cell that passes."""

    def dullness(found: tuple[Shown, Observation]) -> tuple[bool, ...]:
        one, cell = found
        usual = cell.case == core_case(cell.approach)
        return (cell.check == "fusion", cell.outcome not in FAILED, not one.default, not usual)

    one, cell = min(((one, cell) for one in showing.shown for cell in one.cells), key=dullness)
    outcome = failure_text(cell) if cell.outcome in FAILED else cell.outcome
    return Reproduction(
        cell=cell.cell,
        release=one.release,
        profile=profiles.get(one.profile),
        told=f"Recorded on TensorFlow {one.release}, {one.profile}, {one.host_class}: {outcome}",
    )


def _summary(showing: Showing) -> Iterator[str]:
    """Say the verdict under each profile, and what other host classes have; none is left out."""
    verdicts = ", ".join(f"{one.verdict} with {one.profile} on {one.release}" for one in showing.shown)
    others: dict[str, list[Elsewhere]] = {}
    for other in (other for one in showing.shown for other in one.elsewhere):
        others.setdefault(other.host_class, []).append(other)
    classes = ", ".join(dict.fromkeys(one.host_class for one in showing.shown))
    yield from textwrap.wrap(f"{showing.approach} on {classes}: {verdicts}.", 80, break_on_hyphens=False)
    for name, there in others.items():
        differing, compared = sum(len(one.differing) for one in there), sum(one.compared for one in there)
        yield f"On {name}: {differing} of {compared} cells differ." if differing else f"On {name}: the same."
    yield ""


def lines(showing: Showing, limit: int = 12) -> Iterator[str]:
    """Yield the answer for a terminal, with at most `limit` failing cells for each profile."""
    if showing.note:
        yield f"{showing.note}\n"
    yield from _summary(showing)
    for one in showing.shown:
        default = ", what happens with nothing set" if one.default else ""
        place = f"TensorFlow {one.release}, {one.profile} ({one.host_class}{default})"
        yield f"{showing.approach} on {place}: {one.verdict}"
        yield "  " + ", ".join(f"{need} {answer}" for need, answer in one.needs.items())
        yield from (f"  {note}" for note in one.notes)
        failed = [cell for cell in one.cells if cell.outcome in FAILED]
        yield f"  {len(one.cells)} cells shown, {len(failed)} of them fail"
        for cell in failed[:limit] or one.cells[:limit]:
            told = f": {failure_text(cell)}" if cell.outcome in FAILED else ""
            ops = f" {cell.fusion.kernel}, {cell.fusion.epilogue} {cell.fusion.ops}" if cell.fusion else ""
            yield f"    {cell.outcome:8} {'/'.join(cell.cell[1:])}{told}{ops}"
        if len(failed) > limit:
            yield f"    and {len(failed) - limit} more; --json has all, --cell chooses"
        for other in one.elsewhere:
            first = next((f", first {cell}: {outcome}" for cell, outcome in other.differing.items()), "")
            yield f"  on {other.host_class} {len(other.differing)} of {other.compared} cells differ{first}"
        yield f"  record: {one.record}\n"
