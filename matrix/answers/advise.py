"""Which way of writing a grouped convolution to take on a release: what was measured to work, and why the rest is not.

An approach is advised only where every cell that was observed of what is asked for passes, on that release and host
class; what was not observed is neither advised nor refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

import msgspec

from matrix.answers import speed_ranking
from matrix.answers.lookup import Machine, Recorded, default_profile
from matrix.answers.snippets import snippet
from matrix.base.ids import Backend
from matrix.base.structs import Strict
from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE
from matrix.catalog.releases import Catalog
from matrix.judge.notes import Cause
from matrix.judge.verdicts import FAILED, IS_FUSED, JUDGED, REPRESENTATIVE, Answer, JudgedRun, Judgement, weigh
from matrix.record.records import Check, Mode, Observation
from matrix.record.speed_records import Direction
from matrix.suite import catalog as suite

Wish = Literal["infer", "train"]
WISHES: tuple[Wish, ...] = get_args(Wish)
# what is judged for a wish: training needs the forward pass too
CHECKS: dict[Wish, tuple[Check, ...]] = {"infer": ("forward",), "train": ("forward", "gradient")}
MODES: dict[Wish, tuple[Mode, ...]] = {"infer": JUDGED["infer-graph"][1], "train": JUDGED["train"][1]}
# what is timed of a wish
DIRECTIONS: dict[Wish, Direction] = {"infer": "forward", "train": "train"}
FUSED: dict[Answer, int] = {"yes": 0, "some": 1, "no": 2, "unknown": 2}


class Asked(Strict, frozen=True, kw_only=True):
    """What is wanted. Without `modes`, those that the table judges `wish` by."""

    wish: Wish
    modes: list[Mode]
    dtype: str = "f32"
    groups: int | None = None


class Choice(Strict, frozen=True, kw_only=True):
    """An approach under a profile: `answer` over the `of` cells that were observed of what is asked for.

    `nothing_to_set`: it is what happens there by itself; else `setting` is what to set. `groups_seen` says whether the
    number of groups that was asked for is among the cells. `why` it falls out; `cells` are where to look that up,
    `run/approach/mode/check/case`. `reached`: its speed, as a share of what the core can do, where it was measured.
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
    """`best` first; in `out` something fails, in `open` nothing of what is asked for was observed.

    `default` is the profile that nothing set comes to; `inferred`: the machine's host class has no record.
    `unobserved`: the backend, where none of its runs was executed, so that nothing can be advised.
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


def advise(recorded: Recorded, asked: Asked, catalog: Catalog, cause: Cause, machine: Machine | None) -> Advice:
    alike: dict[tuple[str, str], list[Choice]] = defaultdict(list)
    for release in recorded.found.releases:
        default = default_profile(recorded, release, catalog, machine)
        for run in recorded.of(release):
            for approach in INTERCHANGEABLE:
                choice = _choice(weigh(run, approach), asked, catalog, cause, default=default)
                alike[choice.approach, choice.profile].append(choice)
    profiles = {profile.name: number for number, profile in enumerate(catalog.profiles)}
    choices = sorted(
        (_agreed(group) for group in alike.values()), key=lambda one: profiles.get(one.profile, len(profiles))
    )
    choices = list(_with_speed(choices, recorded, asked))
    best = list(_worth_it(sorted((one for one in choices if one.answer == "yes"), key=_rank)))
    return Advice(
        asked=asked,
        note=recorded.found.note,
        host_class=recorded.host_class,
        machine=machine.host_class if machine else None,
        default=default,
        inferred=machine is not None and machine.host_class != recorded.host_class,
        best=best,
        out=[one for one in choices if one.answer in {"no", "some"}],
        open=[one for one in choices if one.answer == "unknown"],
        code=snippet(best[0].approach) if best else "",
        unobserved=_unobserved(recorded),
    )


def _with_speed(choices: Iterable[Choice], recorded: Recorded, asked: Asked) -> Iterator[Choice]:
    """What was measured on the very release of the choice; nothing is borrowed from a neighbour."""
    modes = asked.modes if asked.dtype == speed_ranking.DTYPE else []
    by_release = {
        release: speed_ranking.scores(runs, DIRECTIONS[asked.wish], INTERCHANGEABLE, modes)
        for release, runs in recorded.timed.items()
    }
    for choice in choices:
        reached = by_release.get(choice.release, {}).get((choice.profile, choice.approach))
        yield msgspec.structs.replace(choice, reached=reached)


def _unobserved(recorded: Recorded) -> Backend | None:
    runs = [one.header for release in recorded.found.releases for one in recorded.of(release)]
    return runs[0].backend if runs and all(run.planned_for for run in runs) else None


def _agreed(choices: Sequence[Choice]) -> Choice:
    """Of the neighbours of a release that has no record, the newer one's choice; open where they differ."""
    if len({choice.answer for choice in choices}) == 1:
        return choices[-1]
    told = ", ".join(f"{choice.answer} in {choice.release}" for choice in choices)
    return msgspec.structs.replace(choices[-1], answer="unknown", why=f"its neighbours differ: {told}")


