"""Decides from the records what is commonly said: confirmed, refuted, or that it depends, with counts and cells.

A claim is data (matrix/catalog/claims.py); this module decides its query and knows nothing of what the claim says.
A cell that fails without groups as well has no vote.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import combinations, pairwise, product
from typing import NamedTuple

from packaging.version import Version

from matrix.answers.answer_data import Decided, Word
from matrix.base.grouping import grouped
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.claims import Claim, Dimension, Query, Shows
from matrix.judge.verdicts import FAILED, JUDGED, NEEDS, JudgedRun, core_case, counts, judged_runs, twin_fails, weigh
from matrix.record.records import CellId, Check, Mode, Record
from matrix.suite import catalog as suite


class _Vote(NamedTuple):
    """`cell`: `run/approach/mode/check/case`. `place`: backend, profile, and whether the run was only planned."""

    for_it: bool
    cell: str
    place: str
    release: str


def decide(claims: Iterable[Claim], records: Iterable[Record]) -> list[Decided]:
    voters = [run for run in judged_runs(records) if not run.header.same_as]
    return [_decide(claim, voters) for claim in claims]


def _decide(claim: Claim, voters: Sequence[JudgedRun]) -> Decided:
    votes = [] if claim.query == "none" else list(QUERIES[claim.query](claim, voters))
    pro, contra = ([vote for vote in votes if vote.for_it == side] for side in (True, False))
    by_place: dict[str, Counter[bool]] = defaultdict(Counter)
    for vote in votes:
        by_place[vote.place][vote.for_it] += 1
    seen = {(approach, dimension) for vote in votes for approach, dimension in _crossed(vote)}
    untried = {
        approach: missing
        for approach in claim.approaches
        if (missing := [dimension for dimension in claim.over if (approach, dimension) not in seen])
    }
    word: Word = "undecided"
    if votes:
        word = "depends" if pro and contra else "refuted" if contra else "so far" if untried else "confirmed"
    return Decided(
        id=claim.id,
        says=claim.says,
        word=word,
        over=claim.over,
        untried=untried if votes else {},
        pro_count=len(pro),
        contra_count=len(contra),
        by_place={place: (count[True], count[False]) for place, count in sorted(by_place.items())},
        pro=_spread(pro),
        contra=_spread(contra),
        why=claim.why,
    )


def _spread(votes: Sequence[_Vote]) -> list[str]:
    """Return a cell of the oldest release, of the newest, and of a release between them."""
    ordered = sorted(votes, key=lambda vote: Version(vote.release))
    chosen = [ordered[0], ordered[len(ordered) // 2], ordered[-1]] if ordered else []
    return list(dict.fromkeys(vote.cell for vote in chosen))


def _vote(for_it: bool, run: JudgedRun, cell: CellId) -> _Vote:
    planned = ", planned" if run.header.planned_for else ""
    place = f"{run.header.backend}, {run.header.profile}{planned}"
    return _Vote(for_it, "/".join((run.judged_by.run, *cell)), place, run.header.release)


def dimensions(case_id: str, base: str) -> set[Dimension]:
    """Name the dimensions in which a case leaves the geometry `base`, f32 and NHWC."""
    case, usual = suite.parse_case(case_id), suite.parse_case(f"{base}/none/f32/nhwc")
    strided, dilated = case.strides != (1, 1), case.dilation > 1
    crossed: dict[Dimension, bool] = {
        "dtype": case.dtype != "f32",
        "layout": case.layout != "nhwc",
        "stride": strided,
        "dilation": dilated,
        "stride with dilation": strided and dilated,
        "padding": case.padding != "SAME",
        "kernel": case.kernel != usual.kernel,
        "groups": case.groups != usual.groups,
    }
    return {name for name, holds in crossed.items() if holds}


def _crossed(vote: _Vote) -> Iterator[tuple[str, Dimension]]:
    _, approach, _, _, case = vote.cell.split("/", 4)
    return ((approach, dimension) for dimension in dimensions(case, APPROACHES[approach].base))


@cache
def _cases(approach: str, mode: str, check: str, epilogues: tuple[str, ...], over: tuple[Dimension, ...]) -> list[str]:
    """Return the cases that a claim is about: those of the approach's own geometry, and those that leave it in the
    dimensions of `over` alone, whatever their epilogue.
    """
    base = APPROACHES[approach].base
    found = {core_case(approach, epilogue): None for epilogue in epilogues}
    for cell in suite.cells():
        if (cell.approach, cell.mode, cell.check) == (approach, mode, check) and counts(cell.case):
            crossed = dimensions(cell.case, base)
            if crossed and crossed <= set(over):
                found[cell.case] = None
    return list(found)


def _by_cell(claim: Claim, voters: Sequence[JudgedRun]) -> Iterator[_Vote]:
    """Let each cell vote; or each pair of cells, where the claim compares them and both were observed."""
    check: Check = "fusion" if claim.shows in {"fused", "apart"} else "forward"
    against = claim.against
    epilogues = tuple(claim.epilogues or suite.EPILOGUES)
    cells: list[tuple[str, Mode, Check, str]] = [
        (approach, mode, check, case)
        for approach, mode in product(claim.approaches, claim.modes)
        if mode in APPROACHES[approach].modes
        for case in _cases(approach, mode, check, epilogues, tuple(claim.over))
    ]
    for run, cell in product(voters, cells):
        approach, mode, _, case = cell
        shown = _shows(run, cell, claim.shows)
        if shown is None:
            continue
        if not against:
            yield _vote(shown, run, cell)
            continue
        other = against.approach or approach
        geometry, *rest = core_case(other, case.split("/")[1]).split("/")
        case = "/".join([against.geometry or geometry, *rest])
        second = _shows(run, (other, against.mode or mode, check, case), claim.shows)
        if second is not None:
            yield _vote((second and not shown) if claim.turned else (shown and not second), run, cell)


def _by_neighbours(claim: Claim, voters: Sequence[JudgedRun]) -> Iterator[_Vote]:
    """Let each need vote that turned between two neighbouring releases; a need that stayed as it was does not vote."""
    executed = [run for run in voters if run.judged_by.observations and not run.header.planned_for]
    series = grouped(executed, lambda run: (run.header.backend, run.header.profile, run.header.host.host_class))
    for group in series.values():
        group.sort(key=lambda run: Version(run.header.release))
        for (old, new), approach in product(pairwise(group), claim.approaches):
            before, after = (weigh(run, approach).needs for run in (old, new))
            for need in NEEDS:
                if {before[need], after[need]} == {"yes", "no"}:
                    check, modes = JUDGED.get(need, ("fusion", ("graph",)))
                    yield _vote(after[need] == "yes", new, (approach, modes[0], check, core_case(approach)))


def _by_backends(claim: Claim, voters: Sequence[JudgedRun]) -> Iterator[_Vote]:
    """Let each two backends vote: whether their plans differ, for the same minor release, profile and host class."""
    planned: dict[tuple[str, str, str], dict[str, JudgedRun]] = defaultdict(dict)
    for run in voters:
        if run.header.planned_for:
            minor = ".".join(run.header.release.split(".")[:2])
            planned[minor, run.header.profile, run.header.host.host_class][run.header.backend] = run
    for by_backend in planned.values():
        for pair in combinations([by_backend[backend] for backend in sorted(by_backend)], 2):
            for approach in claim.approaches:
                cell = (approach, "graph", "fusion", core_case(approach))
                plans = [_shows(run, cell, "fused") for run in pair]
                if None not in plans:
                    yield _vote(plans[0] != plans[1], pair[0], cell)


QUERIES: dict[Query, Callable[[Claim, Sequence[JudgedRun]], Iterator[_Vote]]] = {
    "cells": _by_cell,
    "pairs": _by_cell,
    "newer": _by_neighbours,
    "backends": _by_backends,
}


def _shows(run: JudgedRun, cell: CellId, wanted: Shows) -> bool | None:
    """Return None where the cell was not observed, or fails without groups as well. An epilogue that is fused into a
    failing operation is not fused.
    """
    approach, mode, _, case = cell
    observed = run.cells.get(approach, {})
    forward = observed.get((approach, mode, "forward", case))
    if forward and twin_fails(run, forward):
        return None
    passes = forward is not None and forward.outcome == "pass"
    if wanted in {"passes", "fails"}:
        known = passes or (forward is not None and forward.outcome in FAILED)
        return passes == (wanted == "passes") if known else None
    fusion = observed.get((approach, mode, "fusion", case))
    if not fusion or not fusion.fusion or fusion.fusion.epilogue == "none":
        return None
    if wanted == "fused":
        return fusion.fusion.epilogue == "fused" and (passes or fusion.evidence != "executed")
    return fusion.fusion.epilogue == "separate"


def reach(claim: Decided) -> list[str]:
    """Say what a claim ranges over, and what of that was not tried."""
    if not claim.pro_count + claim.contra_count:
        return []
    own = "of each approach's own geometry, in f32 and NHWC"
    told = [f"over {', '.join(claim.over)}" if claim.over else own]
    return [*told, *(f"not tried for {name}: {', '.join(missing)}" for name, missing in claim.untried.items())]


def lines(claims: Sequence[Decided]) -> Iterator[str]:
    """Yield the answer for a terminal."""
    for claim in claims:
        yield f"{claim.word:10} {claim.says}"
        yield f"           {claim.why or f'{claim.pro_count} for, {claim.contra_count} against'}"
        yield from (f"           {line}" for line in reach(claim))
        for place, (pro, contra) in claim.by_place.items():
            yield f"             {place}: {pro} of {pro + contra}"
        for side, cells in (("for", claim.pro), ("against", claim.contra)):
            yield from (f"           {side}: {cell}" for cell in cells)
