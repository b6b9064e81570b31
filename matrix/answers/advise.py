"""Which approach to take on a release: what was measured to work there, and why the others are not advised.

An approach is advised only where all observed cells of what is asked for pass, on that release and host class; what was
not observed is neither advised nor refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import msgspec

from matrix.answers import instructions, snippets, speed_ranking
from matrix.answers.processor import Processor
from matrix.answers.release_records import Borrowed, ReleaseRecords, borrowed_in_words
from matrix.base.ids import Backend
from matrix.base.structs import Strict
from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE
from matrix.catalog.releases import Catalog
from matrix.judge.notes import Cause
from matrix.judge.settings import differences
from matrix.judge.verdicts import FAILED, IS_FUSED, JUDGED, REPRESENTATIVE, Answer, Judgement, weigh
from matrix.record.records import Check, Mode, Observation
from matrix.record.speed_records import Direction
from matrix.suite import catalog as suite

Wish = Literal["infer", "train"]
WISHES: tuple[Wish, ...] = get_args(Wish)
# The checks that are judged for a wish: training needs the forward pass too.
CHECKS: dict[Wish, tuple[Check, ...]] = {"infer": ("forward",), "train": ("forward", "gradient")}
MODES: dict[Wish, tuple[Mode, ...]] = {"infer": JUDGED["infer-graph"][1], "train": JUDGED["train"][1]}
# The direction that is timed for a wish.
DIRECTIONS: dict[Wish, Direction] = {"infer": "forward", "train": "train"}
FUSED: dict[Answer, int] = {"yes": 0, "some": 1, "no": 2, "unknown": 2}


class Asked(Strict, frozen=True, kw_only=True):
    """What a person wants to do, in which modes and dtype; `groups`: the number of groups, where it matters."""

    wish: Wish
    modes: list[Mode]
    dtype: str = "f32"
    groups: int | None = None


class Choice(Strict, frozen=True, kw_only=True):
    """An approach under a profile; `answer` is over the `of` cells of what is asked for that were observed.

    `nothing_to_set`: the profile is what TensorFlow does there by itself; else `setting` is what to set. `groups_seen`:
    the number of groups that was asked for is among the cells. `why`: the reason why it is not advised. `cells` are the
    cells to look that up in, `run/approach/mode/check/case`. `reached`: its speed, as a share of what the core can do,
    where it was measured.
    """

    approach: str
    profile: str
    release: str
    answer: Answer
    passed: int
    of: int
    fused: Answer
    nothing_to_set: bool
    groups_seen: bool
    setting: str
    cells: list[str]
    why: str = ""
    reached: float | None = None


class Advice(Strict, frozen=True, kw_only=True):
    """`best` is in order, the first to be taken; in `out` something fails, of `open` nothing was observed.

    `default` is the profile that TensorFlow comes to with nothing set. `inferred`: records of other host classes than
    that of the `machine` that was asked about answer; `borrowed` says which. `unobserved`: the backend, where none of
    its runs was executed, so that nothing can be advised.
    """

    asked: Asked
    note: str
    host_class: str
    machine: str | None
    default: str | None
    inferred: bool
    best: list[Choice]
    out: list[Choice]
    open: list[Choice]
    code: str = ""
    unobserved: Backend | None = None
    borrowed: list[Borrowed] = []


def advise(
    recorded: ReleaseRecords, asked: Asked, catalog: Catalog, cause: Cause, processor: Processor | None
) -> Advice:
    by_approach: dict[tuple[str, str], list[Choice]] = defaultdict(list)
    timed_modes = asked.modes if asked.dtype == speed_ranking.DTYPE else []
    for release in recorded.nearest.releases:
        default = recorded.default_profile_on(processor, release, catalog)
        # Measured on this very release: no speed is borrowed from a neighbour.
        timed = recorded.timed.get(release, ())
        speed = speed_ranking.scores(timed, DIRECTIONS[asked.wish], INTERCHANGEABLE, timed_modes)
        usual = next((run for run in recorded.runs(release) if run.header.profile == default), None)
        for run in recorded.runs(release):
            # What passes with two settings changed says nothing of either.
            if usual and len(differences(run.judged_by, usual.judged_by)) > 1:
                continue
            for approach in INTERCHANGEABLE:
                choice = _choice(weigh(run, approach), asked, catalog, cause, default=default)
                choice = msgspec.structs.replace(choice, reached=speed.get((choice.profile, approach)))
                by_approach[approach, choice.profile].append(choice)

    choices = [_agreed(neighbours) for neighbours in by_approach.values()]
    profiles = [profile.name for profile in catalog.profiles]
    choices.sort(key=lambda one: profiles.index(one.profile) if one.profile in profiles else len(profiles))
    best: list[Choice] = []
    told: dict[str, bool] = {}
    for choice in sorted((one for one in choices if one.answer == "yes"), key=_rank):
        # An approach is told again only where a later profile needs nothing set: a reader may choose between the two.
        if choice.approach not in told or (choice.nothing_to_set and not told[choice.approach]):
            told[choice.approach] = choice.nothing_to_set
            best.append(choice)

    runs = [one.header for release in recorded.nearest.releases for one in recorded.runs(release)]
    return Advice(
        asked=asked,
        note=recorded.nearest.note,
        host_class=recorded.host_class,
        machine=processor.host_class if processor else None,
        default=default,
        inferred=bool(recorded.borrowed),
        borrowed=list(recorded.borrowed),
        best=best,
        out=[one for one in choices if one.answer in {"no", "some"}],
        open=[one for one in choices if one.answer == "unknown"],
        code=_code(best[0], asked, catalog) if best else "",
        unobserved=runs[0].backend if runs and all(run.planned_for for run in runs) else None,
    )


def _code(choice: Choice, asked: Asked, catalog: Catalog) -> str:
    groups = asked.groups or 4
    layer = snippets.layer(groups=groups, cin=4 * groups, cout=8 * groups, dtype=asked.dtype)
    profile = None if choice.nothing_to_set else catalog.profile(choice.profile)
    return snippets.program(choice.approach, layer, choice.release, profile)


def _choice(judgement: Judgement, asked: Asked, catalog: Catalog, cause: Cause, *, default: str | None) -> Choice:
    run = judgement.run
    base = APPROACHES[judgement.approach].base
    cells = []
    for one in judgement.cells.values():
        geometry, _, dtype, layout = one.case.split("/")
        fits = one.mode in asked.modes and one.check in CHECKS[asked.wish]
        meant = geometry == base or (asked.groups is not None and _groups(one) == asked.groups)
        if fits and meant and dtype == asked.dtype and layout == "nhwc" and not suite.is_misuse(one.case):
            cells.append(one)
    passed = [one for one in cells if one.outcome == "pass"]
    failed = [one for one in cells if one.outcome in FAILED]

    case = f"{base}/{REPRESENTATIVE}/{asked.dtype}/nhwc"
    fusion = run.cells.get(judgement.approach, {}).get((judgement.approach, "graph", "fusion", case))
    fused: Answer = IS_FUSED[fusion.fusion.epilogue] if fusion and fusion.fusion else "unknown"
    if run.header.planned_for:
        plan = {"yes": "inside of the kernel", "some": "in part inside of the kernel", "no": "apart"}.get(fused)
        why = "not executed, for want of such a device" + (f"; planned: bias and ReLU {plan}" if plan else "")
    else:
        why = _why(cells, failed, cause)
    profile = next((one for one in catalog.profiles if one.name == run.header.profile), None)
    return Choice(
        approach=judgement.approach,
        profile=run.header.profile,
        release=run.header.release,
        answer=answer(cells),
        passed=len(passed),
        of=len(passed) + len(failed),
        fused=fused,
        nothing_to_set=run.header.profile == default,
        groups_seen=asked.groups is None or any(_groups(one) == asked.groups for one in passed + failed),
        setting=profile.setting if profile else "",
        cells=["/".join((run.judged_by.run, *one.cell)) for one in failed[:3] or passed[:1]],
        why=why,
    )


def _groups(observation: Observation) -> int:
    return int(suite.parse_case(observation.case).groups)


def answer(cells: Sequence[Observation]) -> Answer:
    """Answer for all cells of what is asked for; `no` as well where the release has nothing of it."""
    outcomes = [one.outcome for one in cells]
    passed, failed = "pass" in outcomes, any(outcome in FAILED for outcome in outcomes)
    if passed and failed:
        return "some"
    if failed or set(outcomes) == {"absent"}:
        return "no"
    return "yes" if passed and set(outcomes) <= {"pass", "absent"} else "unknown"


def _why(cells: Sequence[Observation], failed: Sequence[Observation], cause: Cause) -> str:
    if failed:
        causes = dict.fromkeys(cause(one) for one in failed)
        where = dict.fromkeys(f"{one.check} in {one.mode}" for one in failed)
        return f"{', '.join(where)}: {'; '.join(list(causes)[:2])}"
    if absent := dict.fromkeys(one.reason or "" for one in cells if one.outcome == "absent"):
        return f"not in this release: {', '.join(absent)}"
    skipped = dict.fromkeys(one.reason or "" for one in cells)
    return f"not observed: {', '.join(skipped)}" if skipped else "no such cell is in the records"


def _agreed(neighbours: Sequence[Choice]) -> Choice:
    """Return the newest neighbour's choice for a release that has no record; left open where the neighbours differ."""
    newest = neighbours[-1]
    if all(choice.answer == newest.answer for choice in neighbours):
        return newest
    told = ", ".join(f"{choice.answer} in {choice.release}" for choice in neighbours)
    return msgspec.structs.replace(newest, answer="unknown", why=f"its neighbours differ: {told}")


