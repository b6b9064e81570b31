"""Which approach to take on a release: what was measured to work there, and why the others are not advised.

An approach is advised only where all observed cells of what is asked for pass, on that release and host class; what was
not observed is neither advised nor refused.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from matrix.answers import block_snippets, snippets
from matrix.answers.release_records import Borrowed, ReleaseRecords, borrowed_in_words
from matrix.base.errors import BadUsage
from matrix.base.ids import Backend
from matrix.base.structs import Strict
from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE, SPLIT
from matrix.catalog.releases import Profiles
from matrix.judge.notes import Cause
from matrix.judge.settings import cap, differences, setting
from matrix.judge.verdicts import FAILED, IS_FUSED, JUDGED, REPRESENTATIVE, Answer, JudgedRun
from matrix.record.host import parse_class
from matrix.record.records import Check, Mode, Observation, Outcome
from matrix.record.speed_records import Direction, Interval, PointKey, SpeedRun
from matrix.speed import nearest_layers
from matrix.speed.nearest_layers import Nearest
from matrix.suite import catalog as suite
from matrix.suite.catalog import Case
from matrix.suite.speed import layers as timed_layers

if TYPE_CHECKING:
    from matrix.answers.processor import Processor

Wish = Literal["infer", "train"]
WISHES: tuple[Wish, ...] = get_args(Wish)
# The checks that are judged for a wish: training needs the forward pass too.
CHECKS: dict[Wish, tuple[Check, ...]] = {"infer": ("forward",), "train": ("forward", "gradient")}
MODES: dict[Wish, tuple[Mode, ...]] = {"infer": JUDGED["infer-graph"][1], "train": JUDGED["train"][1]}
# The direction that is timed for a wish.
DIRECTIONS: dict[Wish, Direction] = {"infer": "forward", "train": "train"}
FUSED: dict[Answer, int] = {"yes": 0, "some": 1, "no": 2, "unknown": 2}


# What a layer is taken to be where nothing is said of it.
# From this ratio on, slowness is a trap that is told; up to this distance, a layer is near.
TRAP, NEAR = 10, 3
# What a terminal shows without --all: FEW rows at least, so that there is room for the code.
LINES, ROWS, FEW, WIDTH = 25, 5, 2, 80


USUAL = timed_layers.NAMED["resnext50-28"]
GROUPED = APPROACHES[SPLIT].computes


class Asked(Strict, frozen=True, kw_only=True):
    """What a person wants to do, in which modes, with which layer. `computes`: what it is, as approaches name it.
    `moves`: `d2` with a dilation of 2, `s2` with strides of 2. `block`: the block of a network that it stands in, which
    is then asked for as a whole. `told`: the person told the layer. `profile`: what they have set, if they said so.
    """

    wish: Wish
    computes: str = GROUPED
    moves: str = ""
    block: str = ""
    modes: list[Mode]
    groups: int = USUAL.groups
    cin: int = USUAL.cin
    cout: int = USUAL.cout
    kernel: int = USUAL.kernel
    size: int = USUAL.size
    batch: int = 1
    dtype: str = "f32"
    layout: str = "nhwc"
    told: bool = False
    profile: str = ""

    @property
    def is_usual(self) -> bool:
        """It is the convolution that is timed, and that programs of a layer of one's own are written for."""
        return self.computes == GROUPED and not self.moves and not self.block

    def geometry(self, approach: str) -> str:
        """Return the geometry on which an approach is judged for it."""
        return self.block or "-".join(filter(None, (APPROACHES[approach].base, self.moves)))

    @property
    def layer(self) -> Case:
        """The same as a case. Raise BadUsage where the groups do not divide the channels."""
        return snippets.layer(
            groups=self.groups,
            cin=self.cin,
            cout=self.cout,
            kernel=self.kernel,
            size=self.size,
            batch=self.batch,
            dtype=self.dtype,
            layout=self.layout,
        )


