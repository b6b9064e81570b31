"""From the observations of runs to needs and verdicts. Every rule is stated here, once.

Judged is the core: each approach's base geometry, f32, nhwc, all epilogues. Which observations a need is judged on is
said by `JUDGED`, how an answer follows from them by `_answer`, how the word follows from the answers by `_word`.
`deciding` names the observations that a verdict rests on, so that each can be looked up in its record.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, get_args

from matrix.base import ids
from matrix.base.ids import EngineName
from matrix.catalog.approaches import APPROACHES
from matrix.record.records import CellId, Check, Epilogue, Evidence, Header, Mode, Observation, Outcome, Record
from matrix.suite import catalog as suite

Need = Literal["infer-eager", "infer-graph", "infer-jit", "train", "fused"]
Answer = Literal["yes", "no", "some", "unknown"]
Word = Literal[
    "fused",
    "works",
    "partial",
    "refused",
    "wrong",
    "crash",
    "timeout",
    "oom",
    "absent",
    "unknown",
    "plans-fused",
    "plans-separate",
    "registered-only",
]
Worst = Literal["wrong", "crash", "timeout", "oom"]
Cells = Mapping[CellId, Observation]
Question = tuple[str, str, str, str]

NEEDS: tuple[Need, ...] = get_args(Need)
# Graph covers what people run without asking for it: a tf.function, and Keras' predict. Training is what fit does and
# what a loop of one's own does, with a tf.function or without; under XLA its gradient is told in a note.
JUDGED: dict[Need, tuple[Check, tuple[Mode, ...]]] = {
    "infer-eager": ("forward", ("eager",)),
    "infer-graph": ("forward", ("graph", "keras")),
    "infer-jit": ("forward", ("jit",)),
    "train": ("gradient", ("graph", "keras", "eager")),
}
# Outranks all else wherever it is seen, the most harmful first: wrong numbers, then a lost process, then lost time.
WORST: tuple[Worst, ...] = get_args(Worst)
FAILED: tuple[Outcome, ...] = ("error", *WORST)
REPRESENTATIVE = "bias_relu"
INSIDE: dict[Epilogue, Answer] = {"fused": "yes", "partly": "some", "separate": "no", "none": "no"}
# from what says most of a release to what says least
STATUSES = ("complete", "partial", "not_imported", "not_built", "not_run")


@dataclass(frozen=True, kw_only=True)
class Witness:
    """A run on a host class, and the record that answers for it: another run's where it is the same as that."""

    asked: Header
    answers: Header
    cells: Mapping[str, Cells]
    engines: tuple[EngineName, ...]

    @property
    def place(self) -> tuple[str, str, str]:
        """What a way round must share: release, backend, host class."""
        return (self.asked.release, self.asked.backend, self.asked.host.host_class)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is concluded of an approach in a run. `failing` has the failed observations of a need, in the suite's order;
    `doubtful` those of the control: without groups the same must pass, or a failure there is not the groups'.
    """

    witness: Witness
    approach: str
    cells: Cells
    needs: dict[Need, Answer]
    word: Word
    failing: dict[Need, tuple[Observation, ...]] = field(default_factory=dict)
    doubtful: tuple[Observation, ...] = ()

    @property
    def evidence(self) -> Evidence | None:
        kinds = {observation.evidence for observation in self.cells.values()}
        return next((kind for kind in get_args(Evidence) if kind in kinds), None)

    @property
    def counts(self) -> dict[str, int]:
        """How many of the approach's cells came out how; `unobserved` are those that the run lacks."""
        counts = Counter[str](observation.outcome for observation in self.cells.values())
        wanted = _cells(self.approach, planned=self.witness.answers.planned_for is not None)
        counts["unobserved"] = sum(cell not in self.cells for cell in wanted)
        return {outcome: count for outcome, count in sorted(counts.items()) if count}

    @property
    def deciding(self) -> tuple[str, ...]:
        """`run/approach/mode/check/case` of what the word rests on. Where all of a mode passed, one stands for them."""
        worst = [observation for observation in self.cells.values() if observation.outcome == self.word]
        chosen = worst[:1] if self.word in WORST else list(self._grounds())
        return tuple("/".join((self.witness.answers.run, *observation.cell)) for observation in chosen)

    def _grounds(self) -> Iterator[Observation]:
        for need, (check, modes) in JUDGED.items():
            for mode in modes:
                failed = [observation for observation in self.failing.get(need, ()) if observation.mode == mode]
                usual = self.cells.get((self.approach, mode, check, core_case(self.approach)))
                if failed or usual:
                    yield usual if usual and (usual in failed or not failed) else failed[0]
        if plan := self.cells.get((self.approach, "graph", "fusion", core_case(self.approach))):
            yield plan


