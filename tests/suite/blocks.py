"""Blocks of published networks, small: what stands around the grouped convolution, and the answers in float64 NumPy.

Of a block, `main` leads from the input to what is added to it, or to what `shortcut` makes of it; `after` follows. A
row names its steps: those of an epilogue, `norm` (the batch norm that the case's epilogue names), and

- `layer`: the grouped convolution under test; where it stands twice, the second leads back to as many channels;
- `depthwise`: a depthwise convolution of 3x3;
- `pointwise:N`, `dense:N`: all channels to N, by a convolution of 1x1 or by a matrix product;
- `shuffle:N`: of N groups, first the first channel of each, then the second, and so on;
- `layer_norm`; `gain`: a factor a channel.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .cases import Case
from .reference import BN_EPSILON, Linear, Pullback, epilogue, linear


class Block(NamedTuple):
    main: str
    shortcut: str = ""
    after: str = ""


BLOCKS = {
    # Xie et al. 2017, the first block of a stage
    "resnext-block": Block(
        "pointwise:16 norm relu layer norm relu pointwise:32 norm", shortcut="pointwise:32 norm", after="relu"
    ),
    # Sandler et al. 2018
    "mobilenet-block": Block("pointwise:48 norm relu6 layer norm relu6 pointwise:16 norm"),
    # Zhang et al. 2018
    "shufflenet-unit": Block("layer norm relu shuffle:4 depthwise norm layer norm", after="relu"),
    # Liu et al. 2022
    "convnext-block": Block("layer bias layer_norm dense:64 bias gelu dense:16 bias gain"),
    # Tan and Le 2019
    "mixconv-block": Block("pointwise:48 norm swish layer norm swish pointwise:16 norm"),
    # Baevski et al. 2020: the convolution tells the positions, each position of its filter has a length of its own
    "wav2vec2-position": Block("layer bias gelu", after="layer_norm"),
}
WEIGHT_NORM = {"wav2vec2-position": "positions"}
MIXING = ("pointwise", "dense")
# Between which values a weight is drawn, by its shape: what mixes channels makes something as large as they are.
_WHOLE, _POSITIVE = lambda shape: (-1.0, 1.0), lambda shape: (0.5, 1.5)
RANGES: Dict[str, Callable[[Tuple[int, ...]], Tuple[float, float]]] = {
    "kernel": lambda shape: (-((3 / shape[0]) ** 0.5), (3 / shape[0]) ** 0.5),
    "bias": _WHOLE,
    "offset": _WHOLE,
    "mean": _WHOLE,
    "scale": _POSITIVE,
    "variance": _POSITIVE,
    "gain": _POSITIVE,
}


class Step(NamedTuple):
    """`name` is what its weights' names begin with. `size`: the number in its word. `case`: what a layer computes."""

    kind: str
    name: str
    channels: int
    size: int
    case: Optional[Case] = None

    @property
    def made(self) -> int:
        """The channels that come out of it."""
        return self.case.cout if self.case else self.size if self.kind in MIXING else self.channels

    def weights(self) -> Dict[str, Tuple[int, ...]]:
        """The shapes of its weights by name, but for the filters of a layer."""
        if self.kind in MIXING:
            return {"kernel": (self.channels, self.size)}
        names = {
            "bias": ("bias",),
            "bn": ("scale", "offset", "mean", "variance"),
            "bn_training": ("scale", "offset"),
            "layer_norm": ("scale", "offset"),
            "gain": ("gain",),
        }
        return dict.fromkeys(names.get(self.kind, ()), (self.channels,))


class Rows(NamedTuple):
    """A block's steps, in the order of `main`, `shortcut`, `after`."""

    main: List[Step]
    shortcut: List[Step]
    after: List[Step]

    @property
    def layers(self) -> List[Step]:
        return [step for row in self for step in row if step.case]


def rows(case: Case) -> Rows:
    block = BLOCKS[case.geometry]
    main = _row(block.main, "main", case.block, case)
    return Rows(
        main,
        _row(block.shortcut, "shortcut", case.block, case),
        _row(block.after, "after", main[-1].made, case),
    )


