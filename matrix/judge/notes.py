"""What stands beside a verdict, in words: which need fails, why, and the way round that was measured."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from matrix.base.text import plain
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.known_errors import KnownError, recognise, spoken
from matrix.judge.verdicts import (
    FAILED,
    JUDGED,
    NEEDS,
    REPRESENTATIVE,
    WORST,
    Judgement,
    Need,
    core_case,
    core_cells,
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
# As the suite's worker words it: tests/suite/worker.py.
SEEN_BOTH_WAYS = "died here ("


def notes(judgement: Judgement, others: Sequence[Judgement], cause: Cause) -> tuple[str, ...]:
    """One line each, without markup. `others` are the judgements of the same release, backend and host class."""
    told = [
        *_of_the_run(judgement, cause),
        *_of_the_worst(judgement),
        *_of_needs(judgement, others, cause),
        *_beyond_the_needs(judgement, cause),
        *_seen_both_ways(judgement),
        *_of_fusion(judgement),
        *_of_plans(judgement),
        *_not_there(judgement),
        *_not_observed(judgement),
    ]
    return tuple(plain(note, limit=1000) for note in told)


def causes(known: Sequence[KnownError]) -> Cause:
    """Names why an observation failed: a known error by its name and id, any other in its own words.

    The same text comes thousands of times, and is looked up once.
    """
    named: dict[str, str] = {}

    def cause(observation: Observation) -> str:
        text = spoken(observation)
        if text not in named:
            error = recognise(known, text)
            named[text] = f"{error.name} ({error.id})" if error else plain(text, CAUSE_SHOWN)
        return named[text]

    return cause


def _how(observation: Observation) -> str:
    told = (observation.signal, observation.reason)
    return ", ".join(filter(None, told)) or "it does not say why"


def _of_the_run(judgement: Judgement, cause: Cause) -> Iterator[str]:
    asked, answers = judgement.witness.asked, judgement.witness.answers
    if asked.same_as and answers.run == asked.same_as:
        yield f"The same as {asked.same_as} on this host class, and judged by it."
    elif asked.same_as:
        yield f"The same as {asked.same_as} on this host class, of which there is no record."
    if answers.status != "complete" and not answers.same_as:
        yield f"{STATUSES[answers.status].capitalize()} ({answers.started[:10]}): {answers.reason}"
    if len(judgement.witness.engines) > 1:
        others = [engine for engine in judgement.witness.engines if engine != answers.engine]
        yield f"By the record of {answers.engine}; there is one of {_listed(others)} too."
    if judgement.doubtful and judgement.word not in {"absent", "unknown"}:
        modes = list(dict.fromkeys(observation.mode for observation in judgement.doubtful))
        why = f"{_why(judgement.doubtful, cause)}; groups need not be at fault"
        yield f"Doubtful: in {_listed(modes)} the control, without groups, fails too: {why}."


def _of_the_worst(judgement: Judgement) -> Iterator[str]:
    """Where the numbers are wrong, or what else outranks the rest."""
    for outcome in WORST:
        if seen := [one for one in judgement.cells.values() if one.outcome == outcome]:
            first = f"{seen[0].mode}/{seen[0].check}/{seen[0].case}"
            share = f"{len(seen)} of {len(judgement.cells)} cells"
            yield f"{outcome.capitalize()} in {share}, first in {first}: {_how(seen[0])}."


def _of_needs(judgement: Judgement, others: Sequence[Judgement], cause: Cause) -> Iterator[str]:
    """Needs that fail for the same cause and have the same way round share a note."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for need, failed in judgement.failing.items():
        by_mode: dict[str, list[str]] = defaultdict(list)
        for observation in failed:
            by_mode[observation.mode].append(_epilogue(observation))
        where = _listed([f"{mode}{_which(judgement, need, mode, names)}" for mode, names in by_mode.items()])
        alike[_why(failed, cause), _ways(workarounds(judgement, need, others))].append(f"{need} in {where}")
    for (why, ways), needs in alike.items():
        yield f"Fails: {'; '.join(needs)}: {why}. {ways}"


def _which(judgement: Judgement, need: Need, mode: str, failed: Sequence[str]) -> str:
    """The shorter of the epilogues that fail and those that do not; nothing where all fail."""
    seen = [judgement.cells.get(cell) for cell in core_cells(judgement.approach, need) if cell[1] == mode]
    passed = [_epilogue(one) for one in seen if one and one.outcome == "pass"]
    if not passed:
        return ""
    return f" (all but {_listed(passed)})" if len(passed) < len(failed) else f" ({_listed(failed)})"


def _why(failed: Sequence[Observation], cause: Cause) -> str:
    """The three most frequent causes."""
    most = Counter(cause(observation) for observation in failed).most_common(3)
    return "; ".join(name.rstrip(".") for name, _ in most)


def _ways(ways: dict[str, list[str]]) -> str:
    measured = [f"{what} {_listed(names, 'or')}" for what, names in ways.items() if names]
    return f"Way round, measured here: {'; '.join(measured)}." if measured else "No way round was measured here."


