"""Reads a Keras model's description: the JSON of a `.keras` archive, or the one that an HDF5 file holds as a text.

Nothing of it is executed or imported: a Lambda's code, a custom class and a pickled object are names here.
"""

import json
from typing import Any, Dict, Iterator, List, NamedTuple, Set, Tuple

from .layers import (
    ACTIVATIONS,
    DTYPES,
    MOST_DEPTH,
    MOST_LAYERS,
    Layer,
    Reading,
    Unreadable,
    clean,
    counted,
    is_wanted,
    spread,
    whole,
)  # fmt: skip
from .shapes import Shape, Size, upscaled, window

Weights = Dict[str, List[int]]
# Class: what it is, and over how many dimensions.
CONVOLUTIONS = {
    **{"Conv{}D".format(rank): ("conv", rank) for rank in (1, 2, 3)},
    **{"Convolution{}D".format(rank): ("conv", rank) for rank in (1, 2, 3)},
    **{"DepthwiseConv{}D".format(rank): ("depthwise", rank) for rank in (1, 2)},
    **{"SeparableConv{}D".format(rank): ("separable", rank) for rank in (1, 2)},
    **{"Conv{}DTranspose".format(rank): ("transpose", rank) for rank in (1, 2, 3)},
}
POOLING = {"{}Pooling{}D".format(kind, rank) for kind in ("Max", "Average") for rank in (1, 2, 3)}
GLOBAL = {"Global{}Pooling{}D".format(kind, rank) for kind in ("Max", "Average") for rank in (1, 2, 3)}
# They keep the shape of their input.
KEPT = set(
    "BatchNormalization LayerNormalization GroupNormalization UnitNormalization Activation ReLU LeakyReLU ELU PReLU"
    " ThresholdedReLU Softmax Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise GaussianDropout"
    " AlphaDropout Add Subtract Average Maximum Minimum ActivityRegularization Masking Rescaling Normalization Identity"
    " LayerScale StochasticDepth Multiply".split()
)
# Keras' own classes that hold no convolution, besides those above; any other class is told as not read.
OTHERS = set(
    "InputLayer Dense Flatten Reshape Permute RepeatVector Concatenate Dot Embedding LSTM GRU SimpleRNN RNN Attention"
    " AdditiveAttention MultiHeadAttention GroupQueryAttention EinsumDense Resizing CenterCrop RandomFlip RandomCrop"
    " RandomRotation RandomZoom RandomTranslation RandomContrast RandomBrightness UpSampling1D UpSampling2D"
    " UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D StringLookup"
    " IntegerLookup CategoryEncoding TextVectorization Discretization Hashing".split()
)
KNOWN = OTHERS | KEPT | POOLING | GLOBAL
# In inference they do nothing: what follows them follows what was before them.
PASSED = {"Dropout", "SpatialDropout2D", "Identity", "StochasticDepth"}
OPERATIONS = {"Add": "add", "BatchNormalization": "bn"}


class Place(NamedTuple):
    """Where a layer stands: the names before it, how deep that is, the shapes that come in, and what follows it."""

    prefix: str
    depth: int
    given: List[Shape]
    after: Tuple[str, ...]


def parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise Unreadable("its description is no JSON that can be read: {}".format(clean(fault, 120)))


def read(description: object, weights: Weights, form: str) -> Reading:
    walk = _Walk(weights)
    try:
        walk.layer(description, Place("", 0, [], ()))
    except RecursionError:
        raise Unreadable("its description is nested too deeply")
    if not walk.met:
        raise Unreadable("its description holds no layer")
    return Reading(form, walk.layers, walk.others, counted(walk.unread))


