"""Whether a model's convolutions will run, train, be fused and be fast on a release, by the published records."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from matrix.answers import instructions
from matrix.answers.advise import DIRECTIONS, Wish
from matrix.answers.model import prediction, reader
from matrix.answers.model.layers import Layer, Reading, Unreadable
from matrix.answers.model.prediction import Prediction, Run, Vocabulary
from matrix.answers.release_records import Borrowed, ReleaseRecords, borrowed_in_words
from matrix.base.errors import BadUsage
from matrix.base.structs import Strict
from matrix.catalog import known_errors
from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE
from matrix.catalog.releases import Profiles
from matrix.judge import processors
from matrix.judge.notes import Cause, causes
from matrix.judge.settings import differences
from matrix.judge.verdicts import IS_FUSED, Answer, JudgedRun
from matrix.record import speed_records
from matrix.record.records import Check, Mode
from matrix.record.speed_records import SpeedRun, Word
from matrix.speed.nearest_layers import doublings
from matrix.suite import catalog as suite
from matrix.suite.speed import layers as timed_layers

if TYPE_CHECKING:
    from matrix.answers.processor import Processor

Verdict = Literal["yes", "no", "open"]
WORDS = Vocabulary(epilogues=suite.EPILOGUES, parse_case=suite.parse_case)
CHECKS: dict[Wish, Check] = {"infer": "forward", "train": "gradient"}
MOST_LINES, WIDTH = 25, 80
# The layer was timed on nothing near where it is further away than this, in doublings of its sizes.
NEAR = 4.0
# What a person calls the modes, by what is wanted.
CALLED: dict[tuple[str, Wish], str] = {
    ("keras", "infer"): "predict()", ("keras", "train"): "fit()", ("tflite", "infer"): "the interpreter",
    ("eager", "infer"): "an eager call", ("eager", "train"): "training eagerly",
    ("jit", "infer"): "a call compiled by XLA", ("jit", "train"): "training compiled by XLA",
    ("graph", "infer"): "a call in a graph", ("graph", "train"): "training in a graph",
}  # fmt: skip
LOADED: dict[Wish, str] = {"infer": "a call of the loaded model", "train": "training of the loaded model"}
# The modes that a person with a Keras model can change to.
OTHER_MODES: tuple[Mode, ...] = ("jit", "eager")


class Slower(Strict, frozen=True, kw_only=True):
    """The layer's time as a multiple of the fastest approach's, `than`, on the nearest layer that was timed, and the
    host class on which it was.
    """

    ratio: float
    word: Word
    than: str
    layer: str
    batch: int
    host_class: str


class LayerAnswer(Strict, frozen=True, kw_only=True):
    """A layer, and what the records say of it. `cells`: what the answer rests on, `run/approach/mode/check/case`, the
    one that decides first. `why`: the error, or what is open.
    """

    name: str
    what: str
    shape: str
    operation: str
    rank: int
    groups: int | None
    after: list[str]
    dtype: str
    layout: str
    approach: str
    mode: str
    answer: Verdict
    why: str
    fused: Answer
    cells: list[str]
    speed: Slower | None = None


class SettingAnswer(Strict, frozen=True, kw_only=True):
    """How many of the layers pass under a profile that differs in one setting at most. `setting`: what to set for it;
    empty where that is nothing.
    """

    profile: str
    setting: str
    passed: int
    failed: int
    open: int


class Remedy(Strict, frozen=True, kw_only=True):
    """What lets `passed` of the `of` failing layers pass, as measured. `profile`: the one that it sets, if any."""

    text: str
    profile: str | None = None
    passed: int
    of: int


class ModelAnswer(Strict, frozen=True, kw_only=True):
    """`others`: the number of convolutions without groups; `unread`: what of the file is unknown. `setting` is empty
    where nothing is set. `machine`: the host class of the processor that was asked about; `borrowed`: whose records
    answer for it.
    """

    file: str
    form: str
    releases: list[str]
    backend: str
    wish: Wish
    called: str
    note: str
    host_class: str
    machine: str | None
    borrowed: list[Borrowed]
    profile: str
    setting: str
    onednn: bool | None
    layers: list[LayerAnswer]
    others: int
    unread: list[str]
    settings: list[SettingAnswer]
    remedies: list[Remedy]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person wants of a model. `mode`: how it will be executed, if not as its file is made to be; `profile`:
    what is set, if anything; `processor`: the one it is for, if not that of the records.
    """

    file: str
    wish: Wish
    mode: Mode | None = None
    profile: str = ""
    processor: Processor | None = None


