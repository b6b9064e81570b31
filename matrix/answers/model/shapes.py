"""Infers the shapes of feature maps, for files that do not tell them.

Nothing is guessed: an operation that is not known here leaves the shape unknown.
"""

from typing import Callable, Dict, List, Optional, Sequence

from .protobuf import Message, message, numbers, parts, text

Size = Optional[int]
Shape = Optional[List[Size]]
Constants = Sequence[Optional[List[int]]]

KEPT = frozenset(
    "Identity ReadVariableOp BiasAdd FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Relu Relu6 Elu Selu LeakyRelu"
    " Sigmoid Tanh Softplus Erf Cast StopGradient Softmax Rsqrt Sqrt Square Neg Exp Dropout Mul Add AddV2 Sub Maximum"
    " Minimum RealDiv SquaredDifference PlaceholderWithDefault CheckNumerics".split()
)


def window(size: Size, kernel: int, stride: int, dilation: int, padding: str) -> Size:
    """Return the size of an output, along one dimension."""
    if size is None or padding not in {"same", "valid", "causal"}:
        return None
    if padding == "valid":
        size -= dilation * (kernel - 1)
    return max(0, -(-size // stride)) or None


def upscaled(size: Size, kernel: int, stride: int, padding: str) -> Size:
    """Return the size of a transposed convolution's output."""
    if size is None or padding not in {"same", "valid"}:
        return None
    return size * stride + (max(kernel - stride, 0) if padding == "valid" else 0)


def infer(op: str, given: List[Shape], constants: Constants, attr: Callable[[str], Message]) -> List[Shape]:
    """Return the shapes of a node's outputs."""
    image = given[0] if given else None
    if op == "IdentityN":
        return list(given)
    if op in KEPT:
        return [
            _broadcast(given[:2]) if op in {"Mul", "Add", "AddV2", "Sub", "Maximum", "Minimum", "RealDiv"} else image
        ]
    if op in {"Conv2DBackpropInput", "Conv3DBackpropInputV2"} and constants and constants[0]:
        return [[size if size > 0 else None for size in constants[0]]]
    return _RULES[op](image, given, constants, attr) if image is not None and op in _RULES else [None]


def _broadcast(given: Sequence[Shape]) -> Shape:
    known = [one for one in given if one is not None]
    if len(known) < len(given) or not known:
        # A feature map keeps its shape where a vector or a number is the other.
        return None
    longest = max(map(len, known))
    ones: List[Size] = [1]
    filled = [ones * (longest - len(one)) + one for one in known]
    return [None if None in sizes else max(size or 1 for size in sizes) for sizes in zip(*filled)]


def _windowed(image: List[Size], given: List[Shape], _: Constants, attr: Callable[[str], Message]) -> List[Shape]:
    """Of a convolution by its filter, of a pooling by its attribute."""
    weights = given[1] if len(given) > 1 else None
    first = text(attr("data_format"), 2).startswith("NC")
    rank = len(image) - 2
    if rank not in {2, 3} or (weights is not None and len(weights) != rank + 2):
        return [None]
    strides, dilation, ksize = (_spatial(attr(name), rank, first) for name in ("strides", "dilations", "ksize"))
    padding = text(attr("padding"), 2).lower()
    kernel = [size or 1 for size in weights[:rank]] if weights else ksize
    channels = image[1] if first else image[-1]
    if weights:
        channels = weights[-1]
    pixels = image[2:] if first else image[1:-1]
    sizes = [window(*one, padding) for one in zip(pixels, kernel, strides, dilation)]
    return [[image[0], channels] + sizes if first else [image[0]] + sizes + [channels]]


def _depthwise(
    image: List[Size], given: List[Shape], constants: Constants, attr: Callable[[str], Message]
) -> List[Shape]:
    weights = given[1] if len(given) > 1 else None
    if not weights or len(weights) != 4 or weights[2] is None or weights[3] is None:
        return [None]
    return _windowed(image, [image, weights[:2] + [None, weights[2] * weights[3]]], constants, attr)


def _spatial(found: Message, rank: int, first: bool) -> List[int]:
    values = [value for listed in parts(found, 1)[:1] for value in numbers(message(listed), 3)]
    spatial = [max(1, value) for value in (values[2:] if first else values[1:-1])]
    return spatial if len(spatial) == rank else [1] * rank


def _padded(image: List[Size], _: List[Shape], constants: Constants, __: Callable[[str], Message]) -> List[Shape]:
    pads = constants[1] if len(constants) > 1 else None
    if not pads or len(pads) != 2 * len(image):
        return [None]
    return [[None if size is None else size + pads[2 * i] + pads[2 * i + 1] for i, size in enumerate(image)]]


def _concatenated(_: List[Size], given: List[Shape], constants: Constants, __: Callable[[str], Message]) -> List[Shape]:
    axis, joined = constants[-1] if constants else None, given[:-1]
    known = [one for one in joined if one is not None]
    if not axis or len(axis) != 1 or len(known) < len(joined) or len({len(one) for one in known}) != 1:
        return [None]
    place = axis[0] % len(known[0])
    sizes = [one[place] for one in known]
    shape = list(known[0])
    shape[place] = None if None in sizes else sum(size or 0 for size in sizes)
    return [shape]


def _batched(image: List[Size], _: List[Shape], __: Constants, ___: Callable[[str], Message]) -> List[Shape]:
    unknown: List[Size] = [None]
    return [unknown * (len(image) - 1) + image[-1:]]


def _reshaped(_: List[Size], __: List[Shape], constants: Constants, ___: Callable[[str], Message]) -> List[Shape]:
    wanted = constants[1] if len(constants) > 1 else None
    return [[size if size > 0 else None for size in wanted]] if wanted else [None]


def _expanded(image: List[Size], _: List[Shape], constants: Constants, __: Callable[[str], Message]) -> List[Shape]:
    axis = constants[1] if len(constants) > 1 else None
    if not axis or len(axis) != 1:
        return [None]
    place = axis[0] % (len(image) + 1)
    return [image[:place] + [1] + image[place:]]


def _squeezed(image: List[Size], _: List[Shape], __: Constants, attr: Callable[[str], Message]) -> List[Shape]:
    dropped = {place % len(image) for listed in parts(attr("squeeze_dims"), 1) for place in numbers(message(listed), 3)}
    return [[size for place, size in enumerate(image) if place not in dropped]] if dropped else [None]


def _transposed(image: List[Size], _: List[Shape], constants: Constants, __: Callable[[str], Message]) -> List[Shape]:
    order = constants[1] if len(constants) > 1 else None
    if not order or sorted(order) != list(range(len(image))):
        return [None]
    return [[image[place] for place in order]]


def _averaged(image: List[Size], _: List[Shape], constants: Constants, attr: Callable[[str], Message]) -> List[Shape]:
    axes = constants[1] if len(constants) > 1 else None
    if axes is None:
        return [None]
    gone = {axis % len(image) for axis in axes}
    if any(attr("keep_dims").get(5, [])):
        return [[1 if place in gone else size for place, size in enumerate(image)]]
    return [[size for place, size in enumerate(image) if place not in gone]]


_RULES: Dict[str, Callable[[List[Size], List[Shape], Constants, Callable[[str], Message]], List[Shape]]] = {
    **dict.fromkeys(("Conv2D", "Conv3D", "_FusedConv2D", "MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"), _windowed),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _padded),
    **dict.fromkeys(("SpaceToBatchND", "BatchToSpaceND"), _batched),
    "ConcatV2": _concatenated,
    "DepthwiseConv2dNative": _depthwise,
    "ExpandDims": _expanded,
    "Mean": _averaged,
    "Reshape": _reshaped,
    "Squeeze": _squeezed,
    "Transpose": _transposed,
}