def _beyond_the_needs(judgement: Judgement, cause: Cause) -> Iterator[str]:
    """Failures that no need is judged on: gradients under XLA, and the cases beyond the core."""
    counted = {cell for need in JUDGED for cell in core_cells(judgement.approach, need)}
    rest: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for cell, observation in judgement.cells.items():
        if cell not in counted and observation.check != "fusion":
            rest[observation.check, observation.mode].append(observation)
    for (check, mode), seen in rest.items():
        if failed := [observation for observation in seen if observation.outcome in FAILED]:
            share = f"{len(failed)} of {len(seen)} cases, from {failed[0].case}"
            yield f"Counted in no need: {check} in {mode} fails in {share}: {_why(failed, cause)}."


def _seen_both_ways(judgement: Judgement) -> Iterator[str]:
    """What died among other cases and not alone: its outcome is the one that it had alone."""
    if seen := [one for one in judgement.cells.values() if one.reason and one.reason.startswith(SEEN_BOTH_WAYS)]:
        first = f"{seen[0].mode}/{seen[0].check}/{seen[0].case}"
        yield f"Flaky, seen both ways, in {len(seen)} of {len(judgement.cells)} cells, first {first}: {seen[0].reason}."


def _of_fusion(judgement: Judgement) -> Iterator[str]:
    """Where the answer for `bias_relu` does not hold for the other epilogues, which those are."""
    found: dict[str, list[str]] = defaultdict(list)
    for epilogue, steps in suite.EPILOGUES.items():
        case = core_case(judgement.approach, epilogue)
        forward, fusion = (judgement.cells.get((judgement.approach, "graph", of, case)) for of in ("forward", "fusion"))
        if (
            steps
            and fusion
            and fusion.fusion
            and (fusion.evidence == "planned" or (forward and forward.outcome == "pass"))
        ):
            found[fusion.fusion.epilogue].append(epilogue)
    if len(found) > 1 or "partly" in found:
        yield "In graph mode " + "; ".join(f"{how}: {_listed(names)}" for how, names in sorted(found.items())) + "."


def _of_plans(judgement: Judgement) -> Iterator[str]:
    """What is planned of `bias_relu` beyond the core: for other geometries, dtypes and layouts."""
    found: dict[str, list[str]] = defaultdict(list)
    for observation in judgement.cells.values():
        elsewhere = observation.case != core_case(judgement.approach) and _epilogue(observation) == REPRESENTATIVE
        if elsewhere and observation.evidence == "planned" and observation.fusion:
            geometry, _, dtype, layout = observation.case.split("/")
            found[observation.fusion.epilogue].append(f"{geometry} {dtype} {layout}")
    if found:
        yield f"{REPRESENTATIVE} elsewhere: " + "; ".join(f"{how} for {_listed(of)}" for how, of in found.items()) + "."


def _not_there(judgement: Judgement) -> Iterator[str]:
    approach = APPROACHES[judgement.approach]
    if judgement.word == "absent":
        reasons = dict.fromkeys(
            one.reason for one in judgement.cells.values() if one.outcome == "absent" and one.reason
        )
        yield f"Not in this release: {_listed([*reasons]) or 'no reason given'} (in others from {approach.since} on)."
        return
    if lacking := [mode for mode in suite.CORE_MODES if mode not in approach.modes]:
        yield f"{judgement.approach} has no mode {_listed(lacking, 'or')}."
    lacks: dict[str, list[str]] = defaultdict(list)
    for mode in suite.MODES:
        seen = [one for one in judgement.cells.values() if one.mode == mode]
        if absent := [one for one in seen if one.outcome == "absent"]:
            which = f"mode {mode}" if len(absent) == len(seen) else f"{len(absent)} of {len(seen)} cells in {mode}"
            lacks[absent[0].reason or "no reason given"].append(which)
    for reason, where in lacks.items():
        yield f"Not in this release: {_listed(where)} ({reason})."


def _not_observed(judgement: Judgement) -> Iterator[str]:
    if judgement.witness.answers.status not in {"complete", "partial"}:
        return
    if device := judgement.witness.answers.planned_for:
        named = device.get("model") or device.get("type") or "a device"
        yield f"Planned for {named}, which was not there: nothing was executed."
    skipped = [observation for observation in judgement.cells.values() if observation.outcome == "skipped"]
    for reason, count in Counter(observation.reason for observation in skipped).items():
        yield f"Not observed: {count} cells: {reason}."
    if missing := judgement.counts.get("unobserved"):
        open_ = [need for need in NEEDS if judgement.needs[need] == "unknown" and judgement.evidence == "executed"]
        yield f"Not in the record: {missing} cells" + (f"; unknown: {_listed(open_)}." if open_ else ".")


def _epilogue(observation: Observation) -> str:
    return observation.case.split("/")[1]


def _listed(names: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
