"""Predicts how a layer comes out, from cells that were observed in one run. The probe and `check` both use it.

Where the very combination was observed, it decides. Otherwise the layer's mode must pass with nothing special, and each
thing that is special about the layer (a stride, a dtype, ...) must pass where it was observed on its own, as the suite
varies one thing at a time. What was observed nowhere leaves the answer open. Where the mode fails, something special
helps only if it was observed to.
"""

from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .layers import COMPUTED, Layer

Cell = Tuple[str, str, str, str]
# Outcomes that decide; a cell that was skipped says nothing.
FAILED = ("error", "wrong", "crash", "timeout", "oom", "absent")
# By operation and rank, what the layer is written as: in a Keras model, and in a graph. The first that was observed
# answers, and the others stand in for what was observed of them alone.
WRITTEN = {
    ("conv", 1): (("keras-groups-1d",), ("nn-conv1d", "keras-groups-1d")),
    ("conv", 2): (("keras-groups", "nn-conv2d"), ("nn-conv2d",)),
    ("conv", 3): (("keras-groups-3d",), ("keras-groups-3d",)),
    ("depthwise", 1): (("keras-depthwise-1d",), ("keras-depthwise-1d",)),
    ("depthwise", 2): (("keras-depthwise", "depthwise"), ("depthwise",)),
    ("separable", 2): (("keras-separable", "separable"), ("separable",)),
    ("transpose", 1): (("keras-groups-1d-transpose",), ()),
    ("transpose", 2): (("keras-groups-transpose",), ("nn-transpose",)),
    ("transpose", 3): (("keras-groups-3d-transpose",), ()),
}
# Fields of a case that are compared, or do not matter. Where any other is not its default, the case is something else.
COMPARED = frozenset(
    "geometry epilogue dtype layout groups kernel cin cout n h w stride strides dilation padding dynamic_batch".split()
)


class Vocabulary(NamedTuple):
    """What is needed of the suite's catalog: the steps of each epilogue, and the meaning of a case's id."""

    epilogues: Mapping[str, Tuple[str, ...]]
    parse_case: Callable[[str], Any]


class Prediction(NamedTuple):
    """`cells`: what the answer rests on, the one that decides first. `why`: what is open, in words."""

    answer: str  # yes, no or open
    approach: str
    mode: str
    cells: Tuple[Cell, ...]
    why: str = ""


class Seen(NamedTuple):
    """An observed cell, and what is special about it."""

    cell: Cell
    epilogue: str
    special: FrozenSet[str]
    groups: int
    passed: bool

    @property
    def mode(self) -> str:
        return self.cell[1]


class Run:
    """The outcomes of one run, made ready to be asked."""

    def __init__(self, outcomes: Mapping[Cell, str], words: Vocabulary) -> None:
        self.words = words
        self.outcomes = outcomes
        self.ready: Dict[Tuple[str, str], List[Seen]] = {}

    def seen(self, approach: str, check: str) -> List[Seen]:
        if (approach, check) not in self.ready:
            self.ready[approach, check] = list(self._seen(approach, check))
        return self.ready[approach, check]

    def _seen(self, approach: str, check: str) -> Iterator[Seen]:
        for cell, outcome in self.outcomes.items():
            if cell[0] != approach or cell[2] != check or (outcome != "pass" and outcome not in FAILED):
                continue
            try:
                case = self.words.parse_case(cell[3])
            except ValueError:  # a case of another suite
                continue
            others = {name for name, usual in case._field_defaults.items() if getattr(case, name) != usual} - COMPARED
            if not others and case.groups > 1:
                yield Seen(cell, case.epilogue, _special_case(case, approach), case.groups, outcome == "pass")


def approaches(layer: Layer) -> Tuple[str, ...]:
    """Return what the layer is written as, the most exact first. In a graph, XLA compiles Keras' layers alone."""
    in_keras, in_graph = WRITTEN.get((layer.operation, layer.rank), ((), ()))
    if layer.written == "keras":
        return in_keras
    more = tuple(one for one in in_keras if one not in in_graph) if layer.compiled or layer.written == "tflite" else ()
    return in_graph + more


