"""Workarounds for a failure, as they were measured: the same cells under another profile, mode, approach or release.

Nothing is concluded from a rule: something is a workaround because counterparts of the very cells that fail were
observed to pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import get_args

from packaging.version import Version

from matrix.answers.answer_data import KINDS, Kind, Workaround
from matrix.base.grouping import grouped
from matrix.catalog.approaches import APPROACHES
from matrix.judge.settings import differences
from matrix.judge.verdicts import FAILED, Answer, JudgedRun, replaces
from matrix.record.records import CellId, Mode, Observation

# Modes that a person can change to in the same program, the one that costs least first.
OTHER_MODES = ("jit", "graph", "eager")

_version = cache(Version)


def measure(failing: Sequence[Observation], run: JudgedRun, others: Sequence[JudgedRun]) -> list[Workaround]:
    """Return the workarounds for these cells, which are of one approach and check; the best first.

    `others` are runs on the same backend and host class, of this release and of others. Another profile is a workaround
    only where it differs in one setting alone: what passes with oneDNN on and the remapper off need not pass with the
    remapper off.
    """
    cells = [one.cell for one in failing]
    approach, _, check, _ = cells[0]
    modes = {mode for _, mode, _, _ in cells}
    found = [
        _tried("profile", other.header.profile, other, cells)
        for other in others
        if other.place == run.place
        and not other.header.same_as
        and len(differences(run.judged_by, other.judged_by)) == 1
    ]
    for mode in OTHER_MODES if modes <= {*OTHER_MODES, "keras"} else ():
        if mode not in modes:
            there = dict.fromkeys((approach, mode, check, case) for _, _, _, case in cells)
            found.append(_tried("mode", mode, run, list(there)))
    found += [
        _tried("approach", other_approach, run, [(other_approach, *cell[1:]) for cell in cells])
        for other_approach in APPROACHES
        if other_approach != approach and replaces(other_approach, approach, modes)
    ]
    # Under the same profile, and so under no other setting.
    later = [
        other
        for other in others
        if other.header.profile == run.header.profile and _version(other.header.release) > _version(run.header.release)
    ]
    for other in sorted(later, key=lambda other: _version(other.header.release)):
        upgrade = _tried("release", other.header.release, other, cells)
        if upgrade and upgrade.whole and not upgrade.unseen:
            found.append(upgrade)
            break
    workarounds = [one for one in found if one]
    return sorted(workarounds, key=lambda one: (not one.whole, one.unseen > one.passed, KINDS.index(one.kind)))


def _tried(kind: Kind, name: str, at: JudgedRun, cells: Sequence[CellId]) -> Workaround | None:
    """Count how these cells of one approach came out there; None where none of them passed."""
    approach, _, check, _ = cells[0]
    observed = at.cells.get(approach, {})
    seen = [cell for cell in cells if cell in observed]
    passed = [cell for cell in seen if observed[cell].outcome == "pass"]
    if not passed:
        return None
    failed = sum(observed[cell].outcome in FAILED for cell in seen)
    trains: Answer | None = None
    if check == "forward":
        gradients = [(approach, mode, "gradient", case) for _, mode, _, case in cells]
        outcomes = {observed[cell].outcome for cell in gradients if cell in observed}
        works, fails = "pass" in outcomes, not outcomes.isdisjoint(FAILED)
        trains = "some" if works and fails else "yes" if works else "no" if fails else "unknown"
    by_mode = grouped(seen, lambda cell: cell[1]) if failed and kind != "mode" else {}
    whole = {mode for mode, tried in by_mode.items() if set(tried) <= set(passed)}
    return Workaround(
        kind=kind,
        name=name,
        modes=[mode for mode in get_args(Mode) if mode in whole],
        passed=len(passed),
        of=len(passed) + failed,
        unseen=len(cells) - len(passed) - failed,
        cell="/".join(passed[0]),
        run=at.judged_by.run if kind == "release" else None,
        trains=trains,
    )