def read(path: str) -> Reading:
    """Raise BadUsage where the file is no model that can be read."""
    try:
        return reader.read(path)
    except Unreadable as fault:
        cure = "give a .keras, .h5, .pb or .tflite file, or the folder of a SavedModel"
        raise BadUsage(f"{path}: {fault}", cure) from None


def check(reading: Reading, recorded: ReleaseRecords, asked: Asked, profiles: Profiles, reports: Path) -> ModelAnswer:
    """Raise BadUsage where the release has no run under the profile."""
    release, machine = recorded.nearest.releases[-1], asked.processor
    default = recorded.default_profile_on(machine, release, profiles)
    runs = {run.header.profile: run for run in recorded.runs(release)}
    usual = recorded.under(release, asked.profile or default or next(iter(runs)))
    profile = usual.header.profile
    judge = _Judge(usual, asked)
    # What passes with two settings changed says nothing of either.
    near = {name: run for name, run in runs.items() if len(differences(run.judged_by, usual.judged_by)) == 1}
    others = {name: _Judge(run, asked) for name, run in near.items()}
    timed = _timed(reports, machine.host_class if machine else recorded.host_class, usual)
    answers = [judge.answer(layer, timed) for layer in reading.layers]
    for older in recorded.nearest.releases[:-1]:
        same = next((one for one in recorded.runs(older) if one.header.profile == profile), None)
        neighbour = _Judge(same, asked) if same else None
        then = [neighbour.predict(layer).answer if neighbour else "open" for layer in reading.layers]
        answers = [_agreed(one, before, older, release) for one, before in zip(answers, then, strict=True)]
    settings = []
    for name, one in {profile: judge, **others}.items():
        found = Counter(one.predict(layer).answer for layer in reading.layers)
        setting = "" if name == default else profiles[name].setting if name in profiles else f"the profile {name}"
        settings.append(
            SettingAnswer(profile=name, setting=setting, passed=found["yes"], failed=found["no"], open=found["open"])
        )
    failing = [layer for layer, answer in zip(reading.layers, answers, strict=True) if answer.answer == "no"]
    return ModelAnswer(
        file=asked.file,
        form=reading.form,
        releases=list(recorded.nearest.releases),
        backend=usual.header.backend,
        wish=asked.wish,
        called=_called(reading, asked),
        note=recorded.nearest.note,
        host_class=usual.judged_by.host.host_class,
        machine=machine.host_class if machine else None,
        borrowed=[one for one in recorded.borrowed if one.run == usual.judged_by.run],
        profile=profile,
        setting=settings[0].setting,
        onednn=usual.judged_by.onednn,
        layers=answers,
        others=reading.others,
        unread=reading.unread,
        settings=settings,
        remedies=_remedies(failing, judge, others, profiles) if failing else [],
    )


def _agreed(answer: LayerAnswer, before: str, older: str, newer: str) -> LayerAnswer:
    """Leave open what the recorded neighbours of a release without a record do not agree on."""
    if answer.answer in {before, "open"}:
        return answer
    words = {"yes": "it works", "no": "it fails", "open": "it is open"}
    why = f"{words[before]} in {older}, and {words[answer.answer]} in {newer}"
    return msgspec.structs.replace(answer, answer="open", why=why)


def _called(reading: Reading, asked: Asked) -> str:
    """Name what is asked about; in a graph from a file, some layers may be compiled and others not."""
    modes = {asked.mode} if asked.mode else {prediction.mode(one) for one in reading.layers if one.written != "graph"}
    return CALLED.get((modes.pop(), asked.wish), LOADED[asked.wish]) if modes else LOADED[asked.wish]