class _Walk:
    def __init__(self, weights: Weights) -> None:
        self.kernels = _kernels(weights)
        self.layers: List[Layer] = []
        self.others = self.met = 0
        self.unread: Dict[str, List[str]] = {}

    def layer(self, entry: object, place: Place) -> Shape:
        """Take a layer, or what a model is made of. Return the shape of its output."""
        self.met += 1
        if place.depth > MOST_DEPTH or self.met > MOST_LAYERS:
            raise Unreadable("it has more than {} layers, or is nested too deeply".format(MOST_LAYERS))
        kind, config = (entry.get("class_name"), entry.get("config")) if isinstance(entry, dict) else (None, None)
        if not isinstance(entry, dict) or not isinstance(kind, str) or not isinstance(config, dict):
            raise Unreadable("its description is no Keras model's: a layer has no class or no configuration")
        built, given = entry.get("build_config"), place.given
        if isinstance(built, dict) and isinstance(built.get("input_shape"), list):
            given = [_shape(built["input_shape"])]
        name = place.prefix + clean(config.get("name", entry.get("name", kind)))
        shape: Shape = None
        if isinstance(config.get("layers"), list):
            shape = self.model(config, place._replace(given=given, prefix=name + "/" if place.depth else ""))
        elif isinstance(config.get("layer"), dict):
            self.layer(config["layer"], Place(name + "/", place.depth + 1, [None], ()))
        elif kind in CONVOLUTIONS:
            shape = self.convolution(kind, config, name, given, place.after)
        else:
            self.tell(kind, config.get("function"), name)
            shape = _output(kind, config, given)
        return shape

    def tell(self, kind: str, function: object, name: str) -> None:
        """Note a layer that may hold a convolution without saying so."""
        if kind == "Lambda":
            self.unread.setdefault("Lambda, whose code is not looked at", []).append(name)
        elif kind == "TFOpLambda" and "conv" in str(function):
            self.unread.setdefault("a call of tf.{}".format(clean(function)), []).append(name)
        elif kind not in KNOWN and kind not in {"TFOpLambda", "SlicingOpLambda"}:
            self.unread.setdefault("{}, no layer of Keras: what it computes is unknown".format(kind), []).append(name)

    def model(self, config: Dict[str, Any], place: Place) -> Shape:
        """Take the layers of a model, each with what follows it. Return the shape of the last one's output."""
        entries = config["layers"]
        if not all(isinstance(entry, dict) for entry in entries):
            raise Unreadable("its description is no Keras model's: a layer has no class or no configuration")
        names, inputs = [], {}
        for number, entry in enumerate(entries):
            inner = entry.get("config")
            name = entry.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
            name = name if isinstance(name, str) else "layer {}".format(number)
            names.append(name)
            inputs[name] = list(_inbound(entry.get("inbound_nodes"))) or names[-2:-1]
        users: Dict[str, List[int]] = {}
        for number, name in enumerate(names):
            for given in set(inputs[name]):
                users.setdefault(given, []).append(number)
        known: Dict[str, Shape] = {}
        shape: Shape = None
        for name, entry in zip(names, entries):
            if "inbound_nodes" in entry and not entry["inbound_nodes"]:
                inputs[name] = []
            shapes = [known.get(one) for one in inputs[name]] or place.given
            after = _after(name, names, entries, users)
            shape = known[name] = self.layer(entry, Place(place.prefix, place.depth + 1, shapes, after))
        return shape

    def convolution(
        self, kind: str, config: Dict[str, Any], name: str, given: List[Shape], after: Tuple[str, ...]
    ) -> Shape:
        operation, rank = CONVOLUTIONS[kind]
        kernel, strides = spread(config.get("kernel_size"), rank), spread(config.get("strides", 1), rank)
        dilation = spread(config.get("dilation_rate", 1), rank)
        groups = whole(config.get("groups", 1))
        if not kernel or not strides or not dilation or not groups:
            self.unread.setdefault("{} without a kernel, strides or groups that can be".format(kind), []).append(name)
            return None
        first = config.get("data_format") == "channels_first"
        image = given[0] if given else None
        cin: Size = None
        size: Tuple[Size, ...] = (None,) * rank
        if image and len(image) == rank + 2:
            cin, size = (image[1], tuple(image[2:])) if first else (image[-1], tuple(image[1:-1]))
        filters, multiplier = whole(config.get("filters")), whole(config.get("depth_multiplier", 1)) or 1
        cin = cin or self.depth(name, operation, groups)
        if operation in {"depthwise", "separable"}:
            groups = cin or 0
        cout = filters if operation != "depthwise" else cin * multiplier if cin else None
        bias = ("bias",) if config.get("use_bias", True) else ()
        activation = _named(config.get("activation"))
        padding = config.get("padding", "valid")
        layer = Layer(
            name=name, operation=operation, rank=rank, kernel=kernel, strides=strides, dilation=dilation,
            padding=padding if padding in {"same", "valid", "causal"} else "unknown",
            cin=cin, cout=cout, groups=groups or None, size=size, dtype=_dtype(config.get("dtype")),
            layout="nchw" if first else "nhwc", after=bias + activation + after, written="keras",
        )  # fmt: skip
        if is_wanted(operation, layer.groups):
            self.layers.append(layer)
        else:
            self.others += 1
        moved = zip(size, kernel, strides, dilation)
        if operation == "transpose":
            pixels = [upscaled(one, k, s, layer.padding) for one, k, s, _ in moved]
        else:
            pixels = [window(one, k, s, d, layer.padding) for one, k, s, d in moved]
        return [None, cout] + pixels if first else [None] + pixels + [cout]

    def depth(self, name: str, operation: str, groups: int) -> Size:
        """Return the channels that come in, by the weights that the file holds for the layer."""
        shape = self.kernels.get(name.rsplit("/", 1)[-1])
        if shape is None:
            return None
        return shape[-1] if operation == "transpose" else shape[-2] * (groups if operation == "conv" else 1)


