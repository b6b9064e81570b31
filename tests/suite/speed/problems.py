"""The numbers of a point, as the suite's programs take them, without the float64 answers: those take seconds here.

What a variant answers is judged by `expected` instead, of an ordinary convolution in f32.
"""

import zlib
from functools import lru_cache
from typing import Any, Dict, List, Tuple

import numpy as np

from ..cases import Case
from ..catalog import APPROACHES
from ..problem import Problem
from ..reference import Window, convolve, epilogue, linear, relative_error, round_to
from . import layers
from .layers import Point

# Another order of the sum may put a value on the other side of ReLU's kink, and its whole gradient with it: of 10,000
# values one such is an error of 1%. Two output channels swapped, of 512, are an error of 7%.
TOLERANCE = {
    "f32": 0.02,
    # Rounding to half precision does the same to far more values: to about 0.16% of them for each rounding to bf16, an
    # error of 4%; a sum of rounded parts has several. Whether half precision is right is for the suite's own cases to
    # say, whose values stay away from the kink.
    "f16": 0.05,
    "bf16": 0.1,
}

CORNER = 4  # pixels a side

OUTPUT, INPUT_GRADIENT, FILTER_GRADIENT = ANSWERS = ("output", "input gradient", "filter gradient")


def case(point: Point) -> Case:
    """The layer alone: what stands before and after it in a network would be timed with it."""
    layer = layers.named(point.layer)
    return Case(
        point.layer,
        point.epilogue,
        point.dtype,
        point.layout,
        groups=layer.groups,
        kernel=(layer.kernel, layer.kernel),
        strides=(layer.stride, layer.stride),
        cin=layer.cin,
        cout=layer.cout,
        n=point.batch,
        h=layer.size,
        w=layer.size,
        bare=True,
    )


def pose(point: Point, approach: str) -> Problem:
    """The same input, cotangent, bias and filter for every approach; each has the filter in its own form."""
    posed = _pose(point._replace(mode="", direction=""))
    return posed._replace(filters=as_written(approach, posed.filters[0], posed.case))


def as_written(approach: str, filters: Any, case: Case) -> List[Any]:
    """A grouped filter as the filters that an approach takes."""
    about = APPROACHES[approach]
    shapes = linear(about.form, about.rank, case).filter_shapes
    if about.form == "per-group":
        return list(np.split(filters, case.groups, axis=-1))
    if about.form == "depthwise-sum":  # a filter for each input channel, not for each channel of a group
        channels, outputs = case.cin // case.groups, case.cout // case.groups
        filters = np.moveaxis(filters.reshape(case.kernel + (channels, case.groups, outputs)), -2, -3)
    return [filters.reshape(shapes[0])]


def as_grouped(approach: str, filters: List[Any], case: Case) -> Any:
    """The inverse of `as_written`, for the gradients; None where one of them is."""
    if any(values is None for values in filters):
        return None
    if APPROACHES[approach].form == "depthwise-sum":
        channels, outputs = case.cin // case.groups, case.cout // case.groups
        split = np.asarray(filters[0]).reshape(case.kernel + (case.groups, channels, outputs))
        return np.moveaxis(split, -3, -2).reshape(case.kernel + (channels, case.cout))
    return filters[0] if len(filters) == 1 else np.concatenate(filters, axis=-1)


def pose_dense(point: Point) -> Problem:
    """The same layer without groups. Its filter is zero where no group is: it answers the same."""
    posed = _pose(point._replace(mode="", direction=""))
    return posed._replace(case=posed.case._replace(groups=1), filters=[widen(posed.filters[0], posed.case.groups)])


