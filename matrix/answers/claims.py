"""What is commonly said, put to the records: confirmed, refuted, or that it depends, with counts and deciding cells.

A claim is data (matrix/data/claims.toml); this module knows how to decide its query and nothing of what it says.
Runs whose control fails, a convolution without groups, have no say.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta
from packaging.version import Version

from matrix.base import paths
from matrix.base.structs import Strict
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.releases import Text, load_entries
from matrix.judge.verdicts import FAILED, JUDGED, NEEDS, JudgedRun, core_case, is_control, judged_runs, weigh
from matrix.record.records import CellId, Mode, Record
from matrix.suite import catalog as suite

Query = Literal["cells", "pairs", "newer", "backends", "none"]
Shows = Literal["fused", "apart", "passes", "fails"]
Word = Literal["confirmed", "refuted", "depends", "undecided"]
SHOWN = 3
# (for or against, the cell that says so, where: backend, profile and whether planned; the release)
Vote = tuple[bool, str, str, str]


class Against(Strict, frozen=True, kw_only=True):
    """What the cells of a claim are compared with, in the same run: the same but for this."""

    approach: str | None = None
    mode: Mode | None = None
    geometry: str | None = None


class Claim(Strict, frozen=True, kw_only=True):
    """A statement and the query that decides it. `turned`: it is the second of a pair that is said to show it.

    Without `epilogues` all of them. `why` it cannot be decided.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=40)]
    says: Text
    query: Query
    approaches: list[str] = []
    modes: list[Mode] = []
    epilogues: list[str] = []
    shows: Shows = "passes"
    against: Against | None = None
    turned: bool = False
    why: Text | None = None


class Decided(Strict, frozen=True, kw_only=True):
    """What the records say of a claim. `by_place` counts [for, against] by backend and profile; `pro` and `contra` name
    deciding cells, `run/approach/mode/check/case`.
    """

    id: str
    says: str
    word: Word
    pro_count: int
    contra_count: int
    by_place: dict[str, tuple[int, int]]
    pro: list[str]
    contra: list[str]
    why: str | None = None


def load(data: Path = paths.DATA) -> tuple[Claim, ...]:
    """Raise BadData naming every fault."""
    return load_entries(data / "claims.toml", "claim", Claim, key="id")


def decide(claims: Iterable[Claim], records: Iterable[Record]) -> list[Decided]:
    seen = [run for run in judged_runs(records) if not run.header.same_as and not _doubtful(run)]
    return [_decide(claim, seen) for claim in claims]


def _doubtful(run: JudgedRun) -> bool:
    observed = (one for cells in run.cells.values() for one in cells.values())
    return any(is_control(one.case) and not suite.is_misuse(one.case) and one.outcome in FAILED for one in observed)


def _decide(claim: Claim, seen: Sequence[JudgedRun]) -> Decided:
    votes = list(QUERIES[claim.query](claim, seen))
    pro, contra = ([vote for vote in votes if vote[0] == side] for side in (True, False))
    by_place: dict[str, Counter[bool]] = defaultdict(Counter)
    for for_it, _, place, _ in votes:
        by_place[place][for_it] += 1
    return Decided(
        id=claim.id,
        says=claim.says,
        word=_word(len(pro), len(contra)),
        pro_count=len(pro),
        contra_count=len(contra),
        by_place={place: (count[True], count[False]) for place, count in sorted(by_place.items())},
        pro=_spread(pro),
        contra=_spread(contra),
        why=claim.why,
    )


def _word(pro: int, contra: int) -> Word:
    if pro and contra:
        return "depends"
    return "confirmed" if pro else "refuted" if contra else "undecided"


