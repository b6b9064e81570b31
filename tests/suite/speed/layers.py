"""What is timed: layers, networks, batches, variants, their points by depth, and the least that each must compute.

Standard library only and no other module of the suite: whoever reads the samples reads this file too.
"""

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

REFUSAL = "speed is measured from 2.0 on: this is {}"


class Layer(NamedTuple):
    """A convolution over square images: SAME padding, no dilation."""

    size: int
    cin: int
    cout: int
    groups: int
    kernel: int = 3
    stride: int = 1

    @property
    def out(self) -> int:
        """The size of the output."""
        return -(-self.size // self.stride)


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


def _bottleneck(cin: int, grouped: Layer, cout: int) -> List[Layer]:
    """A block of ResNeXt, RegNet and MobileNet v2: a 1x1 convolution before the grouped one, and one after it."""
    return [Layer(grouped.size, cin, grouped.cin, 1, 1), grouped, Layer(grouped.out, grouped.cout, cout, 1, 1)]


def _resnext50() -> List[Layer]:
    chain: List[Layer] = []
    size, cin = 56, 64
    for count, mid, stride in ((3, 128, 1), (4, 256, 2), (6, 512, 2), (3, 1024, 2)):
        for number in range(count):
            chain += _bottleneck(cin, Layer(size, mid, mid, 32, 3, 1 if number else stride), 2 * mid)
            size, cin = chain[-1].size, 2 * mid
    return chain


def _regnetx32() -> List[Layer]:
    chain: List[Layer] = []
    size, cin = 112, 32
    for count, width in ((2, 96), (6, 192), (15, 432), (2, 1008)):
        for number in range(count):
            chain += _bottleneck(cin, Layer(size, width, width, width // 48, 3, 1 if number else 2), width)
            size, cin = chain[-1].size, width
    return chain


def _shufflenet() -> List[Layer]:
    """In three groups. The first 1x1 convolution of its second stage has no groups."""
    chain: List[Layer] = []
    size, cin = 56, 24
    for count, cout in ((4, 240), (8, 480), (4, 960)):
        for number in range(count):
            mid, groups = cout // 4, 1 if cin == 24 else 3
            depthwise = Layer(size, mid, mid, mid, 3, 1 if number else 2)
            chain += [Layer(size, cin, mid, groups, 1), depthwise, Layer(depthwise.out, mid, cout, 3, 1)]
            size, cin = depthwise.out, cout
    return chain


def _mobilenet2() -> List[Layer]:
    chain: List[Layer] = []
    size, cin = 112, 32
    for expand, cout, count, first in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for number in range(count):
            mid = expand * cin
            block = _bottleneck(cin, Layer(size, mid, mid, mid, 3, 1 if number else first), cout)
            chain += block if expand > 1 else block[1:]
            size, cin = chain[-1].size, cout
    return chain


def _convnext_t() -> List[Layer]:
    chain: List[Layer] = []
    size = 56
    for count, width in ((3, 96), (3, 192), (9, 384), (3, 768)):
        if chain:
            chain.append(Layer(2 * size, width // 2, width, 1, 2, 2))
        for _ in range(count):
            chain += [Layer(size, width, width, width, 7), Layer(size, width, 4 * width, 1, 1)]
            chain.append(Layer(size, 4 * width, width, 1, 1))
        size //= 2
    return chain


# The convolutions of whole networks in their order, without stem, shortcuts and channel shuffles, each followed by bias
# and ReLU: those of the layers above, and MobileNet v2 (Sandler et al. 2018) in place of v1.
NETWORKS = {
    "resnext50": _resnext50(),
    "regnetx32": _regnetx32(),
    "shufflenet": _shufflenet(),
    "mobilenet2": _mobilenet2(),
    "convnext-t": _convnext_t(),
}


def named(name: str) -> Layer:
    """A layer by its name; `resnext50/7` is the eighth of a network."""
    network, _, number = name.partition("/")
    return NETWORKS[network][int(number)] if number else LAYERS[name]


def replaced(network: str) -> List[int]:
    """The numbers of the layers that the approach in hand writes: the grouped ones. Where a network has those and
    depthwise ones too, the depthwise ones stay tf.nn.depthwise_conv2d, as everybody has them.
    """
    chain = list(enumerate(NETWORKS[network]))
    grouped = [number for number, layer in chain if 1 < layer.groups < layer.cin]
    return grouped or [number for number, layer in chain if layer.groups > 1]


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
    "keras-per-group",
    "depthwise-sum",
    "masked-dense",
    "patches-einsum",
    "fused-kernel",
)
REFERENCES = {
    "dense": "the convolution of the same input to the same output without groups: as many times the arithmetic",
    "again": "the control A/A: the very program of BASES made a second time",
    "planted": "the control: the same again, and after each call a busy wait of PLANTED of what the call took",
    "frozen": "the same once more, with its filter and bias as constants: a model that was frozen for inference",
    "in-f32": "the same once more in f32, where the point has half precision",
}
# what these repeat but for `dense`: the first of these that works at the point
BASES = ("nn-conv2d", "split-concat", "depthwise")
PLANTED = 0.15

# An operation a group. Where there are hundreds, tracing and optimizing them takes seconds (XLA: minutes), and slicing
# takes what splitting does.
UNROLLED = ("split-concat", "slice-loop", "keras-per-group")
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
        """What a pattern of the command line is matched with: `resnext50-56/1/graph/forward`, and behind that `/bf16`
        where it is not f32.
        """
        parts = (self.layer, str(self.batch), self.mode, self.direction)
        return "/".join(parts if self.dtype == "f32" else parts + (self.dtype,))


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


def _half() -> List[Point]:
    """In half precision a layer of each kind: some groups, one a channel, 1x1. All layers would take twice as
    long: on some processors a call takes seconds to train in f16.
    """
    return [
        Point(layer, 1, "graph", direction, dtype=dtype)
        for layer in ("resnext50-14", "mobilenet-14", "shufflenet-28")
        for dtype in ("bf16", "f16")
        for direction in DIRECTIONS
    ]


def _network() -> List[Point]:
    return [point for point in _networks() if point.layer == "shufflenet" and point.batch == 1]


def _networks() -> List[Point]:
    """Point by point a network in a graph, one image and more."""
    return [
        Point(network, batch, "graph", direction)
        for network in NETWORKS
        for batch in (1, LARGER)
        for direction in DIRECTIONS
    ]


DEPTHS = {
    "quick": _quick,
    "default": _default,
    "full": _full,
    "half": _half,
    "network": _network,
    "networks": _networks,
}


def points(depth: str) -> List[Point]:
    return DEPTHS[depth]()


def variants(point: Point, depth: str = "default") -> List[str]:
    """The approaches that are tried at a point, then the references."""
    applies = {
        "frozen": (point.mode, point.direction) == ("graph", "forward") and point.layer in LAYERS,
        "in-f32": point.dtype != "f32",
    }
    references = [name for name in REFERENCES if applies.get(name, True)]
    return [name for name in APPROACHES if _applies(name, point, depth)] + references


def _applies(approach: str, point: Point, depth: str) -> bool:
    if point.layer in NETWORKS:
        written = [NETWORKS[point.layer][number] for number in replaced(point.layer)]
        most, is_depthwise = max(layer.groups for layer in written), written[0].groups == written[0].cin
        if approach in UNROLLED:  # slicing takes what splitting does
            return approach == "split-concat" and most <= MANY
        return is_depthwise if approach == "depthwise" else approach != "fused-kernel"
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
    each = (2 * point.batch * _taps(layer) ** 2 * layer.cout * (layer.cin // layer.groups) for layer in _layers(point))
    return PASSES[point.direction] * sum(each)


def _layers(point: Point) -> List[Layer]:
    return NETWORKS.get(point.layer) or [LAYERS[point.layer]]


def _taps(layer: Layer) -> int:
    """How often a tap meets a pixel, over all outputs of one dimension; SAME puts the odd zero after."""
    size, kernel = layer.size, layer.kernel
    before = max((layer.out - 1) * layer.stride + kernel - size, 0) // 2
    starts = range(-before, layer.out * layer.stride - before, layer.stride)
    return sum(min(start + kernel, size) - max(start, 0) for start in starts)


def moved(point: Point) -> int:
    """Bytes of input, filter and output, each once. Each of training's three passes has three such arrays."""
    values = 0
    for layer in _layers(point):
        feature_maps = point.batch * (layer.size**2 * layer.cin + layer.out**2 * layer.cout)
        values += feature_maps + layer.kernel**2 * layer.cin // layer.groups * layer.cout
    return PASSES[point.direction] * values * BYTES[point.dtype]


def key(point: Point) -> Dict[str, Any]:
    """The words of a point as they stand in the stream."""
    return dict(point._asdict())


def rows(depth: str) -> List[Tuple[Point, str]]:
    """All that a process of this depth answers for, point by variant."""
    return [(point, variant) for point in points(depth) for variant in variants(point, depth)]