class _Judge:
    """Answers for layers by one run; layers that are alike are judged once."""

    def __init__(self, run: JudgedRun, asked: Asked) -> None:
        self.run, self.asked = run, asked
        self.observed = {cell: seen for cells in run.cells.values() for cell, seen in cells.items()}
        executed = {cell: seen.outcome for cell, seen in self.observed.items() if seen.evidence == "executed"}
        self.outcomes = Run(executed, WORDS)
        self.known: dict[tuple[object, ...], Prediction] = {}

    def predict(self, layer: Layer, mode: Mode | None = None, only: tuple[str, ...] = ()) -> Prediction:
        """`mode` and `only`: to execute it in another mode, and to write it as something else."""
        in_mode = mode or self.asked.mode or prediction.mode(layer)
        key = (layer._replace(name="", size=()), in_mode, only)
        if key not in self.known:
            self.known[key] = prediction.predict(layer, CHECKS[self.asked.wish], in_mode, self.outcomes, only)
        return self.known[key]

    def passed(self, layers: Sequence[Layer], mode: Mode | None = None, only: tuple[str, ...] = ()) -> int:
        return sum(self.predict(layer, mode, only).answer == "yes" for layer in layers)

    def answer(self, layer: Layer, timed: SpeedRun | None) -> LayerAnswer:
        found = self.predict(layer)
        decided = self.observed.get(found.cells[0]) if found.answer == "no" else None
        why = _cause()(decided) if decided and decided.outcome != "absent" else found.why
        if decided and decided.outcome == "absent":
            why = decided.reason or "not in this release"
        elif self.run.header.planned_for and found.answer == "open":
            why = "not executed, for want of such a device"
        return LayerAnswer(
            name=layer.name,
            what=_what(layer),
            shape=_shape(layer),
            operation=layer.operation,
            rank=layer.rank,
            groups=layer.groups,
            after=list(layer.after),
            dtype=layer.dtype,
            layout=layer.layout,
            approach=found.approach,
            mode=found.mode,
            answer=_verdict(found),
            why=why,
            fused=self._fused(found) if found.answer == "yes" else "unknown",
            cells=["/".join((self.run.judged_by.run, *cell)) for cell in found.cells],
            speed=_slower(layer, found, self.asked.wish, timed) if timed and found.answer == "yes" else None,
        )

    def _fused(self, found: Prediction) -> Answer:
        """Say where the epilogue ran in the forward pass of the very cell that decides; unknown where there is none."""
        for approach, mode, _, case in found.cells[:1]:
            for there in (mode, *(["graph"] if mode in suite.CORE_MODES else [])):
                seen = self.observed.get((approach, there, "fusion", case))
                if seen and seen.fusion and case.split("/")[1] != "none":
                    return IS_FUSED[seen.fusion.epilogue]
        return "unknown"


@cache
def _cause() -> Cause:
    return causes(known_errors.load())


def _verdict(found: Prediction) -> Verdict:
    return "yes" if found.answer == "yes" else "no" if found.answer == "no" else "open"


def _remedies(failing: Sequence[Layer], here: _Judge, others: Mapping[str, _Judge], profiles: Profiles) -> list[Remedy]:
    """Return what lets most of the failing layers pass, the least to change first. One thing is changed at a time."""
    asked, count, found = here.asked, len(failing), []
    for profile, judge in others.items():
        text = instructions.for_profile(profile, here.run.header.release, profiles)
        found.append(Remedy(text=text, profile=profile, passed=judge.passed(failing), of=count))
    # What was saved as a graph stays one; only a Keras model can be called in another way.
    if all(layer.written == "keras" for layer in failing):
        for mode in OTHER_MODES:
            text = instructions.for_mode(mode, here.run.header.release)
            found.append(Remedy(text=text, passed=here.passed(failing, mode), of=count))
    rewrites = []
    for approach in INTERCHANGEABLE:
        fitting = [one for one in failing if one.operation == "conv" and one.rank == APPROACHES[approach].rank]
        if not any(approach in prediction.approaches(one) for one in fitting):
            code = f"advise --release {here.run.header.release} --need {asked.wish} has the code"
            passed = here.passed(fitting, only=(approach,))
            rewrites.append(Remedy(text=f"Write them as {approach} ({code})", passed=passed, of=count))
    found += sorted(rewrites, key=lambda one: -one.passed)[:1]
    return sorted((one for one in found if one.passed), key=lambda one: -one.passed)


def _timed(reports: Path, host_class: str, run: JudgedRun) -> SpeedRun | None:
    """Return the times of the run's release and profile, on the host class or else on the one nearest to it."""
    header = run.judged_by
    pattern = f"*/*/tf{header.release}-py*-{header.backend}+{header.profile}{speed_records.ENDING}"
    timed, _ = speed_records.SPEED.read_valid(sorted((reports / "runs").glob(pattern)))
    by_class = {one.host.host_class: one for one in timed.values()}
    return next((by_class[name] for name in processors.nearest_timed(host_class, by_class)), None)