class Choice(Strict, frozen=True, kw_only=True):
    """An approach under a profile; `answer` is over the `of` cells of what is asked for that were observed.

    `nothing_to_set`: the profile is what the person has, which is what TensorFlow does there by itself where they did
    not say; else `setting` is what to set. `groups_seen`:
    the number of groups that was asked for is among the cells. `why`: the reason why it is not advised. `cells` are the
    cells to look that up in, `run/approach/mode/check/case`. On the nearest layer that was timed a call took `seconds`,
    `times` as long as the first choice. `trap`: what somebody who takes it falls into.
    """

    approach: str
    profile: str
    release: str
    answer: Answer
    passed: int
    of: int
    fused: Answer
    nothing_to_set: bool = False
    groups_seen: bool
    setting: str
    cells: list[str]
    why: str = ""
    seconds: float | None = None
    times: float | None = None
    trap: str = ""


class Timed(Strict, frozen=True, kw_only=True):
    """The nearest layer that was timed, and how far it is from the one that was asked about: 0 is the very layer.

    `split`: how many times as long split-concat takes as the first choice, under the same profile; `interval`: between
    which numbers that surely is.
    """

    layer: str
    batch: int
    mode: Mode
    host_class: str
    distance: float
    split: float | None = None
    interval: Interval | None = None


class Advice(Strict, frozen=True, kw_only=True):
    """`best` is in order, the first to be taken; in `out` something fails, of `open` nothing was observed.

    `default` is the profile that the person has: what they said, or what TensorFlow comes to with nothing set.
    `inferred`: records of other host classes than that of the `machine` that was asked about answer; `borrowed` says
    which. `unobserved`: the backend, where none of its runs was executed, so that nothing can be advised.
    """

    asked: Asked
    release: str
    note: str
    host_class: str
    machine: str | None
    default: str | None
    inferred: bool
    best: list[Choice]
    out: list[Choice]
    open: list[Choice]
    code: str = ""
    timed: Timed | None = None
    unobserved: Backend | None = None
    borrowed: list[Borrowed] = []