def judge(records: Iterable[Record]) -> list[Judgement]:
    """One for each run that has a record, host class and approach of the suite, in the order of the records."""
    return [
        weigh(witness, approach)
        for witness in witnesses(records)
        for approach in APPROACHES
        if approach in witness.cells or witness.answers.status != "complete"  # a profile may ask only for some
    ]


def witnesses(records: Iterable[Record]) -> list[Witness]:
    """One for each release, backend, profile and host class, whatever engine or Python its records were made with.

    A `same_as` without a record of its own answers with nothing.
    """
    kept: dict[Question, list[Record]] = defaultdict(list)
    for record in records:
        kept[question(record.header)].append(record)
    found = []
    for (*_, host_class), group in kept.items():
        asked = _best(group)
        other = asked.header.same_as and ids.parse_run(asked.header.same_as)
        others = kept.get((other.target.release, other.target.backend, other.profile, host_class)) if other else None
        answers = _best(others) if others else asked
        found.append(
            Witness(
                asked=asked.header,
                answers=answers.header,
                cells=_by_approach(answers),
                engines=tuple(sorted({record.header.engine for record in group})),
            )
        )
    return found


def question(header: Header) -> Question:
    """What a row of the table asks."""
    return (header.release, header.backend, header.profile, header.host.host_class)


def weigh(witness: Witness, approach: str) -> Judgement:
    cells = {cell: observed for cell, observed in witness.cells.get(approach, {}).items() if counts(observed.case)}
    judged = {need: tuple(cells.get(cell) for cell in core_cells(approach, need)) for need in JUDGED}
    needs: dict[Need, Answer] = {need: _answer(observations) for need, observations in judged.items()}
    needs["fused"] = _fused(cells, approach)
    return Judgement(
        witness=witness,
        approach=approach,
        cells=cells,
        needs=needs,
        word=_word(cells, judged, needs, plan=cells.get((approach, "graph", "fusion", core_case(approach)))),
        failing={
            need: failed
            for need, observations in judged.items()
            if (failed := tuple(one for one in observations if one and one.outcome in FAILED))
        },
        doubtful=tuple(_doubtful(witness)),
    )


def _answer(observations: Sequence[Observation | None]) -> Answer:
    """`some` once one passed and one failed. `yes` and `no` only where all that the release has was observed, and `no`
    where it has none: what a release lacks cannot be used, though it is no fault of the approach.
    """
    outcomes = [observation.outcome if observation else "skipped" for observation in observations]
    passed, failed = outcomes.count("pass"), sum(outcome in FAILED for outcome in outcomes)
    if passed and failed:
        return "some"
    if passed + failed + outcomes.count("absent") < len(outcomes):
        return "unknown"
    return "yes" if passed else "no"


def _fused(cells: Cells, approach: str) -> Answer:
    """Whether the epilogue of `bias_relu` ran inside of the kernel, in graph mode; fused into what fails is not."""
    forward, fusion = (cells.get((approach, "graph", check, core_case(approach))) for check in ("forward", "fusion"))
    if forward and forward.outcome in (*FAILED, "absent"):
        return "no"
    if not forward or forward.outcome != "pass" or not fusion or not fusion.fusion or fusion.evidence != "executed":
        return "unknown"
    return INSIDE[fusion.fusion.epilogue]


def _word(
    cells: Cells,
    judged: Mapping[Need, Sequence[Observation | None]],
    needs: Mapping[Need, Answer],
    plan: Observation | None,
) -> Word:
    """The worst outcome anywhere; else by the needs that the release can meet at all: all met is `works` (or `fused`),
    none met `refused`, a mixture `partial`, and what leaves that open `unknown`. Nothing in the release is `absent`.
    """
    outcomes = {observation.outcome for observation in cells.values()}
    if worst := next((outcome for outcome in WORST if outcome in outcomes), None):
        return worst
    if cells and not any(observation.evidence == "executed" for observation in cells.values()):
        return _planned(plan)
    met = {needs[need] for need, seen in judged.items() if any(one is None or one.outcome != "absent" for one in seen)}
    if not met:
        return "absent"
    if met == {"yes"}:
        return "fused" if needs["fused"] == "yes" else "works"
    if met == {"no"}:
        return "refused"
    return "partial" if "some" in met or {"yes", "no"} <= met else "unknown"


