"""Write the notes beside a verdict: which need fails, why, and which workarounds were measured."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from matrix.base.text import plain
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.known_errors import KnownError, failure_text, recognise
from matrix.judge.verdicts import (
    FAILED,
    JUDGED,
    NEEDS,
    REPRESENTATIVE,
    WORST,
    Judgement,
    core_case,
    core_cells,
    twin_fails,
    workarounds,
)
from matrix.record.records import Observation, Status
from matrix.suite import catalog as suite

Cause = Callable[[Observation], str]

STATUSES: dict[Status, str] = {
    "partial": "the run ended before its end",
    "not_built": "could not be built",
    "not_imported": "could not be imported",
    "not_run": "was not run",
}
CAUSE_SHOWN = 160
# How the reason of an observation begins that died among other cells and not alone: see tests/suite/worker.py.
SEEN_BOTH_WAYS = "died here ("


def notes(judgement: Judgement, others: Sequence[Judgement], cause: Cause) -> tuple[str, ...]:
    """Return notes of one line each, without markup. `others`: the judgements of the same release, backend and host
    class.
    """
    found = [
        *_of_the_run(judgement, cause),
        *_of_needs(judgement, others, cause),
        *_of_other_cells(judgement, cause),
        *_of_fusion(judgement),
        *_not_there(judgement),
        *_not_observed(judgement),
    ]
    return tuple(plain(note, limit=1000) for note in found)


def causes(known: Sequence[KnownError]) -> Cause:
    """Return a function that says why an observation failed: a known error by its name and id, any other in its own
    words. The same text comes thousands of times, and is looked up once.
    """
    named: dict[str, str] = {}

    def cause(observation: Observation) -> str:
        text = failure_text(observation)
        if text not in named:
            error = recognise(known, text)
            named[text] = f"{error.name} ({error.id})" if error else plain(text, CAUSE_SHOWN)
        return named[text]

    return cause


def _of_the_run(judgement: Judgement, cause: Cause) -> Iterator[str]:
    same, used = judgement.run.header.same_as, judgement.run.judged_by
    if same:
        how = "and judged by it" if used.run == same else "of which there is no record"
        yield f"The same as {same} on this host class, {how}."
    if used.status != "complete" and not used.same_as:
        yield f"{STATUSES[used.status].capitalize()} ({used.started[:10]}): {used.reason}"
    if last := (used.seen_once or {}).get(judgement.approach):
        when = used.started[:10]
        yield f"Seen once: before the run of {when} it was {last}, and a second run has to confirm this."
    if len(judgement.run.engines) > 1:
        others = [engine for engine in judgement.run.engines if engine != used.engine]
        yield f"By the record of {used.engine}; there is one of {_listed(others)} too."
    if judgement.doubtful and judgement.word not in {"absent", "unknown"}:
        modes = list(dict.fromkeys(observation.mode for observation in judgement.doubtful))
        why = f"{_why(judgement.doubtful, cause)}; groups need not be at fault"
        yield f"Doubtful: in {_listed(modes)} the same fails without groups: {why}."
    for outcome in WORST:
        if seen := [one for one in judgement.cells.values() if one.outcome == outcome]:
            how = ", ".join(filter(None, (seen[0].signal, seen[0].reason))) or "it does not say why"
            share = f"{len(seen)} of {len(judgement.cells)} cells"
            yield f"{outcome.capitalize()} in {share}, first in {'/'.join(seen[0].cell[1:])}: {how}."


def _of_needs(judgement: Judgement, others: Sequence[Judgement], cause: Cause) -> Iterator[str]:
    """Give one note to the needs that fail for the same cause and have the same workarounds."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for need, failed in judgement.failing.items():
        by_mode: dict[str, list[str]] = defaultdict(list)
        for observation in failed:
            by_mode[observation.mode].append(_epilogue(observation))
        places = []
        for mode, failing in by_mode.items():
            seen = [judgement.cells.get(cell) for cell in core_cells(judgement.approach, need) if cell[1] == mode]
            passing = [_epilogue(one) for one in seen if one and one.outcome == "pass"]
            # Name the epilogues that fail or those that pass, whichever are fewer; where all fail, none.
            which = f" (all but {_listed(passing)})" if len(passing) < len(failing) else f" ({_listed(failing)})"
            places.append(f"{mode}{which}" if passing else mode)
        found = workarounds(judgement, need, others)
        ways = "; ".join(f"{kind} {_listed(names, 'or')}" for kind, names in found.items() if names)
        mend = f"Workaround, measured here: {ways}." if ways else "No workaround was measured here."
        alike[_why(failed, cause), mend].append(f"{need} in {_listed(places)}")
    for (why, mend), needs in alike.items():
        yield f"Fails: {'; '.join(needs)}: {why}. {mend}"


