"""Decides from the records what is commonly said: confirmed, refuted, or that it depends, with counts and cells.

A claim is data (matrix/catalog/claims.py); this module decides its query and knows nothing of what the claim says.
A cell that fails without groups as well has no vote.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import combinations, pairwise, product
from typing import NamedTuple, get_args

from packaging.version import Version

from matrix.answers.answer_data import Decided, Word
from matrix.base.grouping import grouped
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.claims import Against, Claim, Dimension, Query, Shows
from matrix.judge.settings import Setting, setting
from matrix.judge.verdicts import (
    FAILED,
    JUDGED,
    NEEDS,
    REPRESENTATIVE,
    JudgedRun,
    core_case,
    counts,
    judged_runs,
    twin_fails,
    weigh,
)
from matrix.record.records import CellId, Check, Mode, Record
from matrix.suite import catalog as suite

# The fields of a case that the dimensions `size` and `program` are made of.
SIZE = ("n", "h", "w")
PROGRAM = ("dynamic_batch", "dynamic_hw", "constant", "bare", "weight_norm", "via")


class _Vote(NamedTuple):
    for_it: bool
    run: JudgedRun
    cell: CellId

    @property
    def name(self) -> str:
        return "/".join((self.run.judged_by.run, *self.cell))

    @property
    def place(self) -> str:
        """Backend, profile, and whether the run was only planned."""
        header = self.run.header
        return f"{header.backend}, {header.profile}{', planned' if header.planned_for else ''}"


class _Pair(NamedTuple):
    """A cell that a claim asks, and the cell that it is compared with where the claim compares."""

    cell: CellId
    other: CellId | None


def decide(claims: Iterable[Claim], records: Iterable[Record]) -> list[Decided]:
    voters = [run for run in judged_runs(records) if not run.header.same_as]
    return [_decide(claim, voters) for claim in claims]


def _decide(claim: Claim, voters: Sequence[JudgedRun]) -> Decided:
    votes = [] if claim.query == "none" else list(QUERIES[claim.query](claim, voters))
    pro, contra = ([vote for vote in votes if vote.for_it == side] for side in (True, False))
    by_place: dict[str, Counter[bool]] = defaultdict(Counter)
    for vote in votes:
        by_place[vote.place][vote.for_it] += 1
    crossed = {approach: _crossed(claim, approach, voters, votes) for approach in claim.approaches}
    untried = {
        approach: missing
        for approach, found in crossed.items()
        if votes and (missing := [dimension for dimension in claim.over if dimension not in found])
    }
    tried = {
        dimension: [
            mode for mode in get_args(Mode) if any(mode in found.get(dimension, ()) for found in crossed.values())
        ]
        for dimension in claim.over
        if any(dimension in found for found in crossed.values())
    }
    word: Word = "undecided"
    if votes:
        word = "depends" if pro and contra else "refuted" if contra else "so far" if untried else "confirmed"
    return Decided(
        id=claim.id,
        says=claim.says,
        word=word,
        over=claim.over,
        tried=tried if votes else {},
        untried=untried,
        pro_count=len(pro),
        contra_count=len(contra),
        by_place={place: (count[True], count[False]) for place, count in sorted(by_place.items())},
        pro=_spread(pro),
        contra=_spread(contra),
        why=claim.why,
    )


def _spread(votes: Sequence[_Vote]) -> list[str]:
    """Return a cell of the oldest release, of the newest, and of a release between them."""
    ordered = sorted(votes, key=lambda vote: Version(vote.run.header.release))
    chosen = [ordered[0], ordered[len(ordered) // 2], ordered[-1]] if ordered else []
    return list(dict.fromkeys(vote.name for vote in chosen))


@cache
def dimensions(case_id: str, base: str) -> frozenset[Dimension]:
    """Name the dimensions in which a case leaves the geometry `base`, f32 and NHWC. A block leaves it altogether."""
    case, usual = suite.parse_case(case_id), suite.parse_case(f"{base}/none/f32/nhwc")
    if case.block:
        return frozenset({"block"})
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
        "size": any(getattr(case, name) != getattr(usual, name) for name in SIZE),
        "program": any(getattr(case, name) != getattr(usual, name) for name in PROGRAM),
    }
    return frozenset(name for name, holds in crossed.items() if holds)


def _crossed(
    claim: Claim, approach: str, voters: Sequence[JudgedRun], votes: Sequence[_Vote]
) -> dict[Dimension, set[str]]:
    """Return the dimensions of the claim of which each case that the suite has was decided on, and the modes in which.

    What was only planned decides nothing for what is executed: it counts where a claim compares plans.
    """
    planned = claim.query == "backends"
    seen = {vote.cell for vote in votes if planned == (vote.run.header.planned_for is not None)}
    by_dimension: dict[Dimension, list[CellId]] = defaultdict(list)
    for cell, _ in _asked(claim, approach, planned=planned):
        for dimension in _leaves(claim, cell):
            by_dimension[dimension].append(cell)
    found: dict[Dimension, set[str]] = {
        dimension: set() if dimension == "mode" else {mode for _, mode, _, _ in cells}
        for dimension, cells in by_dimension.items()
        if seen.issuperset(cells)
    }
    executed = [run for run in voters if run.cells.get(approach) and not run.header.planned_for]
    if {True, False} <= {run.judged_by.onednn for run in executed}:
        found["setting"] = set()
    return found


def _leaves(claim: Claim, cell: CellId) -> set[Dimension]:
    """Name the dimensions in which a cell leaves the usual one of the claim: its first mode, and its first epilogue."""
    approach, mode, _, case = cell
    epilogue = case.split("/")[1]
    crossed: dict[Dimension, bool] = {
        "mode": bool(claim.modes) and mode != claim.modes[0],
        "epilogue": epilogue != (claim.epilogues or [REPRESENTATIVE])[0],
    }
    return {name for name, holds in crossed.items() if holds} | dimensions(case, APPROACHES[approach].base)


def _asked(claim: Claim, approach: str, *, planned: bool) -> list[_Pair]:
    """Return the cells of the suite that a claim is about, and with each the cell that it is compared with.

    They have the approach's own geometry, or leave it in dimensions of `over` alone.
    """
    check: Check = "fusion" if claim.query == "backends" or claim.shows in {"fused", "apart"} else "forward"
    cells = dict.fromkeys(suite.planned_cells() if planned else suite.cells())
    found = []
    for cell in cells:
        if (cell.approach, cell.check) != (approach, check) or cell.mode not in claim.modes or not counts(cell.case):
            continue
        fits = not claim.epilogues or cell.case.split("/")[1] in claim.epilogues
        if fits and dimensions(cell.case, APPROACHES[approach].base) <= set(claim.over):
            other = _counterpart(claim.against, cell) if claim.against else None
            if not claim.against or other in cells:
                found.append(_Pair(cell, other))
    return found


def _counterpart(against: Against, cell: CellId) -> CellId | None:
    """Return the cell that differs in what `against` names and in nothing else; None where there is no such cell. Where
    the other approach has a geometry of its own, that takes the place of this one's.
    """
    approach, mode, check, case = cell
    geometry, *rest = case.split("/")
    other = against.approach or approach
    own, theirs = (APPROACHES[name].base.split("-") for name in (approach, other))
    if against.geometry:
        if geometry != APPROACHES[approach].base:
            return None
        geometry = against.geometry
    elif own != theirs:
        tokens = geometry.split("-")
        if not set(own) <= set(tokens):
            return None
        geometry = "-".join([*theirs, *(token for token in tokens if token not in own)])
    return (other, against.mode or mode, check, "/".join([geometry, *rest]))


def _by_cell(claim: Claim, voters: Sequence[JudgedRun]) -> Iterator[_Vote]:
    """Let each cell vote; or each pair of cells, where the claim compares them and both were observed."""
    pairs = [
        pair
        for approach in claim.approaches
        for pair in dict.fromkeys(
            pair for planned in (False, True) for pair in _asked(claim, approach, planned=planned)
        )
    ]
    for run, (cell, other) in product(voters, pairs):
        shown = _shows(run, cell, claim.shows)
        if shown is None:
            continue
        if not other:
            yield _Vote(shown, run, cell)
            continue
        second = _shows(run, other, claim.shows)
        if second is not None:
            yield _Vote((second and not shown) if claim.turned else (shown and not second), run, cell)


def _by_neighbours(claim: Claim, voters: Sequence[JudgedRun]) -> Iterator[_Vote]:
    """Let each need vote that turned between two neighbouring releases; a need that stayed as it was does not vote.

    Neighbours have the same set, whatever the profile is called: `default` is oneDNN off before 2.5, and on from 2.9.
    """
    executed = [run for run in voters if run.judged_by.observations and not run.header.planned_for]
    series = grouped(executed, lambda run: (run.header.backend, setting(run.judged_by), run.header.host.host_class))
    for group in series.values():
        by_release = {run.header.release: run for run in sorted(group, key=lambda run: run.header.profile != "default")}
        ordered = sorted(by_release.values(), key=lambda run: Version(run.header.release))
        for (old, new), approach in product(pairwise(ordered), claim.approaches):
            before, after = (weigh(run, approach).needs for run in (old, new))
            for need in NEEDS:
                if {before[need], after[need]} == {"yes", "no"}:
                    check, modes = JUDGED.get(need, ("fusion", ("graph",)))
                    yield _Vote(after[need] == "yes", new, (approach, modes[0], check, core_case(approach)))


def _by_backends(claim: Claim, voters: Sequence[JudgedRun]) -> Iterator[_Vote]:
    """Let each two backends vote: whether their plans differ, for the same minor release, setting and host class."""
    planned: dict[tuple[str, Setting, str], dict[str, JudgedRun]] = defaultdict(dict)
    for run in voters:
        if run.header.planned_for:
            minor = ".".join(run.header.release.split(".")[:2])
            planned[minor, setting(run.judged_by), run.header.host.host_class][run.header.backend] = run
    for by_backend in planned.values():
        for pair in combinations([by_backend[backend] for backend in sorted(by_backend)], 2):
            for approach in claim.approaches:
                for cell, _ in _asked(claim, approach, planned=True):
                    plans = [_shows(run, cell, "fused") for run in pair]
                    if None not in plans:
                        yield _Vote(plans[0] != plans[1], pair[0], cell)


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
    """Say over what a claim was tried and in which modes, and what of that it ranges over was not tried."""
    by_modes = grouped(
        [one for one in claim.over if one in claim.tried], lambda dimension: ", ".join(claim.tried[dimension])
    )
    told = [f"{', '.join(tried)}{f' in {modes}' if modes else ''}" for modes, tried in by_modes.items()]
    untried = [f"not tried for {name}: {', '.join(missing)}" for name, missing in claim.untried.items()]
    return [*([f"over {'; '.join(told)}"] if told else []), *untried]


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
