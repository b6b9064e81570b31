"""The right answers: outputs and gradients in float64 NumPy.

Nothing here goes through BLAS, so no `@`, `dot`, `tensordot` or `linalg.norm`: NumPy wheels of the older releases'
time carry an OpenBLAS that computes wrong products on processors newer than itself. `einsum` stays in NumPy's own
loops as long as it is not asked to optimize.

Arrays are channels last here whatever the case's layout. A grouped filter has the shape
`kernel + (cin / groups, cout)`, the outputs of the first group first.
"""

import math
from functools import reduce
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from .cases import Case

# Under mixed precision the arithmetic is that of the half type; TF32 has as many bits of mantissa as float16.
EPSILON = {
    "f64": 2.0**-52,
    "f32": 2.0**-23,
    "tf32": 2.0**-10,
    "f16": 2.0**-10,
    "mf16": 2.0**-10,
    "bf16": 2.0**-7,
    "mbf16": 2.0**-7,
}
HALVES = ("f16", "mf16", "bf16", "mbf16")
HALF_TOLERANCE = 0.03
BN_EPSILON = 1e-3
LEAKY_ALPHA = 0.2  # the default of tf.nn.leaky_relu


class Window(NamedTuple):
    """How a convolution moves: everything but its filter's values."""

    extents: Tuple[int, ...]  # of the input, per spatial dimension
    kernel: Tuple[int, ...]
    strides: Tuple[int, ...]
    dilation: int
    padding: str
    groups: int

    @property
    def out(self) -> Tuple[int, ...]:
        sizes = list(zip(self.extents, self.reach(), self.strides, self.kernel))
        if self.padding == "SAME":
            return tuple(-(-size // stride) for size, _, stride, _ in sizes)
        added = [(taps - 1) // 2 * 2 if self.padding == "EXPLICIT" else 0 for _, _, _, taps in sizes]
        return tuple(
            max((size + zeros - reach) // stride + 1, 0) for (size, reach, stride, _), zeros in zip(sizes, added)
        )

    def pads(self) -> List[Tuple[int, int]]:
        """Zeros before and after, per spatial dimension; TensorFlow's SAME puts the odd one after."""
        if self.padding == "VALID":
            return [(0, 0) for _ in self.extents]
        if self.padding == "EXPLICIT":
            return [((taps - 1) // 2,) * 2 for taps in self.kernel]
        sizes = zip(self.extents, self.out, self.reach(), self.strides)
        total = [max((out - 1) * stride + reach - size, 0) for size, out, reach, stride in sizes]
        return [(zeros // 2, zeros - zeros // 2) for zeros in total]

    def taps(self) -> Iterator[Tuple[Tuple[int, ...], Tuple[Any, ...]]]:
        """Each position in the filter, with the slice of the padded input that it meets."""
        for tap in np.ndindex(*self.kernel):
            starts = [offset * self.dilation for offset in tap]
            steps = zip(starts, self.out, self.strides)
            spatial = [slice(start, start + count * stride, stride) for start, count, stride in steps]
            yield tap, (slice(None),) + tuple(spatial)

    def reach(self) -> Tuple[int, ...]:
        """How many input pixels the filter spans, per spatial dimension."""
        return tuple((size - 1) * self.dilation + 1 for size in self.kernel)


def convolve(x: Any, filters: Any, window: Window) -> Any:
    padded = _pad(x, window)
    weights = _split_groups(filters, window.groups)
    y = np.zeros((x.shape[0],) + window.out + weights.shape[-2:])
    for tap, part in window.taps():
        y += np.einsum("...gi,igo->...go", _split_groups(padded[part], window.groups), weights[tap])
    return y.reshape(y.shape[:-2] + (filters.shape[-1],))


def input_gradient(dy: Any, filters: Any, window: Window) -> Any:
    weights = _split_groups(filters, window.groups)
    cotangent = _split_groups(dy, window.groups)
    pads = window.pads()
    sizes = tuple(size + sum(pad) for size, pad in zip(window.extents, pads))
    padded = np.zeros((dy.shape[0],) + sizes + (window.groups, filters.shape[-2]))
    for tap, part in window.taps():
        padded[part] += np.einsum("...go,igo->...gi", cotangent, weights[tap])
    inner = tuple(slice(before, before + size) for (before, _), size in zip(pads, window.extents))
    dx = padded[(slice(None),) + inner]
    return dx.reshape(dx.shape[:-2] + (window.groups * filters.shape[-2],))


def filter_gradient(x: Any, dy: Any, window: Window) -> Any:
    padded, pixels = _pad(x, window), _product(dy.shape[:-1])
    cotangent = dy.reshape(pixels, window.groups, dy.shape[-1] // window.groups)
    shape = (pixels, window.groups, x.shape[-1] // window.groups)
    taps = [np.einsum("pgi,pgo->igo", padded[part].reshape(shape), cotangent) for _, part in window.taps()]
    return np.stack(taps).reshape(window.kernel + (x.shape[-1] // window.groups, dy.shape[-1]))


def _pad(x: Any, window: Window) -> Any:
    return np.pad(x, [(0, 0)] + window.pads() + [(0, 0)], mode="constant")


def _split_groups(channels_last: Any, groups: int) -> Any:
    return channels_last.reshape(channels_last.shape[:-1] + (groups, channels_last.shape[-1] // groups))


Gradients = Tuple[Any, List[Any]]


class Linear(NamedTuple):
    """What an approach computes before the epilogue, and its gradients by input and filters."""

    forward: Callable[..., Any]  # x, filters -> y
    gradients: Callable[..., Gradients]  # x, filters, dy -> dx, dfilters
    filter_shapes: List[Tuple[int, ...]]
    reductions: Tuple[int, int, int]  # how many products one element of y, dx and dfilters sums up


def linear(form: str, rank: int, case: Case) -> Linear:
    made = _FORMS[form](case, rank)
    return _weight_normalised(made, case) if case.weight_norm else made


def window_of(case: Case, rank: int, **changes: Any) -> Window:
    kernel = (case.kernel[0],) * (rank - 2) + case.kernel[-min(rank, 2) :]
    extents = (case.h,) * (rank - 2) + (case.h, case.w)[-min(rank, 2) :]
    strides = case.strides[:1] * (rank - 2) + case.strides[-min(rank, 2) :]
    window = Window(extents, kernel, strides, case.dilation, case.padding, case.groups)
    return window._replace(**changes)


def _grouped(case: Case, rank: int) -> Linear:
    window = window_of(case, rank)
    taps, pixels = _product(window.kernel), case.n * _product(window.out)
    return Linear(
        forward=lambda x, filters: convolve(x, filters[0], window),
        gradients=lambda x, filters, dy: (input_gradient(dy, filters[0], window), [filter_gradient(x, dy, window)]),
        filter_shapes=[window.kernel + (case.cin // case.groups, case.cout)],
        reductions=(taps * case.cin // case.groups, taps * case.cout // case.groups, pixels),
    )


def _depthwise(case: Case, rank: int) -> Linear:
    """One channel a group, with TensorFlow's filter shape: kernel + (cin, multiplier)."""
    if case.groups != case.cin:
        raise ValueError("depthwise needs one channel a group, not {}".format(case.geometry))
    grouped = _grouped(case, rank)
    shape = grouped.filter_shapes[0]

    def gradients(x: Any, filters: List[Any], dy: Any) -> Gradients:
        dx, (dfilter,) = grouped.gradients(x, [filters[0].reshape(shape)], dy)
        return dx, [dfilter.reshape(filters[0].shape)]

    return grouped._replace(
        forward=lambda x, filters: grouped.forward(x, [filters[0].reshape(shape)]),
        gradients=gradients,
        filter_shapes=[shape[:-2] + (case.cin, case.cout // case.cin)],
    )


def _separable(case: Case, rank: int) -> Linear:
    """Depthwise with multiplier 1, then 1x1 over all channels."""
    depthwise = _depthwise(case._replace(cout=case.cin), rank)
    first = window_of(case, rank)
    pointwise = Window(first.out, (1,) * rank, (1,) * rank, 1, "VALID", 1)

    def gradients(x: Any, filters: List[Any], dy: Any) -> Gradients:
        middle = depthwise.forward(x, filters[:1])
        dmiddle = input_gradient(dy, filters[1], pointwise)
        dx, dfilters = depthwise.gradients(x, filters[:1], dmiddle)
        return dx, dfilters + [filter_gradient(middle, dy, pointwise)]

    taps, _, pixels = depthwise.reductions
    return Linear(
        forward=lambda x, filters: convolve(depthwise.forward(x, filters[:1]), filters[1], pointwise),
        gradients=gradients,
        filter_shapes=depthwise.filter_shapes + [(1,) * rank + (case.cin, case.cout)],
        reductions=(taps + case.cin, taps + case.cout, pixels),
    )


def _transpose(case: Case, rank: int) -> Linear:
    """The input gradient of the grouped convolution that leads from cout to cin channels: TensorFlow's own words."""
    small = window_of(case, rank)
    sizes = list(zip(small.extents, small.strides, small.reach()))
    spread = [max(reach - stride, 0) if case.padding == "VALID" else 0 for _, stride, reach in sizes]
    window = small._replace(extents=tuple(size * stride + more for (size, stride, _), more in zip(sizes, spread)))
    taps, pixels = _product(window.kernel), case.n * _product(small.extents)
    return Linear(
        forward=lambda x, filters: input_gradient(x, filters[0], window),
        gradients=lambda x, filters, dy: (convolve(dy, filters[0], window), [filter_gradient(dy, x, window)]),
        filter_shapes=[window.kernel + (case.cout // case.groups, case.cin)],
        reductions=(taps * case.cin // case.groups, taps * case.cout // case.groups, pixels),
    )


def _depthwise_sum(case: Case, rank: int) -> Linear:
    """The grouped convolution with a depthwise filter: kernel + (cin, outputs of a group)."""
    grouped = _grouped(case, rank)
    kernel, channels, outputs = grouped.filter_shapes[0][:-2], case.cin // case.groups, case.cout // case.groups

    def narrow(filters: Any) -> Any:
        """To kernel + (channels of a group, cout)."""
        split = filters.reshape(kernel + (case.groups, channels, outputs))
        return np.moveaxis(split, -3, -2).reshape(kernel + (channels, case.cout))

    def wide(filters: Any) -> Any:
        split = filters.reshape(kernel + (channels, case.groups, outputs))
        return np.moveaxis(split, -2, -3).reshape(kernel + (case.cin, outputs))

    def gradients(x: Any, filters: List[Any], dy: Any) -> Gradients:
        dx, (dfilter,) = grouped.gradients(x, [narrow(filters[0])], dy)
        return dx, [wide(dfilter)]

    return grouped._replace(
        forward=lambda x, filters: grouped.forward(x, [narrow(filters[0])]),
        gradients=gradients,
        filter_shapes=[kernel + (case.cin, outputs)],
    )


def _per_group(case: Case, rank: int) -> Linear:
    """The grouped convolution with a filter for each group: kernel + (channels of a group, outputs of a group)."""
    grouped = _grouped(case, rank)

    def gradients(x: Any, filters: List[Any], dy: Any) -> Gradients:
        dx, (dfilter,) = grouped.gradients(x, [np.concatenate(filters, axis=-1)], dy)
        return dx, list(np.split(dfilter, case.groups, axis=-1))

    shape = grouped.filter_shapes[0][:-1] + (case.cout // case.groups,)
    return grouped._replace(
        forward=lambda x, filters: grouped.forward(x, [np.concatenate(filters, axis=-1)]),
        gradients=gradients,
        filter_shapes=[shape] * case.groups,
    )


def _per_sample(case: Case, rank: int) -> Linear:
    """A convolution with a filter for each sample: (n,) + kernel + (cin, cout). The groups are the samples."""
    if case.groups != case.n:
        raise ValueError("per-sample needs as many groups as samples, not {}".format(case.geometry))
    window = window_of(case, rank, groups=1)

    def each(x: Any, filters: List[Any]) -> Any:
        return zip(np.split(x, case.n), filters[0])

    def gradients(x: Any, filters: List[Any], dy: Any) -> Gradients:
        samples = list(zip(each(x, filters), np.split(dy, case.n)))
        dx = [input_gradient(cotangent, weights, window) for (_, weights), cotangent in samples]
        dfilters = [filter_gradient(image, cotangent, window) for (image, _), cotangent in samples]
        return np.concatenate(dx), [np.stack(dfilters)]

    taps = _product(window.kernel)
    return Linear(
        forward=lambda x, filters: np.concatenate(
            [convolve(one, weights, window) for one, weights in each(x, filters)]
        ),
        gradients=gradients,
        filter_shapes=[(case.n,) + window.kernel + (case.cin, case.cout)],
        reductions=(taps * case.cin, taps * case.cout, _product(window.out)),
    )


def _mixed(case: Case, rank: int) -> Linear:
    """MixConv: a depthwise convolution for each part of the channels, of which each has a kernel larger by 2."""
    channels, outputs = case.cin // case.groups, case.cout // case.groups
    whole = case._replace(cin=channels, cout=outputs, groups=channels)
    parts = [
        _depthwise(whole._replace(kernel=(case.kernel[0] + more, case.kernel[1] + more)), rank)
        for more in range(0, 2 * case.groups, 2)
    ]

    def forward(x: Any, filters: List[Any]) -> Any:
        inputs = np.split(x, case.groups, axis=-1)
        outputs = [part.forward(one, [weights]) for part, one, weights in zip(parts, inputs, filters)]
        return np.concatenate(outputs, axis=-1)

    def gradients(x: Any, filters: List[Any], dy: Any) -> Gradients:
        inputs, cotangents = np.split(x, case.groups, axis=-1), np.split(dy, case.groups, axis=-1)
        found = [
            part.gradients(one, [weights], cotangent)
            for part, one, weights, cotangent in zip(parts, inputs, filters, cotangents)
        ]
        return np.concatenate([dx for dx, _ in found], axis=-1), [dfilters[0] for _, dfilters in found]

    return Linear(
        forward=forward,
        gradients=gradients,
        filter_shapes=[part.filter_shapes[0] for part in parts],
        reductions=parts[-1].reductions,
    )


_FORMS: Dict[str, Callable[[Case, int], Linear]] = {
    "grouped": _grouped,
    "depthwise": _depthwise,
    "separable": _separable,
    "transpose": _transpose,
    "depthwise-sum": _depthwise_sum,
    "per-group": _per_group,
    "per-sample": _per_sample,
    "mixed": _mixed,
}


def _weight_normalised(plain: Linear, case: Case) -> Linear:
    """The filter is a direction, brought to a length that is learnt: see gain()."""
    lengths = gain(case)

    def summed(values: Any) -> Any:
        """Over all axes that share a length."""
        axes = tuple(axis for axis in range(values.ndim) if axis != normed_axis(case, values.ndim))
        return np.sum(values, axis=axes, keepdims=True)

    def normal(direction: Any) -> Tuple[Any, Any]:
        length = np.sqrt(summed(np.square(direction)))
        return direction / length, length

    def gradients(x: Any, filters: List[Any], dy: Any) -> Gradients:
        unit, length = normal(filters[0])
        dx, (dfilter,) = plain.gradients(x, [unit * lengths], dy)
        dunit = dfilter * lengths
        return dx, [(dunit - unit * summed(dunit * unit)) / length]

    return plain._replace(
        forward=lambda x, filters: plain.forward(x, [normal(filters[0])[0] * lengths]), gradients=gradients
    )


def normed_axis(case: Case, rank: int) -> int:
    """The axis of a weight-normalised filter that has a length for each of its entries: its outputs or positions."""
    return 0 if case.weight_norm == "positions" else rank - 1


def gain(case: Case) -> Any:
    """The lengths of a weight-normalised filter, in a shape that multiplies it."""
    if case.weight_norm == "positions":
        return np.linspace(0.5, 1.5, case.kernel[1]).reshape(-1, 1, 1)
    return np.linspace(0.5, 1.5, case.cout)


def _product(sizes: Tuple[int, ...]) -> int:
    return int(np.prod(sizes))


def tolerance(dtype: str, products: int) -> float:
    """Four times the dtype's epsilon times the square root of the length of the sum: roundings add up at random. A half
    type has HALF_TOLERANCE at most: its kernels sum up in float32, and round each value of the result a few times.

    For the base case that is 3e-6 in float32. Two output channels swapped are an error of 0.3, one group of four 15%
    too large is an error of 0.07.
    """
    bound = 4 * EPSILON[dtype] * products**0.5
    return min(bound, HALF_TOLERANCE) if dtype in HALVES else bound


Pullback = Callable[[Any], Any]


def epilogue(steps: Sequence[str], y: Any, parameters: Dict[str, Any]) -> Tuple[Any, Pullback, Any]:
    """The output; from a cotangent of it to that of the linear part's output; each value's distance to a kink."""
    pullbacks: List[Pullback] = []
    distance = np.full(y.shape, np.inf)
    for step in steps:
        if step in ("bias", "plus", "add"):
            y = y + parameters["bias" if step == "plus" else step]
        elif step in _NORMS:
            y, pullback = _NORMS[step](y, parameters)
            pullbacks.append(pullback)
        else:
            y, slope, distance = _activate(step, y)
            pullbacks.append(lambda dy, slope=slope: dy * slope)
    return y, lambda dy: reduce(lambda cotangent, pullback: pullback(cotangent), reversed(pullbacks), dy), distance


def _norm(y: Any, parameters: Dict[str, Any]) -> Tuple[Any, Pullback]:
    """Batch norm in inference: by the mean and variance that were learnt."""
    factor = parameters["scale"] / np.sqrt(parameters["variance"] + BN_EPSILON)
    return (y - parameters["mean"]) * factor + parameters["offset"], lambda dy: dy * factor


def _norm_in_training(y: Any, parameters: Dict[str, Any]) -> Tuple[Any, Pullback]:
    """By mean and variance of the batch, which the gradient goes through as well (Ioffe and Szegedy 2015)."""
    axes = tuple(range(y.ndim - 1))
    deviation = np.sqrt(y.var(axis=axes) + BN_EPSILON)
    normal = (y - y.mean(axis=axes)) / deviation

    def pullback(dy: Any) -> Any:
        scaled = dy * parameters["scale"]
        return (scaled - scaled.mean(axis=axes) - normal * (scaled * normal).mean(axis=axes)) / deviation

    return normal * parameters["scale"] + parameters["offset"], pullback


_NORMS = {"bn": _norm, "bn_training": _norm_in_training}


def _activate(name: str, z: Any) -> Tuple[Any, Any, Any]:  # noqa: PLR0911
    if name == "relu":
        return np.maximum(z, 0), np.where(z > 0, 1.0, 0.0), np.abs(z)
    if name == "relu6":
        inside = (z > 0) & (z < 6)
        return np.clip(z, 0, 6), np.where(inside, 1.0, 0.0), np.minimum(np.abs(z), np.abs(z - 6))
    if name == "leaky_relu":
        slope = np.where(z > 0, 1.0, LEAKY_ALPHA)
        return z * slope, slope, np.abs(z)
    if name == "elu":  # its slope has no step at zero
        growth = np.exp(np.minimum(z, 0))
        return np.where(z > 0, z, growth - 1), growth, np.full(z.shape, np.inf)
    if name == "sigmoid":
        gate = 1 / (1 + np.exp(-z))
        return gate, gate * (1 - gate), np.full(z.shape, np.inf)
    if name == "swish":
        gate = 1 / (1 + np.exp(-z))
        return z * gate, gate * (1 + z * (1 - gate)), np.full(z.shape, np.inf)
    if name == "gelu":
        below = 0.5 * (1 + _erf(z / np.sqrt(2)))
        return z * below, below + z * np.exp(-np.square(z) / 2) / np.sqrt(2 * np.pi), np.full(z.shape, np.inf)
    if name == "hard_swish":
        slope = np.where(z <= -3, 0.0, np.where(z >= 3, 1.0, (2 * z + 3) / 6))
        return z * np.clip(z + 3, 0, 6) / 6, slope, np.minimum(np.abs(z + 3), np.abs(z - 3))
    raise ValueError("no activation is called {!r}".format(name))


_erf = np.vectorize(math.erf, otypes=[np.float64])


def round_to(dtype: str, values: Any) -> Any:
    """The nearest values of the dtype, in float64. NumPy has no bfloat16: round its half of a float32's bits."""
    kinds = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "mf16": np.float16}
    if dtype in kinds:
        return values.astype(kinds[dtype]).astype(np.float64)
    bits = values.astype(np.float32).view(np.uint32)
    nearest_even = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (nearest_even & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


def relative_error(got: Any, want: Any) -> float:
    """Frobenius norm of the difference over that of the wanted array; the difference itself where nothing is wanted."""
    difference = np.sqrt(np.sum(np.square(np.asarray(got, np.float64) - want)))
    return float(difference / (np.sqrt(np.sum(np.square(want))) or 1.0))
