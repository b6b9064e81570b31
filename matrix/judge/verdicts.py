"""Judge the observations of runs: which needs are met, and what the verdict is. Every rule is stated here, once.

Needs are judged on the core: each approach's base geometry in f32 and nhwc, with all epilogues. `JUDGED` says which
observations a need is judged on, `_answer` how an answer follows from them, and `_word` how the verdict's word follows
from the answers. `deciding` names the observations that a verdict rests on: each can be looked up in its record.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Literal, get_args

import msgspec

from matrix.base import ids
from matrix.base.ids import EngineName
from matrix.catalog.approaches import APPROACHES
from matrix.judge.settings import differences, resolved
from matrix.record.records import CellId, Check, Epilogue, Evidence, Header, Mode, Observation, Outcome, Record
from matrix.suite import catalog as suite

Need = Literal["infer-eager", "infer-graph", "infer-jit", "train", "fused"]
Answer = Literal["yes", "no", "some", "unknown"]
VerdictWord = Literal[
    "fused", "works", "partial", "refused", "wrong", "crash", "timeout", "oom", "absent", "unknown",
    "plans-fused", "plans-separate", "registered-only",
]  # fmt: skip
Worst = Literal["wrong", "crash", "timeout", "oom"]
Cells = Mapping[CellId, Observation]
Question = tuple[str, str, str, str]

NEEDS: tuple[Need, ...] = get_args(Need)
# `infer-graph` covers what people run without asking for a graph: a tf.function, and Keras' predict. `train` covers fit
# and a loop of one's own, with a tf.function or without; a gradient under XLA counts in no need and stands in a note.
JUDGED: dict[Need, tuple[Check, tuple[Mode, ...]]] = {
    "infer-eager": ("forward", ("eager",)),
    "infer-graph": ("forward", ("graph", "keras")),
    "infer-jit": ("forward", ("jit",)),
    "train": ("gradient", ("graph", "keras", "eager")),
}
# These decide the verdict wherever in the core they are seen, the most harmful first: wrong numbers, a lost process,
# lost time.
WORST: tuple[Worst, ...] = get_args(Worst)
FAILED: tuple[Outcome, ...] = ("error", *WORST)
REPRESENTATIVE = "bias_relu"
# A step of an epilogue, and another one that computes the same.
STEP, OTHER_STEP = "bias", "plus"
NO_OPERATION = "no operation outside of what XLA compiled shows where the epilogue ran"
# Whether an epilogue is fused, by where TensorFlow ran it.
IS_FUSED: dict[Epilogue, Literal["yes", "some", "no"]] = {
    "fused": "yes", "partly": "some", "separate": "no", "none": "no",
}  # fmt: skip
# The statuses of records, from what says most of a release to what says least.
STATUSES = ("complete", "partial", "not_imported", "not_built", "not_run")


@dataclass(frozen=True, kw_only=True)
class JudgedRun:
    """A run and the record used to judge it: its own, or that of the run named by `same_as`.

    `header`: line 1 of its own record; `judged_by`: line 1 of the record used; `cells`: the observations of the record
    used, by approach; `engines`: all engines that have a record of this release, backend, profile and host class.
    """

    header: Header
    judged_by: Header
    cells: Mapping[str, Cells]
    engines: tuple[EngineName, ...]

    @property
    def place(self) -> tuple[str, str, str]:
        """Release, backend and host class, which a workaround must share."""
        return (self.header.release, self.header.backend, self.header.host.host_class)

    @cached_property
    def unsafe(self) -> Outcome | None:
        """How the convolution without groups ends in the core, where that is wrong numbers or a lost process: whatever
        passes in such a run is not to be relied on.
        """
        cells = (one for by_cell in self.cells.values() for one in by_cell.values())
        core = (one for one in cells if one.case.endswith("/f32/nhwc") and is_control(one.case))
        return next((one.outcome for one in core if one.outcome in WORST), None)

    @cached_property
    def counted(self) -> Mapping[tuple[str, str, str], Mapping[str, Sequence[Observation]]]:
        """The observations that count in verdicts, by approach, dtype and layout, and then by geometry."""
        found: dict[tuple[str, str, str], dict[str, list[Observation]]] = defaultdict(dict)
        for approach, cells in self.cells.items():
            for observed in cells.values():
                if counts(observed.case):
                    geometry, _, dtype, layout = observed.case.split("/")
                    found[approach, dtype, layout].setdefault(geometry, []).append(observed)
        return found


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is concluded of an approach in a run. `failing`: the failed observations of each need, in the suite's order.
    `doubtful`: the failed observations of the core whose twin without groups failed as well: the groups need not be at
    fault.
    """

    run: JudgedRun
    approach: str
    cells: Cells
    needs: dict[Need, Answer]
    word: VerdictWord
    failing: dict[Need, tuple[Observation, ...]] = field(default_factory=dict)
    doubtful: tuple[Observation, ...] = ()

    @property
    def evidence(self) -> Evidence | None:
        kinds = {observation.evidence for observation in self.cells.values()}
        return next((kind for kind in get_args(Evidence) if kind in kinds), None)

    @property
    def counts(self) -> dict[str, int]:
        """The number of the approach's cells by outcome; `unobserved` are the cells that the record lacks."""
        counts = Counter[str](observation.outcome for observation in self.cells.values())
        wanted = _cells(self.approach, planned=self.run.judged_by.planned_for is not None)
        counts["unobserved"] = sum(cell not in self.cells for cell in wanted)
        return {outcome: count for outcome, count in sorted(counts.items()) if count}

    @property
    def deciding_cells(self) -> list[CellId]:
        """The cells that the word rests on: one with the worst outcome, or else one of each mode that is judged. Where
        all of a mode passed, its usual case stands for them.
        """
        if self.word in WORST:
            return [cell for cell, one in self.cells.items() if is_core(cell) and one.outcome == self.word][:1]
        found = []
        for need, (check, modes) in JUDGED.items():
            for mode in modes:
                failed = [observation.cell for observation in self.failing.get(need, ()) if observation.mode == mode]
                usual = (self.approach, mode, check, core_case(self.approach))
                if failed and usual not in failed:
                    found.append(failed[0])
                elif usual in self.cells:
                    found.append(usual)
        plan = (self.approach, "graph", "fusion", core_case(self.approach))
        return [*found, plan] if plan in self.cells else found

    @property
    def deciding(self) -> tuple[str, ...]:
        """The deciding cells as `run/approach/mode/check/case`."""
        return tuple("/".join((self.run.judged_by.run, *cell)) for cell in self.deciding_cells)