def advise(
    recorded: ReleaseRecords, asked: Asked, profiles: Profiles, cause: Cause, processor: Processor | None
) -> Advice:
    layer, newest = asked.layer, recorded.nearest.releases[-1]
    # One default for all that is said: what has nothing to set, and what is told of it, cannot differ.
    if not asked.profile:
        default, host_class = recorded.default_profile_on(processor, newest, profiles), recorded.host_class
    else:  # another host class may have run it
        usual = recorded.under(newest, asked.profile).header
        default, host_class = usual.profile, usual.host.host_class
    offered = candidates(asked)
    by_approach: dict[tuple[str, str], list[Choice]] = defaultdict(list)
    for release in recorded.nearest.releases:
        for run in considered(recorded, release, default):
            doubt = unsafe(recorded, run, processor)
            for approach in offered:
                choice = _choice(run, approach, asked, profiles, cause)
                if doubt and choice.answer == "yes":
                    why = f"doubtful: under {run.header.profile} a convolution without groups ends in {doubt}"
                    choice = msgspec.structs.replace(choice, answer="unknown", why=why)
                as_it_is = choice.profile == default
                by_approach[approach, choice.profile].append(msgspec.structs.replace(choice, nothing_to_set=as_it_is))

    choices = [_agreed(neighbours) for neighbours in by_approach.values()]
    order = [*profiles, *(one.profile for one in choices)]
    choices.sort(key=lambda one: order.index(one.profile))
    works = [one for one in choices if one.answer == "yes"]
    # Measured on this very release: no speed is borrowed from a neighbour.
    runs = [run for run in recorded.timed.get(newest, ()) if len(recorded.nearest.releases) == 1]
    names = {one.approach for one in works} | {SPLIT}
    found = {
        wish: nearest_layers.nearest(runs, layer, DIRECTIONS[wish], _timed_modes(asked), names)
        for wish in WISHES
        if layer.dtype == nearest_layers.DTYPE and asked.is_usual
    }
    timed = found.get(asked.wish)
    best: list[Choice] = []
    told: dict[str, bool] = {}
    for choice in sorted(works, key=lambda one: _rank(one, timed)):
        # An approach is told again only where a later profile needs nothing set: a reader may choose between the two.
        if choice.approach not in told or (choice.nothing_to_set and not told[choice.approach]):
            told[choice.approach] = choice.nothing_to_set
            best.append(choice)
    first = (best[0].profile, best[0].approach) if best else ("", "")
    there = next(iter(runs), None)
    beside = _beside_split(runs, timed.point, first) if timed else None
    headers = [one.header for release in recorded.nearest.releases for one in recorded.runs(release)]
    return Advice(
        asked=asked,
        release=newest,
        note=recorded.nearest.note,
        host_class=host_class,
        machine=processor.host_class if processor else None,
        default=default,
        inferred=bool(recorded.borrowed),
        borrowed=list(recorded.borrowed),
        best=[_with_speed(one, first, timed, found.get("train")) for one in best],
        out=[one for one in choices if one.answer in {"no", "some"}],
        open=[one for one in choices if one.answer == "unknown"],
        code=program(best[0], asked, profiles) if best else "",
        timed=Timed(
            layer=timed.point.layer,
            batch=timed.point.batch,
            mode=timed.point.mode,
            host_class=there.host.host_class,
            distance=timed.distance,
            split=beside[0] if beside else timed.times((first[0], SPLIT), first) if first[1] != SPLIT else None,
            interval=beside[1] if beside else None,
        )
        if timed and there and first in timed.timings
        else None,
        unobserved=headers[0].backend if headers and all(run.planned_for for run in headers) else None,
    )


def considered(recorded: ReleaseRecords, release: str, default: str | None) -> list[JudgedRun]:
    """Return the runs that may answer: what passes with two settings changed says nothing of either. Who keeps oneDNN
    to an ISA wants to know what holds there, and who does not is not sent to a lesser one.
    """
    runs = recorded.runs(release)
    usual = next((run for run in runs if run.header.profile == default), None)
    if usual:
        alike = [run for run in runs if cap(run.judged_by) == cap(usual.judged_by)]
        return [run for run in alike if len(differences(run.judged_by, usual.judged_by)) < 2]
    return [run for run in runs if {what for what, _ in setting(run.judged_by)} == {"oneDNN", "TF32"}]


def unsafe(recorded: ReleaseRecords, run: JudgedRun, processor: Processor | None) -> Outcome | None:
    """Tell how the convolution without groups ends where it fails badly: in the run, or in the same on a processor of
    the person's vendor. Old releases fail on AMD's processors where they work on Intel's.
    """
    here = run.header.host.host_class
    vendor = parse_class(processor.host_class if processor else here).vendor
    like = [one for one in recorded.alike(run) if vendor and parse_class(one.header.host.host_class).vendor == vendor]
    return next((one.unsafe for one in (run, *like) if one.unsafe), None)


def candidates(asked: Asked) -> Sequence[str]:
    """Return the approaches that compute the layer; the depthwise ones too where it has one channel a group."""
    if asked.block:
        return block_snippets.approaches(asked.block)
    if asked.computes == GROUPED:
        depthwise = asked.groups == asked.cin
        return [*INTERCHANGEABLE, *(_programs("depthwise-2d") if depthwise else ())]
    return _programs(asked.computes)


@cache
def _programs(computes: str) -> tuple[str, ...]:
    return tuple(name for name, about in APPROACHES.items() if about.computes == computes and about.program)


