"""What is timed: layers, batches, variants, their points by depth, and the least that each must compute and move.

Standard library only and no other module of the suite: whoever reads the samples reads this file too.
"""

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

REFUSAL = "speed is measured from 2.0 on: this is {}"


class Layer(NamedTuple):
    """A convolution over square images: stride 1, SAME padding, no dilation."""

    size: int
    cin: int
    cout: int
    groups: int
    kernel: int = 3


# Where a name stands in the suite's catalog too, the sizes are the same: ResNeXt-50 32x4d (Xie et al. 2017),
# RegNetX-3.2GF (Radosavovic et al. 2020), MobileNet v1 (Howard et al. 2017), ConvNeXt-T (Liu et al. 2022). ShuffleNet
# with 3 groups (Zhang et al. 2018): the 1x1 convolution that begins a unit of its second stage.
NAMED = {
    "resnext50-56": Layer(56, 128, 128, 32),
    "resnext50-28": Layer(28, 256, 256, 32),
    "resnext50-14": Layer(14, 512, 512, 32),
    "regnetx32-14": Layer(14, 432, 432, 9),
    "mobilenet-14": Layer(14, 512, 512, 512),
    "convnext-56": Layer(56, 96, 96, 96, kernel=7),
    "shufflenet-28": Layer(28, 240, 60, 3, kernel=1),
}
# The same channels in ever more groups: from how many on does what pay off?
SWEEP = {"sweep-g{}".format(groups): Layer(28, 128, 128, groups) for groups in (1, 2, 4, 8, 16, 32, 64, 128)}
LAYERS = dict(NAMED, **SWEEP)

DIRECTIONS = {
    "forward": "the output of the layer",
    "train": "the output, and the gradients of sum(output * cotangent) by input and filter, in one call",
}
# how a call is made: as the suite's modes, and the direction that it has
MODES = {
    "eager": tuple(DIRECTIONS),
    "graph": tuple(DIRECTIONS),
    "jit": tuple(DIRECTIONS),
    "keras": tuple(DIRECTIONS),  # predict_on_batch; train_on_batch, one step of SGD
    "savedmodel": ("forward",),
    "tflite": ("forward",),
}

# The suite's approaches that compute the very layer. The order is that of a page, not of a measurement.
APPROACHES = (
    "nn-conv2d",
    "keras-groups",
    "depthwise",
    "split-concat",
    "slice-loop",
    "masked-dense",
    "patches-einsum",
    "fused-kernel",
)
REFERENCES = {
    "dense": "the convolution of the same input to the same output without groups: as many times the arithmetic",
    "again": "the control A/A: the very program of BASES made a second time",
    "planted": "the control: the same again, and after each call a busy wait of PLANTED of what the call took",
}
# what `again` and `planted` repeat: the first of these that works at the point
BASES = ("nn-conv2d", "split-concat", "depthwise")
PLANTED = 0.15

# An operation a group. Where there are hundreds, tracing and optimizing them takes seconds (XLA: minutes), and slicing
# takes what splitting does.
UNROLLED = ("split-concat", "slice-loop")
MANY = 128


class Point(NamedTuple):
    """What the variants are compared on."""

    layer: str
    batch: int
    mode: str
    direction: str
    epilogue: str = "bias_relu"
    dtype: str = "f32"
    layout: str = "nhwc"

    @property
    def id(self) -> str:
        """What a pattern of the command line is matched with: `resnext50-56/1/graph/forward`."""
        return "/".join((self.layer, str(self.batch), self.mode, self.direction))


LARGER = 8  # images
QUICK = (("resnext50-14", "forward"), ("resnext50-14", "train"), ("mobilenet-14", "forward"))


def _quick() -> List[Point]:
    return [Point(layer, 1, "graph", direction) for layer, direction in QUICK]


def _default() -> List[Point]:
    return [Point(layer, 1, "graph", direction) for layer in NAMED for direction in DIRECTIONS]


def _full() -> List[Point]:
    """Of a larger batch in a graph alone: a mode decides how a call is made, which one image shows. With both batches
    in all modes a process of 2.21.0 had 113 of 156 points after 19 minutes; what XLA makes of the gradient of a grouped
    filter takes seconds a call.
    """
    points = []
    for layer in NAMED:
        points += [Point(layer, 1, mode, direction) for mode, directions in MODES.items() for direction in directions]
        points += [Point(layer, LARGER, "graph", direction) for direction in DIRECTIONS]
    return points + [Point(layer, 1, "graph", direction) for layer in SWEEP for direction in DIRECTIONS]


DEPTHS = {"quick": _quick, "default": _default, "full": _full}


def points(depth: str) -> List[Point]:
    return DEPTHS[depth]()


def variants(point: Point, depth: str = "default") -> List[str]:
    """The approaches that are tried at a point, then the references."""
    return [name for name in APPROACHES if _applies(name, point, depth)] + list(REFERENCES)


def _applies(approach: str, point: Point, depth: str) -> bool:
    layer = LAYERS[point.layer]
    if approach == "depthwise":
        return layer.groups == layer.cin
    if approach == "fused-kernel":  # a graph's node without a gradient
        return depth == "full" and (point.mode, point.direction) == ("graph", "forward")
    if approach in UNROLLED and layer.groups > MANY:
        return (
            approach == "split-concat" and point.mode == "graph" and (depth == "full" or point.direction == "forward")
        )
    return True


def balanced(items: Sequence[Any], row: int) -> List[Any]:
    """The items in the order of one row of a balanced Latin square (Williams 1949).

    Over len(items) consecutive rows (twice as many where their number is odd) each item has each position as often as
    any other, and follows each other item as often as any other.
    """
    count = len(items)
    zigzag = [(number + 1) // 2 if number % 2 else (count - number // 2) % count for number in range(count)]
    order = [items[(place + row) % count] for place in zigzag]
    return order[::-1] if count % 2 and row // count % 2 else order


PASSES = {"forward": 1, "train": 3}  # the output; the gradient of the input; the gradient of the filter
BYTES = {"f32": 4, "f64": 8, "f16": 2, "bf16": 2}


def operations(point: Point) -> int:
    """Multiplications and additions that the layer cannot do without, whatever the variant does.

    2 * N * Hout * Wout * Cout * (Cin / G) * taps, where a tap that meets padding does not count; three times that to
    train. Bias and activation are left out.
    """
    layer = LAYERS[point.layer]
    met = _taps(layer.size, layer.kernel) ** 2
    return PASSES[point.direction] * 2 * point.batch * met * layer.cout * (layer.cin // layer.groups)


def _taps(size: int, kernel: int) -> int:
    """How often a tap meets a pixel, over all outputs of one dimension; SAME puts the odd zero after."""
    before = (kernel - 1) // 2
    starts = range(-before, size - before)
    return sum(min(start + kernel, size) - max(start, 0) for start in starts)


def moved(point: Point) -> int:
    """Bytes of input, filter and output, each once. Each of training's three passes has three such arrays."""
    layer = LAYERS[point.layer]
    feature_maps = point.batch * layer.size**2 * (layer.cin + layer.cout)
    filters = layer.kernel**2 * layer.cin // layer.groups * layer.cout
    return PASSES[point.direction] * (feature_maps + filters) * BYTES[point.dtype]


def key(point: Point) -> Dict[str, Any]:
    """The words of a point as they stand in the stream."""
    return dict(point._asdict())


def rows(depth: str) -> List[Tuple[Point, str]]:
    """All that a process of this depth answers for, point by variant."""
    return [(point, variant) for point in points(depth) for variant in variants(point, depth)]