def judge(records: Iterable[Record]) -> list[Judgement]:
    """Judge each approach of the suite in each run that has a record, in the order of the records."""
    return [
        weigh(run, approach)
        for run in judged_runs(records)
        for approach in APPROACHES
        # A complete run of a profile that asks only for some approaches says nothing of the others.
        if approach in run.cells or run.judged_by.status != "complete" or not run.cells
    ]


def judged_runs(records: Iterable[Record]) -> list[JudgedRun]:
    """Choose the record for each release, backend, profile and host class, whatever engine or Python it was made with.

    A run whose `same_as` names a run without a record is judged by its own record, which has no observations.
    """
    kept: dict[Question, list[Record]] = defaultdict(list)
    for record in records:
        kept[question(record.header)].append(record)
    found = []
    for (*_, host_class), group in kept.items():
        own = used = _best(group)
        if own.header.same_as:
            same = ids.parse_run(own.header.same_as)
            others = kept.get((same.target.release, same.target.backend, same.profile, host_class))
            used = _best(others) if others else own
        cells: dict[str, dict[CellId, Observation]] = defaultdict(dict)
        for observation in used.observations:
            cells[observation.approach][observation.cell] = _believed(observation)
        engines = tuple(sorted({record.header.engine for record in group}))
        header, judged_by = resolved(own.header), resolved(used.header)
        found.append(JudgedRun(header=header, judged_by=judged_by, cells=cells, engines=engines))
    return found


def _believed(observation: Observation) -> Observation:
    """Take a fusion for unobserved where the run showed no operation outside of what XLA compiled: that is no evidence
    of separate kernels. (The suite itself says so since 2026-11-30.)
    """
    fusion = observation.fusion if observation.evidence == "executed" else None
    by_xla = fusion and all(operation.startswith("XLA") for operation in fusion.ops)
    if fusion and by_xla and (fusion.epilogue == "separate" or not fusion.ops):
        return msgspec.structs.replace(observation, outcome="skipped", fusion=None, reason=NO_OPERATION)
    return observation


def question(header: Header) -> Question:
    """Return what identifies a row of the table."""
    return (header.release, header.backend, header.profile, header.host.host_class)


def weigh(run: JudgedRun, approach: str) -> Judgement:
    """Judge one approach in one run."""
    cells = {cell: observed for cell, observed in run.cells.get(approach, {}).items() if counts(observed.case)}
    judged = {need: [cells.get(cell) for cell in core_cells(approach, need)] for need in JUDGED}
    needs: dict[Need, Answer] = {need: _answer(observations) for need, observations in judged.items()}
    needs["fused"] = _fused(cells, approach)
    failing = {}
    for need, observations in judged.items():
        if failed := tuple(one for one in observations if one and one.outcome in FAILED):
            failing[need] = failed
    return Judgement(
        run=run,
        approach=approach,
        cells=cells,
        needs=needs,
        word=_word(approach, cells, judged, needs),
        failing=failing,
        doubtful=tuple(one for cell, one in cells.items() if is_core(cell) and twin_fails(run, one)),
    )