def _kernels(weights: Weights) -> Dict[str, List[int]]:
    """Return the shapes of kernels by the names of the groups that they lie in, among them the layer's."""
    found = {}
    for path, shape in weights.items():
        *groups, last = path.split("/")[-5:]
        if "kernel" in last and "pointwise" not in last and len(shape) > 2:
            found.update(dict.fromkeys(groups, shape))
    return found


def _after(name: str, names: List[str], entries: List[Dict[str, Any]], users: Dict[str, List[int]]) -> Tuple[str, ...]:
    """Return what is done with a layer's output, as long as one layer alone takes it."""
    steps: List[str] = []
    met: Set[str] = set()
    while len(users.get(name, [])) == 1 and name not in met and len(steps) < 6:
        met.add(name)
        entry = entries[users[name][0]]
        name = names[users[name][0]]
        kind, config = entry.get("class_name"), entry.get("config")
        if not isinstance(config, dict) or not isinstance(kind, str):
            break
        if kind in OPERATIONS:
            steps.append(OPERATIONS[kind])
        elif kind == "Activation":
            steps.extend(_named(config.get("activation")))
        elif kind == "ReLU":
            ceiling, slope = config.get("max_value"), config.get("negative_slope") or 0
            steps.append("relu" if not ceiling and not slope else "relu6" if ceiling == 6 and not slope else "ReLU")
        elif kind in {"LeakyReLU", "ELU", "PReLU"}:
            steps.append(ACTIVATIONS.get(kind.lower(), kind))
        elif kind not in PASSED:
            break
    return tuple(steps)


def _named(activation: object) -> Tuple[str, ...]:
    """Return an activation's name; none for the linear one."""
    for _ in range(3):
        if isinstance(activation, dict):
            inner = activation.get("config")
            activation = inner if isinstance(inner, str) else activation.get("class_name")
    if not isinstance(activation, str) or activation == "linear":
        return ()
    return (ACTIVATIONS.get(activation.lower(), clean(activation, 20)),)


def _dtype(dtype: object) -> str:
    """Return the policy's name as the suite has it; Keras' default is float32."""
    for _ in range(2):
        if isinstance(dtype, dict):
            inner = dtype.get("config")
            dtype = inner.get("name") if isinstance(inner, dict) else None
    if isinstance(dtype, str) and dtype.startswith("mixed_") and dtype[len("mixed_") :] in DTYPES:
        return "m" + DTYPES[dtype[len("mixed_") :]]
    return "f32" if dtype is None else DTYPES.get(str(dtype), clean(dtype, 20))