def mode(layer: Layer) -> str:
    """Return the mode in which the file's own program is executed."""
    return {"keras": "keras", "tflite": "tflite"}.get(layer.written, "jit" if layer.compiled else "graph")


def predict(layer: Layer, check: str, in_mode: str, run: Run, only: Sequence[str] = ()) -> Prediction:
    """Say whether the layer passes a check in a mode. `only`: as what it would be written instead."""
    found = _predicted(layer, check, in_mode, run, only)
    if found.answer == "open" and layer.dtype in COMPUTED:
        return _predicted(layer._replace(dtype=COMPUTED[layer.dtype]), check, in_mode, run, only)
    return found


def _predicted(layer: Layer, check: str, in_mode: str, run: Run, only: Sequence[str]) -> Prediction:
    names = tuple(only) or approaches(layer)
    nothing = Prediction("open", names[0] if names else "", in_mode, ())
    if layer.groups is None:
        return nothing._replace(why="the file does not tell its number of groups")
    if layer.operation == "transpose" and layer.groups == 1:
        return nothing._replace(why="a transposed convolution without groups is not measured")
    others = rivals(layer.after, check, run.words)
    asked = _Asked(check, in_mode, names, special(layer), epilogues(layer.after, check, run.words), layer.groups)
    for name in names:
        here = [one for one in run.seen(name, check) if one.mode == in_mode]
        if len({one.passed for one in here if not one.special and one.epilogue in others}) > 1:
            steps = "+".join(layer.after)
            return nothing._replace(why="{} was not measured, and what is most like it differs".format(steps))
        if here:
            return _judged(name, here, asked, run)
    what = names[0] if names else "{} of rank {}".format(layer.operation, layer.rank)
    return nothing._replace(why="{} in {} was not measured".format(what, in_mode))


class _Asked(NamedTuple):
    """`names`: as what the layer is written; `special`: what is special about it; `epilogues`: in order of likeness."""

    check: str
    mode: str
    names: Sequence[str]
    special: FrozenSet[str]
    epilogues: Sequence[str]
    groups: int

    def best(self, seen: Sequence[Seen]) -> Optional[Seen]:
        """Return the one with the epilogue that is most like the layer's, then with the nearest number of groups."""
        order = self.epilogues.index
        return min(seen, key=lambda one: (order(one.epilogue), abs(one.groups - self.groups)), default=None)


def _judged(name: str, here: Sequence[Seen], asked: _Asked, run: Run) -> Prediction:
    def answer(word: str, *cells: Cell, why: str = "") -> Prediction:
        return Prediction(word, name, asked.mode, cells, why)

    exact = asked.best([one for one in here if (one.special, one.epilogue) == (asked.special, asked.epilogues[0])])
    if exact:
        return answer("yes" if exact.passed else "no", exact.cell)
    base = asked.best([one for one in here if not one.special])
    if base is None:
        return answer("open", why="nothing usual was measured of {} in {}".format(name, asked.mode))
    if not base.passed:
        saved = _saving(name, asked, run)
        if saved is None:
            return answer("no", base.cell)
        cells, missing, left = [saved.cell, base.cell], sorted(asked.special - saved.special), []
    else:
        cells, missing, left = [base.cell], [], sorted(asked.special)
    for one in left:
        found = _of_special(one, name, asked, run)
        if found is None:
            missing.append(one)
        elif not found.passed:
            return answer("no", found.cell, base.cell)
        else:
            cells.append(found.cell)
    if missing:
        return answer("open", *cells, why="not measured: {}".format(", ".join(missing)))
    return answer("yes", *cells)


def _saving(name: str, asked: _Asked, run: Run) -> Optional[Seen]:
    """Return an observation that passes because of what is special, where the same without it fails: Keras 2 writes a
    dilation as another program, which the optimizer does not fuse.
    """
    for there in (asked.mode, "graph"):
        seen = [one for one in run.seen(name, asked.check) if one.mode == there]
        failing = {one.epilogue for one in seen if not one.special and not one.passed}
        saved = [one for one in seen if one.special and one.special <= asked.special and one.epilogue in failing]
        best = asked.best([one for one in saved if len(one.special) == max(len(two.special) for two in saved)])
        if best and best.passed:
            return best
    return None