def twin_fails(run: JudgedRun, failed: Observation) -> bool:
    """Say whether a cell failed, and the same cell without groups failed too."""
    if failed.outcome not in FAILED:
        return False
    approach, mode, check, case = suite.twin(suite.Cell(*failed.cell))
    seen = run.cells.get(approach, {}).get((approach, mode, check, case))
    return seen is not None and seen.outcome in FAILED


def _answer(observations: Sequence[Observation | None]) -> Answer:
    """Return `some` where one passed and one failed; `yes` or `no` only where all that the release has was observed.

    Where the release has nothing the answer is `no`: what a release lacks cannot be used, though that is no fault of
    the approach.
    """
    outcomes = [observation.outcome if observation else "skipped" for observation in observations]
    passed, failed = outcomes.count("pass"), sum(outcome in FAILED for outcome in outcomes)
    if passed and failed:
        return "some"
    if passed + failed + outcomes.count("absent") < len(outcomes):
        return "unknown"
    return "yes" if passed else "no"


def _fused(cells: Cells, approach: str) -> Answer:
    """Say whether the kernel computed the epilogue of `bias_relu` too, in graph mode. What is fused into a kernel that
    fails is not fused.
    """
    forward, fusion = (cells.get((approach, "graph", check, core_case(approach))) for check in ("forward", "fusion"))
    if forward and forward.outcome in (*FAILED, "absent"):
        return "no"
    if not forward or forward.outcome != "pass" or not fusion or not fusion.fusion or fusion.evidence != "executed":
        return "unknown"
    return IS_FUSED[fusion.fusion.epilogue]


def _word(
    approach: str,
    cells: Cells,
    judged: Mapping[Need, Sequence[Observation | None]],
    needs: Mapping[Need, Answer],
) -> VerdictWord:
    """Return the worst outcome of the core. Without one, judge the needs that the release has the API for: all met is
    `works` (or `fused`), none met `refused`, a mixture `partial`, and what leaves that open `unknown`. Without any API
    it is `absent`.

    A wrong number or a crash in another dtype, layout or geometry is told in a note: the verdict is about f32 in nhwc.
    """
    outcomes = {observation.outcome for cell, observation in cells.items() if is_core(cell)}
    if worst := next((outcome for outcome in WORST if outcome in outcomes), None):
        return worst
    if cells and not any(observation.evidence == "executed" for observation in cells.values()):
        return _planned(cells.get((approach, "graph", "fusion", core_case(approach))))
    met = {needs[need] for need, seen in judged.items() if any(one is None or one.outcome != "absent" for one in seen)}
    if not met:
        return "absent"
    if met == {"yes"}:
        return "fused" if needs["fused"] == "yes" else "works"
    if met == {"no"}:
        return "refused"
    return "partial" if "some" in met or {"yes", "no"} <= met else "unknown"


def _planned(plan: Observation | None) -> VerdictWord:
    """Judge a device that was not there by what was planned for it, or registered: `bias_relu` in graph mode."""
    if plan is None or plan.outcome == "skipped":
        return "unknown"
    if plan.outcome == "pass" and plan.evidence == "registered":
        return "registered-only"
    if plan.outcome == "pass" and plan.fusion:
        return "plans-fused" if plan.fusion.epilogue == "fused" else "plans-separate"
    return "absent" if plan.outcome == "absent" else "refused"


def workarounds(judgement: Judgement, need: Need, others: Iterable[Judgement]) -> dict[str, list[str]]:
    """Return what was observed to meet the need in the same release, on the same backend and host class: another `mode`
    of the same approach, a `profile` for it that differs in one setting alone, or another `approach` that computes the
    same under the same profile. A profile that meets it in some of the modes that fail is told with these, and an
    `epilogue` that computes the same with the one and the modes that it stands for.
    """
    check, modes = JUDGED[need]
    approach, profile = judgement.approach, judgement.run.judged_by.profile
    failing = list(dict.fromkeys(one.mode for one in judgement.failing.get(need, ())))
    found: dict[str, list[str]] = {"mode": [], "profile": [], "approach": [], "epilogue": []}
    in_part = []
    found["mode"] += [mode for mode in suite.CORE_MODES if _passes(judgement, check, mode)]
    for other in others:
        header, is_met = other.run.header, other.needs[need] == "yes"
        if header.same_as:
            continue
        if other.approach != approach:
            if is_met and header.profile == profile and replaces(other.approach, approach, modes):
                found["approach"].append(other.approach)
        elif len(differences(judgement.run.judged_by, other.run.judged_by)) == 1:
            if is_met:
                found["profile"].append(header.profile)
            elif whole := [mode for mode in failing if _passes(other, check, mode)]:
                in_part.append(f"{header.profile} (only {' and '.join(whole)})")
    found["profile"] += in_part
    found["epilogue"] += _of_epilogues(judgement, need)
    return found