def _slower(layer: Layer, found: Prediction, wish: Wish, timed: SpeedRun) -> Slower | None:
    """Compare with the fastest approach on the nearest layer that was timed in the same mode; f32 alone is timed."""
    if layer.dtype != "f32" or layer.rank != 2 or not layer.groups or not layer.cin or not layer.cout:
        return None
    nearest, least = None, NEAR
    for point in timed.points:
        there = timed_layers.LAYERS.get(point.layer)
        variant = point.variant(found.approach)
        if not there or not variant or variant.median is None or there.groups == 1 or point.fastest is None:
            continue
        # What Keras' predict and fit run is a graph.
        same_mode = point.mode == found.mode or (point.mode, found.mode) == ("graph", "keras")
        if not same_mode or (point.direction, point.dtype) != (DIRECTIONS[wish], layer.dtype):
            continue
        away = doublings(
            (there.groups, layer.groups),
            (there.kernel, max(layer.kernel)),
            (there.cin / there.groups, layer.cin / layer.groups),
        )
        away += doublings((there.size, layer.size[0])) if layer.size and layer.size[0] else 1
        if away < least:
            nearest, least = point, away
    if nearest is None or nearest.fastest is None:
        return None
    ratio = nearest.ratio(found.approach, nearest.fastest)
    if ratio is None and nearest.fastest != found.approach:
        return None
    return Slower(
        ratio=ratio.ratio if ratio else 1.0,
        word=ratio.word if ratio else "same",
        than=nearest.fastest,
        layer=nearest.layer,
        batch=nearest.batch,
        host_class=timed.host.host_class,
    )


def _what(layer: Layer) -> str:
    """Describe a layer without its sizes: layers that are alike read alike."""
    name = {"conv": "grouped", "transpose": "transposed"}.get(layer.operation, layer.operation)
    if layer.operation == "conv" and layer.groups and layer.groups == layer.cin:
        name = "one channel a group"
    stride = f" /{'x'.join(map(str, dict.fromkeys(layer.strides)))}" if max(layer.strides) > 1 else ""
    dilated = f" dilated {max(layer.dilation)}" if max(layer.dilation) > 1 else ""
    after = "".join(f"+{step}" for step in layer.after[:4])
    other = [one for one in (layer.dtype, layer.layout) if one not in {"f32", "nhwc"}]
    return " ".join([f"{name} {'x'.join(map(str, layer.kernel))}{stride}{dilated}{after}", *other])


def _shape(layer: Layer) -> str:
    size = "x".join("?" if one is None else str(one) for one in layer.size)
    groups = "" if layer.operation in {"depthwise", "separable"} else f", {layer.groups or '?'} groups"
    return f"{size}, {layer.cin or '?'} to {layer.cout or '?'} channels{groups}"


def lines(answer: ModelAnswer, *, everything: bool = False) -> Iterator[str]:
    """Yield the answer for a terminal: at most MOST_LINES lines of WIDTH, unless all layers are asked for."""
    head = _wrapped(_verdict_line(answer))
    reasons = Counter(one.why for one in answer.layers if one.answer == "no" and one.why)
    if reasons:
        head += _wrapped(f"Why: {'; '.join(reason for reason, _ in reasons.most_common(2))}.")[:3]
    if answer.remedies:
        head.append("What to do, best first:")
    for number, remedy in enumerate(answer.remedies[:3], 1):
        share = "all of these pass" if remedy.passed == remedy.of else f"{remedy.passed} of these {remedy.of} pass"
        head += _wrapped(f"{number}. {remedy.text}: {share}", "   ")[:2]
    tail = [*_tail(answer, everything=everything)]
    yield from head
    if answer.layers:
        yield ""
        if everything:
            yield from _table([(one.name, *_words([one], f"{one.what}; {one.shape}")) for one in answer.layers])
        else:
            yield from _table(_kinds(answer), MOST_LINES - len(head) - len(tail) - 2)
        yield ""
    yield from tail


