"""Ways round a failure, as they were measured: the same cells under another profile, mode, approach or release.

Nothing is concluded from a rule: a way is one because counterparts of the very cells that fail were observed to pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Literal, get_args

from packaging.version import Version

from matrix.base.structs import Strict
from matrix.catalog.approaches import APPROACHES
from matrix.judge.verdicts import FAILED, Answer, JudgedRun, replaces
from matrix.record.records import CellId, Observation

Kind = Literal["profile", "mode", "approach", "release"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Modes that a person can change to in the same program, the one that costs least first.
OTHER_MODES = ("jit", "graph", "eager")


class Way(Strict, frozen=True, kw_only=True):
    """What passes where something else fails: `passed` of the `of` cells that correspond to the failing ones and were
    observed; `unseen` ones were not.

    `name` is a profile, mode, approach or release id. `trains`, for a failing forward pass, says whether the gradients
    of the same cells pass this way too, as far as observed. `cell` is one that passed, `approach/mode/check/case`, in
    the same run, in that of the profile, or for another release in `run`.
    """

    kind: Kind
    name: str
    passed: int
    of: int
    unseen: int = 0
    cell: str
    run: str | None = None
    trains: Answer | None = None

    @property
    def whole(self) -> bool:
        return self.passed == self.of


def measure(failing: Sequence[Observation], run: JudgedRun, others: Iterable[JudgedRun]) -> tuple[Way, ...]:
    """Ways round these cells, of one approach and check: what passes wherever it was observed comes first.

    `others` are runs on the same backend and host class, of this release and of others.
    """
    found = [way for kind, name, at, cells in _candidates(failing, run, others) if (way := _way(kind, name, at, cells))]
    return tuple(sorted(found, key=lambda way: (not way.whole, way.unseen > way.passed, KINDS.index(way.kind))))


Candidate = tuple[Kind, str, JudgedRun, list[CellId]]


def _candidates(failing: Sequence[Observation], run: JudgedRun, others: Iterable[JudgedRun]) -> Iterator[Candidate]:
    cells = [one.cell for one in failing]
    approach, check = cells[0][0], cells[0][2]
    others = list(others)
    for other in others:
        if other.place == run.place and not other.header.same_as and other.judged_by.run != run.judged_by.run:
            yield "profile", other.header.profile, other, cells
    modes = {cell[1] for cell in cells}
    for mode in OTHER_MODES if modes <= {*OTHER_MODES, "keras"} else ():
        if mode not in modes:
            yield "mode", mode, run, list(dict.fromkeys((approach, mode, check, cell[3]) for cell in cells))
    for other_approach in APPROACHES:
        if other_approach != approach and replaces(other_approach, approach, modes):
            yield "approach", other_approach, run, [(other_approach, *cell[1:]) for cell in cells]
    yield from _later(cells, run, others)


def _later(cells: list[CellId], run: JudgedRun, others: Sequence[JudgedRun]) -> Iterator[Candidate]:
    """The first later release in which all of the cells pass under the same profile, and so under no other setting."""
    released, profile = _version(run), run.header.profile
    later = [one for one in others if one.header.profile == profile and _version(one) > released]
    for other in sorted(later, key=_version):
        way = _way("release", other.header.release, other, cells)
        if way and way.whole and not way.unseen:
            yield "release", other.header.release, other, cells
            return


def _version(run: JudgedRun) -> Version:
    return _parsed(run.header.release)


@cache
def _parsed(release: str) -> Version:
    return Version(release)


def _way(kind: Kind, name: str, at: JudgedRun, cells: Sequence[CellId]) -> Way | None:
    outcomes = {cell: _outcome(at, cell) for cell in cells}
    passed = [cell for cell, outcome in outcomes.items() if outcome == "pass"]
    if not passed:
        return None
    failed = sum(outcome in FAILED for outcome in outcomes.values())
    gradients = [_outcome(at, (approach, mode, "gradient", case)) for approach, mode, _, case in cells]
    return Way(
        kind=kind,
        name=name,
        passed=len(passed),
        of=len(passed) + failed,
        unseen=len(cells) - len(passed) - failed,
        cell="/".join(passed[0]),
        run=at.judged_by.run if kind == "release" else None,
        trains=_answer(gradients) if cells[0][2] == "forward" else None,
    )


def _outcome(at: JudgedRun, cell: CellId) -> str | None:
    observed = at.cells.get(cell[0], {}).get(cell)
    return observed.outcome if observed else None


def _answer(outcomes: Sequence[str | None]) -> Answer:
    """Of those that were observed."""
    passed, failed = outcomes.count("pass"), sum(outcome in FAILED for outcome in outcomes)
    if passed and failed:
        return "some"
    if passed:
        return "yes"
    return "no" if failed else "unknown"
