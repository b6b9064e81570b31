"""Workarounds for a failure, as they were measured: the same cells under another profile, mode, approach, epilogue or
release.

Nothing is concluded from a rule: something is a workaround because counterparts of the very cells that fail were
observed to pass, and with them the core's epilogues in the same modes. Of these some may pass where the text stands
while others are refused in other words: a person has bias and activation after the convolution, whatever they saw fail.
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
from matrix.judge.verdicts import FAILED, OTHER_STEP, Answer, JudgedRun, replaces, rewritten
from matrix.record.records import CellId, Fusion, Mode, Observation
from matrix.suite import catalog as suite

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
    core = _core_beside(cells, run)
    approach, _, check, _ = cells[0]
    modes = {mode for _, mode, _, _ in cells}
    found = [
        _tried("profile", other.header.profile, other, cells, core)
        for other in others
        if other.place == run.place
        and not other.header.same_as
        and len(differences(run.judged_by, other.judged_by)) == 1
    ]
    for mode in OTHER_MODES if modes <= {*OTHER_MODES, "keras"} else ():
        if mode not in modes:
            there, core_there = (
                list(dict.fromkeys((approach, mode, check, case) for _, _, _, case in of)) for of in (cells, core)
            )
            found.append(_tried("mode", mode, run, there, core_there))
    found += [
        _tried("approach", other, run, *([(other, *cell[1:]) for cell in of] for of in (cells, core)))
        for other in APPROACHES
        if other != approach and replaces(other, approach, modes)
    ]
    if other_steps := list(filter(None, map(rewritten, cells))):
        found.append(_tried("epilogue", OTHER_STEP, run, other_steps))
    # Under the same profile. `default` may be another setting there, as oneDNN on instead of off: the workaround's
    # `run` is that of the setting, and whoever tells of the release names it too.
    later = [
        other
        for other in others
        if other.header.profile == run.header.profile and _version(other.header.release) > _version(run.header.release)
    ]
    for other_run in sorted(later, key=lambda other: _version(other.header.release)):
        upgrade = _tried("release", other_run.header.release, other_run, cells, core)
        if upgrade and upgrade.whole and not upgrade.unseen:
            found.append(upgrade)
            break
    workarounds = [one for one in found if one]
    return sorted(workarounds, key=lambda one: (not one.whole, one.unseen > one.passed, KINDS.index(one.kind)))


def _core_beside(failing: Sequence[CellId], run: JudgedRun) -> list[CellId]:
    """Return the cells of the core's epilogues that were observed beside those that fail."""
    observed = run.cells.get(failing[0][0], {})
    beside = (
        (approach, mode, check, f"{geometry}/{epilogue}/{rest}")
        for approach, mode, check, case in failing
        for geometry, _, rest in [case.split("/", 2)]
        for epilogue in suite.CORE_EPILOGUES
    )
    return [cell for cell in dict.fromkeys(beside) if cell in observed and cell not in failing]


def _tried(
    kind: Kind, name: str, at: JudgedRun, failing: Sequence[CellId], core: Sequence[CellId] = ()
) -> Workaround | None:
    """Count how these cells of one approach came out there; None where none of those that fail passed."""
    cells = [*failing, *core]
    approach, _, check, _ = cells[0]
    observed = at.cells.get(approach, {})
    seen = [cell for cell in cells if cell in observed]
    passed = [cell for cell in seen if observed[cell].outcome == "pass"]
    if not set(passed) & set(failing):
        return None
    failed = sum(observed[cell].outcome in FAILED for cell in seen)
    trains: Answer | None = None
    if check == "forward":
        gradients = [(approach, mode, "gradient", case) for _, mode, _, case in cells]
        outcomes = {observed[cell].outcome for cell in gradients if cell in observed}
        works, fails = "pass" in outcomes, not outcomes.isdisjoint(FAILED)
        trains = "some" if works and fails else "yes" if works else "no" if fails else "unknown"
    # An epilogue is offered for the modes in which it was tried.
    by_mode = grouped(seen, lambda cell: cell[1]) if kind == "epilogue" or (failed and kind != "mode") else {}
    whole = {mode for mode, tried in by_mode.items() if set(tried) <= set(passed)}
    ran = {fused.epilogue for cell in passed if (fused := _fusion(at, cell))} if kind == "epilogue" else set()
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
        fusion=ran.pop() if len(ran) == 1 else None,
    )


def _fusion(run: JudgedRun, cell: CellId) -> Fusion | None:
    approach, mode, _, case = cell
    seen = run.cells[approach].get((approach, mode, "fusion", case))
    return seen.fusion if seen else None