def _row(words: str, row: str, channels: int, case: Case) -> List[Step]:
    steps: List[Step] = []
    for number, word in enumerate(words.split()):
        kind, _, size = word.partition(":")
        layer = None
        if kind == "layer":
            made = case.cout if channels == case.cin else case.cin
            layer = case._replace(cin=channels, cout=made, weight_norm=WEIGHT_NORM.get(case.geometry, ""))
        elif kind == "depthwise":
            layer = case._replace(cin=channels, cout=channels, groups=channels, kernel=(3, 3))
        if layer:  # without what stands around it
            layer = layer._replace(epilogue="none", bare=True, block=0, name="{}_{}".format(row, number))
        kind = case.steps[0] if kind == "norm" else kind
        steps.append(Step(kind, "{}_{}".format(row, number), channels, int(size or 0), layer))
        channels = steps[-1].made
    return steps


def operations(layers: Sequence[Step], form: str, rank: int) -> Dict[str, Linear]:
    """What each layer computes, in an approach's form."""
    return {step.name: linear("depthwise" if step.kind == "depthwise" else form, rank, step.case) for step in layers}


class Answer(NamedTuple):
    """`pullback` leads from a cotangent of `y` to those of the input, and of the filters by the name of their layer.

    `kink`: the least distance of a value to a kink of an activation.
    """

    y: Any
    pullback: Any
    kink: float


Weights = Dict[str, Any]
Filters = Dict[str, List[Any]]


def compute(steps: Rows, x: Any, weights: Weights, filters: Filters, linears: Dict[str, Linear]) -> Answer:
    """The whole block. `filters` and `linears` by the names of layers."""
    main, shortcut = [_compute(row, x, weights, filters, linears) for row in (steps.main, steps.shortcut)]
    after = _compute(steps.after, main.y + shortcut.y, weights, filters, linears)

    def pullback(dy: Any) -> Tuple[Any, Filters]:
        dsum, _ = after.pullback(dy)
        (of_main, found), (of_shortcut, _) = main.pullback(dsum), shortcut.pullback(dsum)
        return of_main + of_shortcut, found

    return Answer(after.y, pullback, min(main.kink, shortcut.kink, after.kink))


def _compute(row: Sequence[Step], x: Any, weights: Weights, filters: Filters, linears: Dict[str, Linear]) -> Answer:
    pullbacks: List[Tuple[Step, Any]] = []
    kink = np.inf
    for step in row:
        if step.case:
            one, before = linears[step.name], x
            x = one.forward(x, filters[step.name])
            pull = lambda dy, one=one, step=step, x=before: one.gradients(x, filters[step.name], dy)  # noqa: E731
        else:
            held = {name: weights[step.name + "_" + name] for name in step.weights()}
            x, pull, distance = _apply(step, x, held)
            kink = min(kink, float(np.min(distance)))
        pullbacks.append((step, pull))

    def pullback(dy: Any) -> Tuple[Any, Filters]:
        found: Filters = {}
        for step, pull in reversed(pullbacks):
            if step.case:
                dy, found[step.name] = pull(dy)
            else:
                dy = pull(dy)
        return dy, found

    return Answer(x, pullback, kink)


def _apply(step: Step, x: Any, held: Dict[str, Any]) -> Tuple[Any, Pullback, Any]:
    """A step that is no layer: output, pullback, distances to a kink."""
    none = np.inf
    if step.kind in MIXING:
        kernel = held["kernel"]
        return (
            np.einsum("...i,io->...o", x, kernel),
            lambda dy: np.einsum("...o,io->...i", dy, kernel),
            none,
        )
    if step.kind == "gain":
        return x * held["gain"], lambda dy: dy * held["gain"], none
    if step.kind == "shuffle":
        order = np.arange(step.channels).reshape(step.size, -1).T.ravel()
        return x[..., order], lambda dy: dy[..., np.argsort(order)], none
    if step.kind == "layer_norm":
        deviation = np.sqrt(x.var(axis=-1, keepdims=True) + BN_EPSILON)
        normal = (x - x.mean(axis=-1, keepdims=True)) / deviation

        def pull(dy: Any) -> Any:
            scaled = dy * held["scale"]
            along = (scaled * normal).mean(axis=-1, keepdims=True)
            return (scaled - scaled.mean(axis=-1, keepdims=True) - normal * along) / deviation

        return normal * held["scale"] + held["offset"], pull, none
    return epilogue((step.kind,), x, held)