def _rank(choice: Choice) -> tuple[object, ...]:
    """Put first what was measured, the fastest first. Of the rest, put first what does not waste, then what is one
    kernel, then what needs nothing set, then what people write. Equals stay in the catalog's order of profiles.
    """
    return (
        -(choice.reached or 0.0),
        APPROACHES[choice.approach].wasteful,
        FUSED[choice.fused],
        not choice.nothing_to_set,
        not choice.groups_seen,
        INTERCHANGEABLE.index(choice.approach),
    )


def lines(advice: Advice, catalog: Catalog) -> Iterator[str]:
    """The answer for a terminal."""
    yield from _basis(advice)
    for number, choice in enumerate(advice.best, 1):
        yield from _choice_lines(number, choice, advice, catalog)
    if advice.code:
        yield "\nThe first, to paste:\n"
        yield from advice.code.splitlines()
    advised = {choice.approach for choice in advice.best}
    out = [one for one in advice.out if one.nothing_to_set or one.approach not in advised]
    undecided = [one for one in advice.open if one.nothing_to_set]
    for title, choices in (("Not these:", out), ("Open, since nothing was observed:", undecided)):
        if choices:
            yield f"\n{title}"
        for choice in choices:
            yield f"  {choice.approach} ({choice.profile}): {choice.why}"
            yield from (f"     as in {cell}" for cell in choice.cells[:1])