def _of_special(one: str, name: str, asked: _Asked, run: Run) -> Optional[Seen]:
    """Return an observation of this special thing, with as much else of the layer as was observed together with it.

    One that fails counts only where the same without anything special passes: else something else is at fault.
    """
    for other in (name,) + tuple(another for another in asked.names if another != name):
        for there in (asked.mode,) + tuple(another for another in ("graph", "eager", "jit") if another != asked.mode):
            seen = [two for two in run.seen(other, asked.check) if two.mode == there]
            fitting = [two for two in seen if one in two.special and two.special <= asked.special]
            most = max((len(two.special) for two in fitting), default=0)
            found = asked.best([two for two in fitting if len(two.special) == most])
            plain = [two for two in seen if found and not two.special and two.epilogue == found.epilogue]
            if found and (found.passed or (plain and plain[0].passed)):
                return found
    return None


def epilogues(after: Sequence[str], check: str, words: Vocabulary) -> List[str]:
    """Order the epilogues by how much they have in common with what follows the layer, from its beginning: that is what
    the optimizer may take into the convolution. In training a batch norm computes another thing.
    """
    steps = _steps(after, check)

    def rank(name: str) -> Tuple[int, int]:
        return -_common(words.epilogues[name], steps), len(words.epilogues[name])

    return sorted(words.epilogues, key=rank)


def rivals(after: Sequence[str], check: str, words: Vocabulary) -> FrozenSet[str]:
    """Return the epilogues that stand for what follows the layer as well as the first one does; none where that is the
    very epilogue. What ends a program may stay out of a fusion that takes it in where something follows.
    """
    steps = _steps(after, check)
    if steps in words.epilogues.values():
        return frozenset()
    most = max(_common(theirs, steps) for theirs in words.epilogues.values())
    return frozenset(name for name, theirs in words.epilogues.items() if most and _common(theirs, steps) == most)


def _steps(after: Sequence[str], check: str) -> Tuple[str, ...]:
    return tuple("bn_training" if step == "bn" and check == "gradient" else step for step in after)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    common = 0
    while common < min(len(one), len(other)) and one[common] == other[common]:
        common += 1
    return common


def special(layer: Layer) -> FrozenSet[str]:
    found = _moved(layer.strides, layer.dilation, layer.kernel, layer.padding)
    each = layer.cin is not None and layer.cin == layer.groups
    found |= _channels(layer.operation, each, bool(each and (layer.cout or 0) > (layer.cin or 0)))
    return found | ({layer.dtype, layer.layout} - {"f32", "nhwc"})


def _special_case(case: Any, approach: str) -> FrozenSet[str]:
    strides = getattr(case, "strides", None) or (case.stride, case.stride)
    found = _moved(strides, (case.dilation,), case.kernel, case.padding.lower())
    written = (operation for (operation, _), both in WRITTEN.items() if approach in both[0] + both[1])
    found |= _channels(next(written, "conv"), case.cin == case.groups, case.cin == case.groups < case.cout)
    return found | ({case.dtype, case.layout} - {"f32", "nhwc"})


def _moved(strides: Sequence[int], dilation: Sequence[int], kernel: Sequence[int], padding: str) -> FrozenSet[str]:
    """Return what is not as in the suite's usual case: 3x3, no stride, no dilation, padding that keeps the size."""
    moved, dilated, point = max(strides) > 1, max(dilation) > 1, set(kernel) == {1}
    found = {
        "a stride": moved and len(set(strides)) == 1,
        "unequal strides": len(set(strides)) > 1,
        "a dilation": dilated,
        "a stride with a dilation": moved and dilated,
        "a 1x1 kernel": point,
        # A kernel of one pixel needs no padding.
        "no padding": padding == "valid" and not point,
        "padding {}".format(padding): padding not in {"same", "valid"},
    }
    return frozenset(name for name, holds in found.items() if holds)


def _channels(operation: str, each: bool, several: bool) -> FrozenSet[str]:
    """`each`: every channel is a group of its own, which is special where it is not the operation's nature."""
    found = {
        "one channel a group": operation == "conv" and each,
        "several outputs for each channel": operation in {"conv", "depthwise"} and several,
    }
    return frozenset(name for name, holds in found.items() if holds)