def program(choice: Choice, asked: Asked, profiles: Profiles, *, as_layer: bool = False) -> str:
    """Return the choice as a program for the person's layer; "" where there is none. What is not the usual convolution
    is written for the geometry on which the approach is judged.
    """
    profile = None if choice.nothing_to_set and not asked.profile else profiles[choice.profile]
    mode: Mode = "keras" if as_layer else "jit" if asked.modes == ["jit"] else "eager"
    case = asked.layer
    if not asked.is_usual:
        case = suite.parse_case(f"{asked.geometry(choice.approach)}/none/{asked.dtype}/{asked.layout}")
    try:
        if asked.block:
            return block_snippets.program(choice.approach, asked.block, choice.release, profile)
        return snippets.program(choice.approach, case, choice.release, profile, mode)
    except BadUsage:
        return ""


def _timed_modes(asked: Asked) -> list[Mode]:
    """Keras runs a graph: where only it is asked for, and was not timed, a graph stands for it."""
    graph: list[Mode] = ["graph"] if "keras" in asked.modes and "graph" not in asked.modes else []
    return [*asked.modes, *graph]


def _beside_split(runs: Sequence[SpeedRun], key: PointKey, first: tuple[str, str]) -> tuple[float, Interval] | None:
    """Return how many times as long split-concat takes as the first choice, timed side by side, and between which
    numbers that surely lies.
    """
    profile, approach = first
    for point in (point for run in runs if run.profile == profile for point in run.points if point.key == key):
        if found := point.ratio(SPLIT, approach):
            return found.ratio, found.interval
        if found := point.ratio(approach, SPLIT):
            low, high = found.interval
            return 1 / found.ratio, (1 / high, 1 / low)
    return None


def _with_speed(choice: Choice, first: tuple[str, str], timed: Nearest | None, trained: Nearest | None) -> Choice:
    """Add what was timed of the choice, and the trap that it is to somebody who trains."""
    key = (choice.profile, choice.approach)
    timing, trap = timed.timings.get(key) if timed else None, ""
    if trained and key in trained.timings:
        slow = max(trained.times(key, other) or 0 for other in trained.timings)
        trap = f"trains {slow:.0f} times as slowly as the fastest" if slow >= TRAP else ""
    return msgspec.structs.replace(
        choice,
        seconds=timing.seconds if timing else None,
        times=timed.times(key, first) if timed else None,
        trap=trap,
    )


def _choice(run: JudgedRun, approach: str, asked: Asked, profiles: Profiles, cause: Cause) -> Choice:
    base, modes, checks = asked.geometry(approach), asked.modes, CHECKS[asked.wish]
    cells = [
        one
        for geometry, observed in run.counted.get((approach, asked.dtype, asked.layout), {}).items()
        if geometry == base or (asked.told and _groups(observed[0].case) == asked.groups)
        for one in observed
        if one.mode in modes and one.check in checks
    ]
    passed = [one for one in cells if one.outcome == "pass"]
    failed = [one for one in cells if one.outcome in FAILED]

    case = f"{base}/{REPRESENTATIVE}/{asked.dtype}/{asked.layout}"
    compiled = next((mode for mode in asked.modes if mode != "eager"), "eager")  # what is eager is never fused
    fusion = run.cells.get(approach, {}).get((approach, compiled, "fusion", case))
    fused: Answer = IS_FUSED[fusion.fusion.epilogue] if fusion and fusion.fusion else "unknown"
    if run.header.planned_for:
        plan = {"yes": "inside of the kernel", "some": "in part inside of the kernel", "no": "apart"}.get(fused)
        why = "not executed, for want of such a device" + (f"; planned: bias and ReLU {plan}" if plan else "")
    else:
        why = _why(cells, failed, cause)
    profile = profiles.get(run.header.profile)
    return Choice(
        approach=approach,
        profile=run.header.profile,
        release=run.header.release,
        answer=answer(cells),
        passed=len(passed),
        of=len(passed) + len(failed),
        fused=fused,
        groups_seen=not asked.told or any(_groups(one.case) == asked.groups for one in passed + failed),
        setting=profile.setting if profile else "",
        cells=["/".join((run.judged_by.run, *one.cell)) for one in failed[:3] or passed[:1]],
        why=why,
    )