def _worth_it(ranked: Iterable[Choice]) -> Iterator[Choice]:
    """An approach again only where a later one needs nothing set: then a reader may choose between the two."""
    seen: dict[str, bool] = {}
    for choice in ranked:
        if choice.approach not in seen or (choice.nothing_to_set and not seen[choice.approach]):
            seen[choice.approach] = choice.nothing_to_set
            yield choice


def _rank(choice: Choice) -> tuple[object, ...]:
    """What was measured, the fastest first. Of the rest what does not waste, then what is one kernel, then what needs
    nothing set, then what people write. Equals stay in the catalog's order of profiles, the usual ones first.
    """
    wastes = APPROACHES[choice.approach].wasteful
    return (
        -(choice.reached or 0.0),
        wastes,
        FUSED[choice.fused],
        not choice.nothing_to_set,
        not choice.groups_seen,
        INTERCHANGEABLE.index(choice.approach),
    )


def _choice(judgement: Judgement, asked: Asked, catalog: Catalog, cause: Cause, *, default: str | None) -> Choice:
    run = judgement.run
    cells = list(_cells(judgement, asked))
    passed = [one for one in cells if one.outcome == "pass"]
    failed = [one for one in cells if one.outcome in FAILED]
    profile = next((one for one in catalog.profiles if one.name == run.header.profile), None)
    shown = failed[:3] or passed[:1]
    fused = _fused(run, judgement.approach, asked)
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
        cells=["/".join((run.judged_by.run, *one.cell)) for one in shown],
        why=_why(cells, failed, cause) if not run.header.planned_for else _planned(fused),
    )


def _cells(judgement: Judgement, asked: Asked) -> Iterator[Observation]:
    """Of the base geometry, and of the number of groups that is asked for."""
    base = APPROACHES[judgement.approach].base
    for one in judgement.cells.values():
        geometry, _, dtype, layout = one.case.split("/")
        fits = one.mode in asked.modes and one.check in CHECKS[asked.wish]
        meant = geometry == base or (asked.groups is not None and _groups(one) == asked.groups)
        if fits and meant and dtype == asked.dtype and layout == "nhwc" and not suite.is_misuse(one.case):
            yield one


def _groups(observation: Observation) -> int:
    return int(suite.parse_case(observation.case).groups)


def answer(cells: Sequence[Observation]) -> Answer:
    """Over the cells of what is asked for; `no` as well where the release has nothing of it."""
    outcomes = [one.outcome for one in cells]
    passed, failed = "pass" in outcomes, any(outcome in FAILED for outcome in outcomes)
    if passed and failed:
        return "some"
    if failed or set(outcomes) == {"absent"}:
        return "no"
    return "yes" if passed and set(outcomes) <= {"pass", "absent"} else "unknown"


def _fused(run: JudgedRun, approach: str, asked: Asked) -> Answer:
    """Whether bias and ReLU were seen inside of the kernel at that dtype, in graph mode."""
    case = f"{APPROACHES[approach].base}/{REPRESENTATIVE}/{asked.dtype}/nhwc"
    seen = run.cells.get(approach, {}).get((approach, "graph", "fusion", case))
    if not seen or not seen.fusion:
        return "unknown"
    return IS_FUSED[seen.fusion.epilogue]


def _planned(fused: Answer) -> str:
    plan = {"yes": "inside of the kernel", "some": "in part inside of the kernel", "no": "apart"}.get(fused)
    return "not executed, for want of such a device" + (f"; planned: bias and ReLU {plan}" if plan else "")


def _why(cells: Sequence[Observation], failed: Sequence[Observation], cause: Cause) -> str:
    if failed:
        causes = dict.fromkeys(cause(one) for one in failed)
        where = dict.fromkeys(f"{one.check} in {one.mode}" for one in failed)
        return f"{', '.join(where)}: {'; '.join(list(causes)[:2])}"
    absent = dict.fromkeys(one.reason or "" for one in cells if one.outcome == "absent")
    if absent:
        return f"not in this release: {', '.join(absent)}"
    skipped = dict.fromkeys(one.reason or "" for one in cells)
    return f"not observed: {', '.join(skipped)}" if skipped else "no such cell is in the records"
