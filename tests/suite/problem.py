"""A case with its numbers, and the right answers to them."""

import zlib
from functools import lru_cache
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np

from . import blocks
from .cases import Case, parse_case
from .catalog import APPROACHES
from .reference import epilogue, gain, linear, round_to, tolerance, window_of

MOST_DRAWS = 20


class Problem(NamedTuple):
    """A case with its numbers, all float64 but rounded to the case's dtype, and the answers to them.

    `y` and `dx` have the shapes of output and input; `dfilters` matches `filters`. The tolerances are relative
    Frobenius errors. Misuse has no answers: they are None.
    """

    case: Case
    x: Any
    filters: List[Any]
    parameters: Dict[str, Any]
    cotangent: Any
    y: Any
    dx: Any
    dfilters: List[Any]
    forward_tolerance: float
    gradient_tolerances: Tuple[float, float]
    fed_filters: bool = False

    @property
    def inputs(self) -> Dict[str, Any]:
        """What a person gives at run time, in the order of a program's arguments."""
        given = {"x": self.x}
        if self.fed_filters:
            given["filters"] = self.filters[0]
        if "add" in self.case.steps:
            given["residual"] = self.parameters["add"]
        return given


def pose(approach: str, case_id: str, tf32: bool = False) -> Problem:
    """The numbers depend on the approach's shapes and the case's id alone, so that they repeat everywhere.

    `tf32`: float32 inputs of convolutions are rounded to TF32, as on a GPU.
    """
    about = APPROACHES[approach]
    posed = _pose_block if parse_case(case_id).block else _pose
    return posed(about.form, about.rank, case_id, tf32)._replace(fed_filters=about.fed)


@lru_cache(maxsize=64)  # checks, modes and approaches share a problem; the arrays are never written to
def _pose(form: str, rank: int, case_id: str, tf32: bool) -> Problem:
    case = parse_case(case_id)
    operation = linear(form, rank, case)
    random = np.random.RandomState(zlib.crc32(case_id.encode()))

    def draw(shape: Tuple[int, ...], low: float = -1.0, high: float = 1.0) -> Any:
        return round_to(case.dtype, random.uniform(low, high, shape))

    x = draw((case.n,) + window_of(case, rank).extents + (case.given,))
    filters = [draw(shape) for shape in operation.filter_shapes]
    linear_y = None if case.misuse else operation.forward(x, filters)
    parameters = {
        "bias": draw((case.cout,)),
        "add": None if case.misuse else draw(linear_y.shape),
        "scale": draw((case.cout,), 0.5, 1.5),
        "offset": draw((case.cout,)),
        "mean": draw((case.cout,)),
        "variance": draw((case.cout,), 0.5, 1.5),
        "gain": gain(case),
    }
    rounding = "tf32" if tf32 and case.dtype == "f32" else case.dtype
    of_forward, of_input, of_filter = [tolerance(rounding, products) for products in operation.reductions]
    if case.misuse:
        return Problem(case, x, filters, parameters, None, None, None, [], of_forward, (of_input, of_filter))
    y, pullback, kink_distance = epilogue(case.steps, linear_y, parameters)
    # where a rounding decides on which side of a kink a value lies, the slope is not a fair question
    kink = kink_distance < of_forward * np.sqrt(np.mean(np.square(linear_y))) if y.size else kink_distance < 0
    cotangent = np.where(kink, 0.0, draw(y.shape))
    dx, dfilters = operation.gradients(x, filters, pullback(cotangent))
    return Problem(case, x, filters, parameters, cotangent, y, dx, dfilters, of_forward, (of_input, of_filter))


@lru_cache(maxsize=16)
def _pose_block(form: str, rank: int, case_id: str, tf32: bool) -> Problem:
    """The numbers are drawn again where a value lies so near a kink that its rounding would decide its slope."""
    case = parse_case(case_id)
    steps = blocks.rows(case)
    linears = blocks.operations(steps.layers, form, rank)
    # the roundings of all steps add up, on the way there and back
    of_layers = sum(sum(one.reductions) for one in linears.values())
    of_mixing = sum(step.channels + step.size for row in steps for step in row if step.kind in blocks.MIXING)
    near = tolerance(case.dtype, of_layers + of_mixing)
    for number in range(MOST_DRAWS):
        random = np.random.RandomState(zlib.crc32("{} {}".format(case_id, number).encode()))

        def draw(shape: Tuple[int, ...], low: float = -1.0, high: float = 1.0, random: Any = random) -> Any:
            return round_to(case.dtype, random.uniform(low, high, shape))

        x = draw((case.n,) + window_of(case, rank).extents + (case.given,))
        filters = {name: [draw(shape) for shape in one.filter_shapes] for name, one in linears.items()}
        weights = {
            step.name + "_" + name: draw(shape, *blocks.RANGES[name](shape))
            for row in steps
            for step in row
            for name, shape in step.weights().items()
        }
        weights.update((step.name + "_gain", gain(step.case)) for step in steps.layers if step.case.weight_norm)
        answer = blocks.compute(steps, x, weights, filters, linears)
        if answer.kink > near:
            break
    cotangent = draw(answer.y.shape)
    dx, dfilters = answer.pullback(cotangent)
    bound = tolerance("tf32", of_layers + of_mixing) if tf32 and case.dtype == "f32" else near
    in_a_row = [[one for name in filters for one in by_layer[name]] for by_layer in (filters, dfilters)]
    return Problem(case, x, in_a_row[0], weights, cotangent, answer.y, dx, in_a_row[1], bound, (bound, bound))