def _of_other_cells(judgement: Judgement, cause: Cause) -> Iterator[str]:
    """Note failures that count in no need (gradients under XLA, cases beyond the core), and cells that are flaky."""
    counted = {cell for need in JUDGED for cell in core_cells(judgement.approach, need)}
    rest: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for cell, observation in judgement.cells.items():
        if cell not in counted and observation.check != "fusion":
            rest[observation.check, observation.mode].append(observation)
    for (check, mode), seen in rest.items():
        if failed := [observation for observation in seen if observation.outcome in FAILED]:
            share = f"{len(failed)} of {len(seen)} cases, from {failed[0].case}"
            if without := sum(twin_fails(judgement.run, observation) for observation in failed):
                share += f" ({without} of them fail without groups too)"
            yield f"Counted in no need: {check} in {mode} fails in {share}: {_why(failed, cause)}."
    # The outcome of a cell that died among other cells and not alone is the one that it had alone.
    if flaky := [one for one in judgement.cells.values() if one.reason and one.reason.startswith(SEEN_BOTH_WAYS)]:
        share = f"{len(flaky)} of {len(judgement.cells)} cells, first {'/'.join(flaky[0].cell[1:])}"
        yield f"Flaky, seen both ways, in {share}: {flaky[0].reason}."


def _of_fusion(judgement: Judgement) -> Iterator[str]:
    """Note where the answer for `bias_relu` does not hold: for other epilogues, and in plans for other geometries,
    dtypes and layouts.
    """
    by_epilogue: dict[str, list[str]] = defaultdict(list)
    for epilogue, steps in suite.EPILOGUES.items():
        case = core_case(judgement.approach, epilogue)
        forward, seen = (judgement.cells.get((judgement.approach, "graph", of, case)) for of in ("forward", "fusion"))
        runs = (seen and seen.evidence == "planned") or (forward and forward.outcome == "pass")
        if steps and runs and seen and seen.fusion:
            by_epilogue[seen.fusion.epilogue].append(epilogue)
    if len(by_epilogue) > 1 or "partly" in by_epilogue:
        yield (
            "In graph mode " + "; ".join(f"{how}: {_listed(names)}" for how, names in sorted(by_epilogue.items())) + "."
        )
    planned: dict[str, list[str]] = defaultdict(list)
    for observation in judgement.cells.values():
        elsewhere = observation.case != core_case(judgement.approach) and _epilogue(observation) == REPRESENTATIVE
        if elsewhere and observation.evidence == "planned" and observation.fusion:
            geometry, _, dtype, layout = observation.case.split("/")
            planned[observation.fusion.epilogue].append(f"{geometry} {dtype} {layout}")
    if planned:
        yield (
            f"{REPRESENTATIVE} elsewhere: " + "; ".join(f"{how} for {_listed(of)}" for how, of in planned.items()) + "."
        )


def _not_there(judgement: Judgement) -> Iterator[str]:
    approach = APPROACHES[judgement.approach]
    absent = [one for one in judgement.cells.values() if one.outcome == "absent"]
    if judgement.word == "absent":
        reasons = list(dict.fromkeys(one.reason for one in absent if one.reason))
        yield f"Not in this release: {_listed(reasons) or 'no reason given'} (in others from {approach.since} on)."
        return
    if lacking := [mode for mode in suite.CORE_MODES if mode not in approach.modes]:
        yield f"{judgement.approach} has no mode {_listed(lacking, 'or')}."
    lacks: dict[str, list[str]] = defaultdict(list)
    for mode in suite.MODES:
        if lacked := [one for one in absent if one.mode == mode]:
            count = sum(one.mode == mode for one in judgement.cells.values())
            which = f"mode {mode}" if len(lacked) == count else f"{len(lacked)} of {count} cells in {mode}"
            lacks[lacked[0].reason or "no reason given"].append(which)
    for reason, where in lacks.items():
        yield f"Not in this release: {_listed(where)} ({reason})."


def _not_observed(judgement: Judgement) -> Iterator[str]:
    if judgement.run.judged_by.status not in {"complete", "partial"}:
        return
    if device := judgement.run.judged_by.planned_for:
        named = device.get("model") or device.get("type") or "a device"
        yield f"Planned for {named}, which was not there: nothing was executed."
    skipped = Counter(one.reason for one in judgement.cells.values() if one.outcome == "skipped")
    for reason, count in skipped.items():
        yield f"Not observed: {count} cells: {reason}."
    if missing := judgement.counts.get("unobserved"):
        unknown = [need for need in NEEDS if judgement.needs[need] == "unknown" and judgement.evidence == "executed"]
        yield f"Not in the record: {missing} cells" + (f"; unknown: {_listed(unknown)}." if unknown else ".")


def _why(failed: Sequence[Observation], cause: Cause) -> str:
    """Name the three most frequent causes."""
    most = Counter(cause(observation) for observation in failed).most_common(3)
    return "; ".join(name.rstrip(".") for name, _ in most)


def _epilogue(observation: Observation) -> str:
    return observation.case.split("/")[1]


def _listed(names: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