@cache
def _groups(case: str) -> int:
    return int(suite.parse_case(case).groups)


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


def _rank(choice: Choice, timed: Nearest | None) -> tuple[object, ...]:
    """Put first what was timed, the fastest first. Of the rest, put first what does not waste, then what is one
    kernel, then what needs nothing set, then what people write. Equals stay in the catalog's order of profiles.
    """
    timing = timed.timings.get((choice.profile, choice.approach)) if timed else None
    return (
        timing.effort if timing else float("inf"),
        APPROACHES[choice.approach].wasteful,
        FUSED[choice.fused],
        not choice.nothing_to_set,
        not choice.groups_seen,
        [*INTERCHANGEABLE, *APPROACHES].index(choice.approach),
    )


def lines(advice: Advice, profiles: Profiles, *, everything: bool = False) -> Iterator[str]:
    """Yield the answer for a terminal: in LINES lines, or with everything."""
    head = [part for text in _head(advice, profiles) for part in textwrap.wrap(text, WIDTH, break_on_hyphens=False)]
    yield from head
    tail, code = [] if everything else _tail(advice), ["", *advice.code.splitlines()] if advice.code else []
    rows, room = min(ROWS, len(advice.best)), LINES - len(head) - len(tail) - 2
    if not everything and room - len(code) < min(FEW, rows):
        code = []
    if advice.best:
        yield ""
        yield _row("", "write it as", "with", "a call", "takes")
    for number, choice in enumerate(advice.best if everything else advice.best[: min(rows, room - len(code))], 1):
        took = f"{choice.seconds * 1e3:.3g} ms" if choice.seconds else "-"
        times = f"{choice.times:.2g} times as long" if choice.times and number > 1 else ""
        times = "as long" if times.startswith("1 ") else times
        yield _row(f"{number}.", choice.approach, _set(choice, advice), took, times)
        if everything:
            yield from _details(choice)
    yield from tail
    if everything:
        yield from _rest(advice)
    yield from code


def _head(advice: Advice, profiles: Profiles) -> Iterator[str]:
    """Say what to write, what it gains, and what that rests on."""
    asked, layer = advice.asked, advice.asked.layer
    if advice.note:
        yield advice.note
    if advice.unobserved:
        yield f"No run on {advice.unobserved} was executed here: nothing can be advised for it."
    elif not advice.best:
        yield "Nothing was measured to do that there."
    else:
        first = advice.best[0]
        set_it = first.setting or f"the profile {first.profile}"
        if first.nothing_to_set:
            set_it = "what you have set" if asked.profile else "nothing set"
        fused = {"yes": "; bias and ReLU run inside its kernel", "some": "; a part of bias and ReLU runs in its kernel"}
        yield (
            f"Write it as {first.approach} ({APPROACHES[first.approach].summary}), with {set_it}"
            f"{fused.get(first.fused, '')}."
        )
        if not first.groups_seen:
            yield f"{layer.groups} groups were not measured there; 4 were, and all {first.of} cells pass."
    yield from _speed(advice)
    default = {None: ", whose default is unknown", "default": ""}.get(
        advice.default, f", where nothing set is {advice.default}"
    )
    if asked.profile:
        default = f", with {profiles[asked.profile].setting or 'nothing set'}"
    numbers = (
        f"{asked.groups} groups, {asked.cin} channels, {asked.kernel}x{asked.kernel}, {asked.size}x{asked.size}, "
        f"batch {asked.batch}{'' if asked.told else ' (yours: --layer or --groups, --channels, ...)'}"
    )
    yield (
        f"Asked: to {asked.wish} in {', '.join(asked.modes)}, {asked.dtype}, "
        f"{f'a whole {asked.block}' if asked.block else numbers}; "
        f"TensorFlow {advice.release}, {advice.host_class}{default}."
    )
    if advice.inferred:
        profile = f"+{advice.best[0].profile}" if advice.best else ""
        lacking = [one for one in advice.borrowed if one.run.endswith(profile)]
        if lacking:
            (source,) = borrowed_in_words(lacking[:1])
            yield f"Your host class, {advice.machine}, has no record of it: this is inferred from {source}."
        else:
            yield f"What your host class, {advice.machine}, has no record of is inferred from others (--all)."