@lru_cache(maxsize=2)  # points of one layer and batch follow each other; one in half precision takes f32 too
def _pose(point: Point) -> Problem:
    made = case(point)
    random = np.random.RandomState(zlib.crc32("{}/{}".format(point.layer, point.batch).encode()))

    def draw(*shape: int) -> Any:
        return round_to(point.dtype, random.uniform(-1.0, 1.0, shape))

    x = draw(made.n, made.h, made.w, made.cin)
    filters = [draw(*(made.kernel + (made.cin // made.groups, made.cout)))]
    parameters: Dict[str, Any] = {"bias": draw(made.cout)}
    out = layers.named(point.layer).out
    cotangent = draw(made.n, out, out, made.cout)
    return Problem(made, x, filters, parameters, cotangent, None, None, [], 0.0, (0.0, 0.0))


def widen(filters: Any, groups: int) -> Any:
    """The dense filter that computes what the grouped one does."""
    inputs, outputs = filters.shape[-2], filters.shape[-1] // groups
    wide = np.zeros(filters.shape[:-2] + (groups * inputs, groups * outputs))
    for group in range(groups):
        made = slice(group * outputs, (group + 1) * outputs)
        wide[..., group * inputs : (group + 1) * inputs, made] = filters[..., made]
    return wide


def narrow(wide: Any, groups: int) -> Any:
    """Of a dense filter, or its gradient, what lies within the groups: the inverse of `widen`."""
    inputs, outputs = wide.shape[-2] // groups, wide.shape[-1] // groups
    blocks = [
        wide[..., group * inputs : (group + 1) * inputs, group * outputs : (group + 1) * outputs]
        for group in range(groups)
    ]
    return np.concatenate(blocks, axis=-1)


class Wrong(Exception):
    """What all answers would be judged by is wrong itself."""


def explained(error: Exception) -> Any:
    """The failure of which this error speaks; None where it is another's."""
    return {"type": "wrong", "message": str(error)} if isinstance(error, Wrong) else None


def trusted(point: Point, answers: Dict[str, Any]) -> Dict[str, Any]:
    """The answers of `pose_dense`, in the grouped filter's shape. Raise Wrong where the output's first pixels are not
    those of the float64 reference.
    """
    posed, output = pose(point, "nn-conv2d"), np.asarray(answers[OUTPUT], np.float64)
    error = relative_error(output[:1, :CORNER, :CORNER], _corner(posed))
    if not error <= TOLERANCE[point.dtype]:
        raise Wrong("the ordinary convolution itself: relative error {:.1e}".format(error))
    if FILTER_GRADIENT not in answers:
        return answers
    return dict(answers, **{FILTER_GRADIENT: narrow(answers[FILTER_GRADIENT], posed.case.groups)})


def _corner(posed: Problem) -> Any:
    """The first image's output near its first pixel, of as much of the input as that sees."""
    case = posed.case
    size = min(case.h, CORNER + case.kernel[0])
    window = Window((size, size), case.kernel, (1, 1), 1, "SAME", case.groups)
    y = convolve(posed.x[:1, :size, :size], posed.filters[0], window)
    return epilogue(case.steps, y, posed.parameters)[0][:, :CORNER, :CORNER]


def fault(got: Dict[str, Any], expected: Dict[str, Any], groups: int, dtype: str = "f32") -> str:
    """What is wrong with a variant's answers, or "". A filter gradient may have the shape of a depthwise filter, or of
    a dense one.
    """
    for name, values in got.items():
        if values is None:
            return "{}: there is none".format(name)
        mine, right = np.asarray(values, np.float64), expected[name]
        if name == FILTER_GRADIENT:
            mine = _as_grouped(mine, right.shape, groups)
        if mine.shape != right.shape:
            return "{}: its shape is {} and should be {}".format(name, mine.shape, right.shape)
        error = relative_error(mine, right)
        if not error <= TOLERANCE[dtype]:
            return "{}: relative error {:.1e} beside an ordinary convolution".format(name, error)
    return ""


def _as_grouped(gradient: Any, shape: Tuple[int, ...], groups: int) -> Any:
    if gradient.size == np.prod(shape):
        return gradient.reshape(shape)
    return narrow(gradient, groups) if gradient.ndim == len(shape) else gradient