def _basis(advice: Advice) -> Iterator[str]:
    """What was asked, which records the answer is given from, and what its order follows."""
    asked, default = advice.asked, advice.default or "unknown"
    if advice.note:
        yield f"{advice.note}\n"
    groups = f", {asked.groups} groups" if asked.groups else ""
    yield f"To {asked.wish} in {', '.join(asked.modes)}, {asked.dtype}{groups}; by records of {advice.host_class}."
    if advice.machine and advice.inferred:
        yield f"Your host class is {advice.machine}; with nothing set it is {default} there."
        yield "It is inferred from the nearest host class that has a record:"
        yield from (f"  {line}" for line in borrowed_in_words(advice.borrowed))
    elif advice.machine:
        yield f"That is your host class; with nothing set it is {default} there."
    elif advice.default:
        yield f"With nothing set it is {default} there. Your processor may differ: --this-machine asks for yours."
    if advice.unobserved:
        yield f"No run on {advice.unobserved} was executed here: nothing can be advised for it."
    elif not advice.best:
        yield "Nothing was measured to do that there."
    elif any(choice.reached for choice in advice.best):
        yield "Approaches whose speed was measured on that release come first, the fastest at the top."
    else:
        yield "Their speed was not measured on that release: they stand in the order of what one would expect."


def _choice_lines(number: int, choice: Choice, advice: Advice, catalog: Catalog) -> Iterator[str]:
    setting = "nothing to set" if choice.nothing_to_set else instructions.for_profile(choice.profile, catalog)
    fused = {"yes": "bias and ReLU in the kernel", "some": "a part in the kernel", "no": "bias and ReLU apart"}
    unseen = "" if choice.groups_seen else f"; {advice.asked.groups} groups were not measured, 4 were"
    yield f"{number}. {choice.approach}, {setting}"
    yield f"     {choice.of} cells, all pass; {fused.get(choice.fused, 'fusion not observed')}{unseen}"
    if choice.reached:
        yield f"     speed: {choice.reached:.1%} of the floor, the geometric mean over the layers that were timed"
    elif any(one.reached for one in advice.best):
        yield "     speed: not measured"
    yield f"     as in {choice.cells[0]}"