def _verdict_line(answer: ModelAnswer) -> str:
    told = answer.onednn is not None and answer.backend == "cpu"
    usual = f"oneDNN {'on' if answer.onednn else 'off'}" if told else "nothing set"
    setting = answer.setting or usual
    where = f"TensorFlow {' to '.join(answer.releases)} on {answer.backend}, {setting}"
    but = "; not all of the file could be read." if answer.unread else "."
    if not answer.layers:
        ordinary = f"{answer.others} ordinary one{'s' * (answer.others != 1)}"
        return f"No grouped, depthwise, separable or transposed convolution, and {ordinary}{but}"
    failed = [one.name for one in answer.layers if one.answer == "no"]
    left = sum(one.answer == "open" for one in answer.layers)
    total = f"{len(answer.layers)} layer{'s' * (len(answer.layers) != 1)}"
    also = f"; {left} more are open" if left else ""
    if failed:
        return f"{answer.called} will fail with {where}: {len(failed)} of {total}, e.g. {failed[0]}{also}."
    if left == len(answer.layers):
        return f"Whether {answer.called} works with {where} is open: {total} of which too little was measured."
    if left:
        passed = len(answer.layers) - left
        return f"{answer.called} works as far as was measured with {where}: {passed} of {total}{also}."
    return f"{answer.called} works with {where}: {total}, none fails{but}"


def _kinds(answer: ModelAnswer) -> list[tuple[str, ...]]:
    """Put layers together that read alike and come out alike; those that fail first."""
    alike: dict[tuple[object, ...], list[LayerAnswer]] = {}
    for one in answer.layers:
        alike.setdefault((one.what, one.answer, one.fused), []).append(one)
    order = {"no": 0, "open": 1, "yes": 2}
    groups = sorted(alike.values(), key=lambda group: (order[group[0].answer], -len(group)))
    return [(str(len(group)), *_words(group, group[0].what)) for group in groups]


def _words(group: Sequence[LayerAnswer], what: str) -> tuple[str, ...]:
    slowest = max((one.speed for one in group if one.speed), key=lambda one: one.ratio, default=None)
    speed = "-"
    if slowest:
        near = slowest.word in {"same", "faster"} or slowest.ratio <= 1.0
        speed = "fastest" if near else f"{slowest.ratio:.3g} x {slowest.than}"
    word = {"yes": "works", "no": "fails", "open": "open"}[group[0].answer]
    return what, word, {"yes": "yes", "some": "in part", "no": "no", "unknown": "-"}[group[0].fused], speed


def _table(rows: Sequence[tuple[str, ...]], room: int | None = None) -> Iterator[str]:
    """With `room`, rows and their descriptions are cut to what a terminal shows."""
    shown = list(rows) if room is None or len(rows) < room else list(rows[: room - 2])
    whole = [("layers" if room else "layer", "what", "result", "fused", "time"), *shown]
    widths = [max(len(row[column]) for row in whole) for column in range(5)]
    if room:
        widths[1] = min(widths[1], WIDTH - sum(widths) + widths[1] - 8)
    for row in whole:
        cells = zip(row, widths, strict=True)
        yield "  ".join(
            (text if len(text) <= width else f"{text[: width - 2]}..").ljust(width) for text, width in cells
        ).rstrip()
    if len(shown) < len(rows):
        yield f"and {len(rows) - len(shown)} other kinds of layers"


def _tail(answer: ModelAnswer, *, everything: bool) -> Iterator[str]:
    told = {remedy.profile for remedy in answer.remedies[:3]} | {answer.profile}
    worst = sum(one.answer == "no" for one in answer.layers)
    for one in answer.settings:
        if one.profile not in told and one.failed > worst:
            with_ = f"With {one.setting}" if one.setting else "With nothing set"
            yield from _wrapped(f"{with_}, {one.failed} of {len(answer.layers)} would fail.", "  ")[:2]
    if open_for := Counter(one.why for one in answer.layers if one.answer == "open"):
        yield from _wrapped(f"Open: {'; '.join(why for why, _ in open_for.most_common(2))}.", "  ")[:2]
    for what in answer.unread if everything else answer.unread[:3]:
        yield from _wrapped(f"Not read: {what}.", "  ")[:2]
    if answer.note:
        yield from _wrapped(answer.note, "  ")[:2]
    if timed := next((one.speed for one in answer.layers if one.speed), None):
        yield from _wrapped(
            "time: against the fastest approach on the nearest layer that was timed, as"
            f" {timed.layer}, {timed.batch} image{'s' * (timed.batch != 1)}, on {timed.host_class}.",
            "  ",
        )
    if answer.borrowed:
        yield from _wrapped(
            f"Your host class is {answer.machine}; by {'; '.join(borrowed_in_words(answer.borrowed))}.", "  "
        )
    else:
        other = "" if answer.machine or answer.backend != "cpu" else "; your processor may differ: --this-machine"
        yield from _wrapped(f"By records of {answer.host_class}{other}.", "  ")
    if answer.layers and not everything:
        yield "--all lists every layer; --json has the cells that each answer rests on."


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