def _inbound(nodes: object, depth: int = 0) -> Iterator[str]:
    """Yield the layers whose outputs come in: `["name", 0, 0, {}]` of Keras 2, `keras_history` of Keras 3."""
    if depth > MOST_DEPTH:
        return
    if isinstance(nodes, list):
        if len(nodes) >= 3 and isinstance(nodes[0], str) and isinstance(nodes[1], int) and isinstance(nodes[2], int):
            yield nodes[0]
            nodes = nodes[3:]
        for one in nodes:
            yield from _inbound(one, depth + 1)
    elif isinstance(nodes, dict):
        for one in nodes.values():
            yield from _inbound(one, depth + 1)


def _shape(sizes: object) -> Shape:
    if not isinstance(sizes, list) or not 2 <= len(sizes) <= 6 or any(isinstance(one, (list, dict)) for one in sizes):
        return None
    return [whole(one) for one in sizes]


def _output(kind: str, config: Dict[str, Any], given: List[Shape]) -> Shape:
    """Return the shape of the output where the class tells it."""
    image = given[0] if given else None
    found: Shape = None
    if kind == "InputLayer":
        found = _shape(config.get("batch_shape", config.get("batch_input_shape")))
    elif kind in KEPT:
        found = next((one for one in given if one and None not in one[1:]), image)
    elif kind == "Concatenate":
        found = _concatenated(config.get("axis", -1), [one for one in given if one], len(given))
    elif kind == "Reshape" and isinstance(config.get("target_shape"), list):
        found = _shape([None] + config["target_shape"])
    elif image and len(image) > 2:
        found = _resized(kind, config, image)
    return found


def _concatenated(axis: object, known: List[List[Size]], count: int) -> Shape:
    if not known or len(known) < count or len({len(one) for one in known}) > 1:
        return None
    if not isinstance(axis, int) or not -len(known[0]) <= axis < len(known[0]):
        return None
    joined, sizes = list(known[0]), [one[axis] for one in known]
    joined[axis] = None if None in sizes else sum(size or 0 for size in sizes)
    return joined


def _resized(kind: str, config: Dict[str, Any], image: List[Size]) -> Shape:
    """Of layers that change height and width alone."""
    rank, first = len(image) - 2, config.get("data_format") == "channels_first"
    pixels = image[2:] if first else image[1:-1]
    if kind in POOLING:
        pool = spread(config.get("pool_size", 2), rank)
        strides = spread(config.get("strides") or config.get("pool_size", 2), rank)
        if not pool or not strides:
            return None
        sizes = [window(*one, str(config.get("padding", "valid"))) for one in zip(pixels, pool, strides, [1] * rank)]
    elif kind in GLOBAL:
        channels = image[1] if first else image[-1]
        return [image[0]] + [1] * rank + [channels] if config.get("keepdims") else [image[0], channels]
    elif kind.startswith(("ZeroPadding", "Cropping")):
        edges = config.get("padding", config.get("cropping", 1))
        edges = [edges] * rank if isinstance(edges, int) else edges
        if not isinstance(edges, list) or len(edges) != rank:
            return None
        both = [sum(one) if isinstance(one, list) and all(isinstance(n, int) for n in one) else one for one in edges]
        ends = [2 * one if one is edge else one for one, edge in zip(both, edges)]
        sign = -1 if kind.startswith("Cropping") else 1
        sizes = [whole(size + sign * end) if size and isinstance(end, int) else None for size, end in zip(pixels, ends)]
    elif kind.startswith("UpSampling"):
        factors = spread(config.get("size", 2), rank)
        sizes = [size * factor if size else None for size, factor in zip(pixels, factors or [])]
    else:
        return None
    if len(sizes) != rank:
        return None
    return image[:2] + sizes if first else image[:1] + sizes + image[-1:]