def _spread(votes: Sequence[Vote]) -> list[str]:
    """Of the oldest release, of the newest, and of one between."""
    ordered = sorted(votes, key=lambda vote: Version(vote[3]))
    chosen = [ordered[0], ordered[len(ordered) // 2], ordered[-1]] if ordered else []
    return list(dict.fromkeys(vote[1] for vote in chosen))[:SHOWN]


def _cells(claim: Claim, seen: Sequence[JudgedRun]) -> Iterator[Vote]:
    for run in seen:
        for cell in _core_cells(claim, _check(claim)):
            shown = _shows(run, cell, claim.shows)
            if shown is not None:
                yield shown, _name(run, cell), _place(run), run.header.release


def _pairs(claim: Claim, seen: Sequence[JudgedRun]) -> Iterator[Vote]:
    """A pair of which one was not observed says nothing."""
    assert claim.against
    for run in seen:
        for cell in _core_cells(claim, _check(claim)):
            first, second = (_shows(run, one, claim.shows) for one in (cell, _other(cell, claim.against)))
            if first is not None and second is not None:
                for_it = (second and not first) if claim.turned else (first and not second)
                yield for_it, _name(run, cell), _place(run), run.header.release


def _newer(claim: Claim, seen: Sequence[JudgedRun]) -> Iterator[Vote]:
    """What releases have in common says nothing either way."""
    series: dict[tuple[str, str, str], list[JudgedRun]] = defaultdict(list)
    for run in seen:
        if run.judged_by.observations and not run.header.planned_for:
            series[run.header.backend, run.header.profile, run.header.host.host_class].append(run)
    for group in series.values():
        for old, new in pairwise(sorted(group, key=lambda run: Version(run.header.release))):
            for approach in claim.approaches:
                before, after = (weigh(run, approach).needs for run in (old, new))
                for need in NEEDS:
                    if {before[need], after[need]} == {"yes", "no"}:
                        check, modes = JUDGED.get(need, ("fusion", ("graph",)))
                        cell = (approach, modes[0], check, core_case(approach))
                        yield after[need] == "yes", _name(new, cell), _place(new), new.header.release


def _backends(claim: Claim, seen: Sequence[JudgedRun]) -> Iterator[Vote]:
    """Plans are compared with plans, under the profile that they share."""
    planned: dict[tuple[str, str, str], dict[str, JudgedRun]] = defaultdict(dict)
    for run in seen:
        if run.header.planned_for:
            minor = ".".join(run.header.release.split(".")[:2])
            planned[minor, run.header.profile, run.header.host.host_class][run.header.backend] = run
    for by_backend in planned.values():
        for one, other in combinations([by_backend[name] for name in sorted(by_backend)], 2):
            for approach in claim.approaches:
                cell = (approach, "graph", "fusion", core_case(approach))
                plans = [_shows(run, cell, "fused") for run in (one, other)]
                if None not in plans:
                    yield plans[0] != plans[1], _name(one, cell), _place(one), one.header.release


def _none(_: Claim, __: Sequence[JudgedRun]) -> Iterator[Vote]:
    yield from ()


QUERIES: dict[Query, Callable[[Claim, Sequence[JudgedRun]], Iterator[Vote]]] = {
    "cells": _cells,
    "pairs": _pairs,
    "newer": _newer,
    "backends": _backends,
    "none": _none,
}


def _check(claim: Claim) -> str:
    return "fusion" if claim.shows in {"fused", "apart"} else "forward"


def _core_cells(claim: Claim, check: str) -> Iterator[CellId]:
    for approach in claim.approaches:
        for mode in claim.modes:
            for epilogue in claim.epilogues or suite.EPILOGUES:
                if mode in APPROACHES[approach].modes:
                    yield approach, mode, check, core_case(approach, epilogue)


def _other(cell: CellId, against: Against) -> CellId:
    approach, mode, check, case = cell
    _, *rest = case.split("/")
    base = APPROACHES[against.approach or approach].base
    return against.approach or approach, against.mode or mode, check, "/".join([against.geometry or base, *rest])


def _shows(run: JudgedRun, cell: CellId, wanted: Shows) -> bool | None:
    """None where it was not observed. What is fused into an operation that then fails is not fused."""
    seen = run.cells.get(cell[0], {})
    forward = seen.get((cell[0], cell[1], "forward", cell[3]))
    if wanted in {"passes", "fails"}:
        known = forward is not None and (forward.outcome == "pass" or forward.outcome in FAILED)
        return (forward is not None and forward.outcome == "pass") == (wanted == "passes") if known else None
    observed = seen.get((cell[0], cell[1], "fusion", cell[3]))
    if not observed or not observed.fusion or observed.fusion.epilogue == "none":
        return None
    works = observed.evidence != "executed" or (forward is not None and forward.outcome == "pass")
    if wanted == "fused":
        return works and observed.fusion.epilogue == "fused"
    return observed.fusion.epilogue == "separate"


def _place(run: JudgedRun) -> str:
    planned = ", planned" if run.header.planned_for else ""
    return f"{run.header.backend}, {run.header.profile}{planned}"


def _name(run: JudgedRun, cell: CellId) -> str:
    return "/".join((run.judged_by.run, *cell))