def _planned(plan: Observation | None) -> Word:
    """For a device that was not there, by what was planned of `bias_relu` in graph mode, or registered for it."""
    if plan is None or plan.outcome == "skipped":
        return "unknown"
    if plan.outcome == "pass" and plan.evidence == "registered":
        return "registered-only"
    if plan.outcome == "pass" and plan.fusion:
        return "plans-fused" if plan.fusion.epilogue == "fused" else "plans-separate"
    return "absent" if plan.outcome == "absent" else "refused"


def _doubtful(witness: Witness) -> Iterator[Observation]:
    for cells in witness.cells.values():
        for observation in cells.values():
            if is_control(observation.case) and observation.outcome in FAILED:
                yield observation


def ways_round(judgement: Judgement, need: Need, others: Iterable[Judgement]) -> dict[str, list[str]]:
    """What was seen to meet the need in the same release, backend and host class: another `mode` of the same approach,
    another `profile` for it, or another `approach` that computes the same under the same profile.
    """
    check, modes = JUDGED[need]
    asked, approach = judgement.witness.asked, judgement.approach
    ways: dict[str, list[str]] = {"mode": [], "profile": [], "approach": []}
    ways["mode"] = [mode for mode in suite.CORE_MODES if _passes(judgement, mode, check)]
    for other in others:
        header = other.witness.asked
        if other.needs[need] != "yes" or header.same_as:
            continue
        if other.approach == approach and header.profile not in {asked.profile, judgement.witness.answers.profile}:
            ways["profile"].append(header.profile)
        elif other.approach != approach and header.profile == judgement.witness.answers.profile:
            ways["approach"] += [other.approach] if replaces(other.approach, approach, modes) else []
    return ways


def _passes(judgement: Judgement, mode: str, check: Check) -> bool:
    cells = _core(judgement.approach, check, (mode,))
    seen = [judgement.cells.get(cell) for cell in cells]
    return bool(seen) and all(one is not None and one.outcome == "pass" for one in seen)


def replaces(one: str, other: str, modes: Iterable[str]) -> bool:
    """Whether an approach computes the same as another, and can be used in all of these modes."""
    this, that = APPROACHES[one], APPROACHES[other]
    return this.computes == that.computes and set(modes) <= set(this.modes)


def core_case(approach: str, epilogue: str = REPRESENTATIVE) -> str:
    return f"{APPROACHES[approach].base}/{epilogue}/f32/nhwc"


def core_cells(approach: str, need: Need) -> tuple[CellId, ...]:
    """The cells that a need is judged on, in the suite's order; none where the approach has none of its modes."""
    return _core(approach, *JUDGED[need])


@cache
def _core(approach: str, check: Check, modes: tuple[str, ...]) -> tuple[CellId, ...]:
    cases = {core_case(approach, epilogue) for epilogue in suite.CORE_EPILOGUES}
    return tuple(cell for cell in _cells(approach) if cell[1] in modes and cell[2] == check and cell[3] in cases)


@cache
def _cells(approach: str, *, planned: bool = False) -> tuple[CellId, ...]:
    """All cells of the suite that count."""
    cells = suite.planned_cells() if planned else suite.cells()
    return tuple(cell for cell in cells if cell.approach == approach and counts(cell.case))


@cache
def counts(case: str) -> bool:
    """One group is no grouped convolution, misuse has no right answer, and what a case of another suite asks is not
    known: none of them counts in a verdict.
    """
    return _is_known(case) and not (case.startswith("g1-") or suite.is_misuse(case))


@cache
def is_control(case: str) -> bool:
    """The same code without groups must pass, or a failure is not the groups'."""
    return _is_known(case) and case.startswith("g1-") and not suite.is_misuse(case)


def _is_known(case: str) -> bool:
    try:
        suite.parse_case(case)
    except ValueError:
        return False
    return True


def _best(records: Iterable[Record]) -> Record:
    """The record that says most; then docker's, whose surroundings are the more certain; then the newest."""
    newest_first = sorted(records, key=lambda record: record.header.started, reverse=True)
    return min(newest_first, key=lambda record: (_rank(record.header), record.header.engine != "docker"))


def _rank(header: Header) -> int:
    return 0 if header.same_as else STATUSES.index(header.status)


def _by_approach(record: Record) -> dict[str, dict[CellId, Observation]]:
    cells: dict[str, dict[CellId, Observation]] = defaultdict(dict)
    for observation in record.observations:
        cells[observation.approach][observation.cell] = observation
    return cells