def _speed(advice: Advice) -> Iterator[str]:
    if timed := advice.timed:
        there = timed_layers.LAYERS[timed.layer]
        gain = f"It is {timed.split:.2g} times as fast as {SPLIT} on" if timed.split and timed.split > 1 else "Timed:"
        far = "the very layer" if not timed.distance else "the nearest layer timed"
        warned = ", and not near: time yours" if timed.distance > NEAR else ""
        what = f"{there.groups} groups, {there.cin} channels, {there.kernel}x{there.kernel}, {there.size}x{there.size}"
        shown = f"{what}, batch {timed.batch}; " if timed.distance else ""
        yield f"{gain} {timed.layer}, {far}{warned} ({shown}{timed.mode}, on {timed.host_class})."
    elif advice.best:
        yield "Its speed was not measured on that release: the order is what one would expect."


def _row(number: str, approach: str, set_it: str, took: str, times: str) -> str:
    return f"{number:3}{approach:<20} {set_it:<25} {took:>8}  {times}".rstrip()


def _set(choice: Choice, advice: Advice) -> str:
    if choice.nothing_to_set:
        return "what you have set" if advice.asked.profile else "nothing set"
    return choice.setting if len(choice.setting) <= 25 else choice.profile


def _tail(advice: Advice) -> list[str]:
    """Say what is left out, and the traps that somebody would walk into."""
    traps = {one.approach: one.trap for one in advice.best if one.trap and APPROACHES[one.approach].common}
    told = [f"Trap: {name} {trap}." for name, trap in list(traps.items())[:2]]
    fails = list(dict.fromkeys(one.approach for one in advice.out if one.nothing_to_set))
    if fails:
        state = "what you have" if advice.asked.profile else "nothing"
        text = f"With {state} set {'these fail' if len(fails) > 1 else 'this fails'}: {', '.join(fails)}."
        told += [textwrap.shorten(text, WIDTH, placeholder=" ...")]
    ask = "" if advice.machine else "--this-machine (your processor), "
    return [*told, f"More: --all ({len(advice.best)} work), {ask}--code layer (in Keras)"]


def _details(choice: Choice) -> Iterator[str]:
    fused = {"yes": "bias and ReLU in the kernel", "some": "a part in the kernel", "no": "bias and ReLU apart"}
    yield f"     {choice.of} cells, all pass; {fused.get(choice.fused, 'fusion not observed')}"
    if choice.trap:
        yield f"     trap: {choice.trap}"
    yield f"     as in {choice.cells[0]}"


def _rest(advice: Advice) -> Iterator[str]:
    """Why the others are not advised, and whose records answer."""
    advised = {choice.approach for choice in advice.best}
    out = [one for one in advice.out if one.nothing_to_set or one.approach not in advised]
    undecided = [one for one in advice.open if one.nothing_to_set]
    for title, choices in (("Not these:", out), ("Open, since nothing was observed:", undecided)):
        if choices:
            yield f"\n{title}"
        for choice in choices:
            yield f"  {choice.approach} ({choice.profile}): {choice.why}"
            yield from (f"     as in {cell}" for cell in choice.cells[:1])
    if advice.borrowed:
        yield "\nRecords of other host classes that answer for yours:"
        yield from (f"  {line}" for line in borrowed_in_words(advice.borrowed))