def _of_epilogues(judgement: Judgement, need: Need) -> Iterator[str]:
    """Yield each epilogue that passes where one that computes the same fails."""
    for failed in judgement.failing.get(need, ()):
        cell = rewritten(failed.cell)
        if cell and cell in judgement.cells and judgement.cells[cell].outcome == "pass":
            approach, mode, _, case = cell
            seen = judgement.cells.get((approach, mode, "fusion", case))
            how = f", {seen.fusion.epilogue}" if seen and seen.fusion else ""
            yield f"{case.split('/')[1]} for {failed.case.split('/')[1]} (only {mode}{how})"


@cache
def rewritten(cell: CellId) -> CellId | None:
    """Return the same cell with STEP written as OTHER_STEP in its epilogue; None where the suite has no such one."""
    approach, mode, check, case = cell
    geometry, epilogue, rest = case.split("/", 2)
    steps = suite.EPILOGUES.get(epilogue, ())
    wanted = tuple(OTHER_STEP if step == STEP else step for step in steps)
    other = next((name for name, made in suite.EPILOGUES.items() if made == wanted != steps), None)
    return (approach, mode, check, f"{geometry}/{other}/{rest}") if other else None


def _passes(judgement: Judgement, check: Check, mode: str) -> bool:
    """Say whether all of a mode's core was observed to pass a check."""
    seen = [judgement.cells.get(cell) for cell in _core(judgement.approach, check, (mode,))]
    return bool(seen) and all(one is not None and one.outcome == "pass" for one in seen)


def replaces(one: str, other: str, modes: Iterable[str]) -> bool:
    """Say whether an approach computes the same as the other one, and can be used in all of these modes."""
    this, that = APPROACHES[one], APPROACHES[other]
    return this.computes == that.computes and set(modes) <= set(this.modes)


def core_case(approach: str, epilogue: str = REPRESENTATIVE) -> str:
    return f"{APPROACHES[approach].base}/{epilogue}/f32/nhwc"


def core_cells(approach: str, need: Need) -> tuple[CellId, ...]:
    """Return the cells that a need is judged on, in the suite's order: none where the approach lacks all its modes."""
    return _core(approach, *JUDGED[need])


def is_core(cell: CellId) -> bool:
    """Say whether a verdict's word is about the cell: the approach's base geometry in f32 and nhwc."""
    approach, _, check, _ = cell
    return cell in _core(approach, check, suite.CORE_MODES)


@cache
def _core(approach: str, check: Check, modes: tuple[str, ...]) -> tuple[CellId, ...]:
    cases = {core_case(approach, epilogue) for epilogue in suite.CORE_EPILOGUES}
    return tuple(cell for cell in _cells(approach) if cell[1] in modes and cell[2] == check and cell[3] in cases)


@cache
def _cells(approach: str, *, planned: bool = False) -> tuple[CellId, ...]:
    cells = suite.planned_cells() if planned else suite.cells()
    return tuple(cell for cell in cells if cell.approach == approach and counts(cell.case))


@cache
def counts(case: str) -> bool:
    """Say whether a case counts in verdicts. With one group it is no grouped convolution, misuse has no right answer,
    and a case that only another suite knows may ask anything: these do not count.
    """
    return _is_known(case) and not (case.startswith("g1-") or suite.is_misuse(case))


@cache
def is_control(case: str) -> bool:
    """Say whether the case is a twin's: where the same code with one group fails, a failure is not the groups'."""
    return _is_known(case) and case.startswith("g1-") and not suite.is_misuse(case)


def _is_known(case: str) -> bool:
    try:
        suite.parse_case(case)
    except ValueError:
        return False
    return True


def _best(records: Iterable[Record]) -> Record:
    """Return the record that says most; then docker's, whose environment is known better; then the newest."""

    def rank(record: Record) -> tuple[int, bool]:
        header = record.header
        return (0 if header.same_as else STATUSES.index(header.status), header.engine != "docker")

    return min(sorted(records, key=lambda record: record.header.started, reverse=True), key=rank)
