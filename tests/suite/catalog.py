"""Every approach, mode, check and case, and the list of cells they make. Standard library only: matrix/ reads it too.

A case is named `<geometry>/<epilogue>/<dtype>/<layout>`, as in `g4-k3-s2/bias_relu/f32/nhwc`; a cell is named
`<approach>/<mode>/<check>/<case>`. To add a case, add a line to `CASE_SETS`, and to `TOKENS` or `NAMED_LAYERS` where
it needs a new word.
"""

import re
from typing import Any, Dict, NamedTuple, Tuple

MODES = {
    "eager": "operation by operation, as called from Python",
    "graph": "a tf.function, or a session on 1.x",
    "jit": "compiled by XLA",
    "keras": "a model's predict; for the gradient the change of the weights in one SGD step of fit",
    "savedmodel": "saved, loaded again from disk and called",
    "tflite": "converted to TensorFlow Lite and run by its interpreter",
}
# what needs and verdicts are judged over; the other two begin with a graph and take it elsewhere
CORE_MODES = ("eager", "graph", "jit", "keras")
# forward and fusion stand side by side, so that one execution serves both
CHECKS = {
    "forward": "the output against the float64 reference",
    "fusion": "which kernels the execution used, and where the epilogue ran",
    "gradient": "the gradients of input and filter against the float64 reference (keras: of the filter)",
}
EPILOGUES: Dict[str, Tuple[str, ...]] = {
    "none": (),
    "bias": ("bias",),
    "bias_relu": ("bias", "relu"),
    "bias_relu6": ("bias", "relu6"),
    "bias_elu": ("bias", "elu"),
    "bias_leaky_relu": ("bias", "leaky_relu"),
    "bn_relu": ("bn", "relu"),
    "bias_add_relu": ("bias", "add", "relu"),
    "bn_training_relu": ("bn_training", "relu"),
}
# batch norm in training is arithmetic over the batch: nothing that a kernel could take in
CORE_EPILOGUES = tuple(name for name in EPILOGUES if name != "bn_training_relu")
DTYPES = ("f32", "f64", "f16", "bf16")
LAYOUTS = ("nhwc", "nchw")

ALL_MODES = tuple(MODES)


class Approach(NamedTuple):
    """A way of writing the grouped convolution.

    `since` is the first release that has its API (`source` says where TensorFlow defines it), not the first in which
    it works. `form` is what it computes (see reference.py) over `rank` spatial dimensions. `base` is its geometry in
    the core. `layer`: it is a Keras layer, which adds the bias itself.
    """

    summary: str
    since: str
    source: str
    why: str
    form: str = "grouped"
    rank: int = 2
    base: str = "g4-k3"
    layer: bool = False
    modes: Tuple[str, ...] = ALL_MODES


APPROACHES = {
    "nn-conv2d": Approach(
        summary="tf.nn.conv2d with a filter of fewer input channels than the input has",
        since="1.0",
        source="tensorflow/python/ops/nn_ops.py: conv2d",
        why="the operation that every other way through Conv2D ends in",
    ),
    "keras-groups": Approach(
        summary="tf.keras.layers.Conv2D(groups=...)",
        since="2.3",
        source="tensorflow/python/keras/layers/convolutional.py: Conv2D(groups)",
        why="what most people write",
        layer=True,
    ),
    "keras-groups-1d": Approach(
        summary="tf.keras.layers.Conv1D(groups=...)",
        since="2.3",
        source="tensorflow/python/keras/layers/convolutional.py: Conv1D(groups)",
        why="becomes a Conv2D of height 1, which other rules of fusion meet",
        rank=1,
        layer=True,
    ),
    "keras-groups-3d": Approach(
        summary="tf.keras.layers.Conv3D(groups=...)",
        since="2.3",
        source="tensorflow/python/keras/layers/convolutional.py: Conv3D(groups)",
        why="the argument is accepted, but Conv3D has kernels of its own",
        rank=3,
        layer=True,
    ),
    "keras-groups-transpose": Approach(
        summary="tf.keras.layers.Conv2DTranspose(groups=...)",
        since="2.3",
        source="tensorflow/python/keras/layers/convolutional.py: Conv2DTranspose, groups handed on to Conv",
        why="decoders ask for it; the argument may be ignored silently",
        form="transpose",
        layer=True,
    ),
    "depthwise": Approach(
        summary="tf.nn.depthwise_conv2d: one channel a group",
        since="1.0",
        source="tensorflow/python/ops/nn_impl.py: depthwise_conv2d",
        why="the one grouped convolution with kernels of its own everywhere",
        form="depthwise",
        base="g16-k3-cm1",
    ),
    "depthwise-pointwise": Approach(
        summary="Keras DepthwiseConv2D, then a 1x1 Conv2D that mixes the channels",
        since="1.8",
        source="tensorflow/python/keras/layers/convolutional.py: DepthwiseConv2D",
        why="the first example of the seed, said to be likely fused",
        form="separable",
        base="g16-k3",
        layer=True,
    ),
    "separable": Approach(
        summary="tf.nn.separable_conv2d: the same in one call",
        since="1.0",
        source="tensorflow/python/ops/nn_impl.py: separable_conv2d",
        why="the functional form of depthwise-pointwise",
        form="separable",
        base="g16-k3",
    ),
    "slice-loop": Approach(
        summary="slice the channels of each group, convolve, concatenate",
        since="1.0",
        source="tensorflow/python/ops/nn_ops.py: conv2d",
        why="the second example of the seed, said to be unfused",
    ),
    "split-concat": Approach(
        summary="tf.split, tf.nn.conv2d a group, tf.concat",
        since="1.0",
        source="tensorflow/python/ops/nn_ops.py: conv2d",
        why="the third example of the seed, and the usual way round before groups were supported",
    ),
    "masked-dense": Approach(
        summary="an ordinary convolution whose filter is zero outside its blocks",
        since="1.0",
        source="tensorflow/python/ops/nn_ops.py: conv2d",
        why="as many times the arithmetic as there are groups, but a kernel that every backend has",
    ),
    "patches-einsum": Approach(
        summary="tf.image.extract_patches, then tf.einsum over the groups",
        since="1.0",
        source="tensorflow/python/ops/array_ops.py: extract_image_patches; tensorflow/python/ops/special_math_ops.py",
        why="no convolution at all: matrix products",
    ),
    "fused-kernel": Approach(
        summary="the _FusedConv2D operation placed by hand",
        since="1.13",
        source="tensorflow/core/ops/nn_ops.cc: _FusedConv2D",
        why="the seed's question put to the fused kernel itself, without the optimizer in between",
        modes=("graph",),  # a node without a Python wrapper: only a graph can hold it
    ),
}


class Case(NamedTuple):
    """One convolution: n x h x w x cin to cout channels. Approaches of another rank repeat or drop the height."""

    geometry: str
    epilogue: str
    dtype: str
    layout: str
    groups: int
    kernel: Tuple[int, int]
    cin: int
    cout: int
    n: int = 2
    h: int = 9
    w: int = 9
    stride: int = 1
    dilation: int = 1
    padding: str = "SAME"
    dynamic_batch: bool = False
    dynamic_hw: bool = False
    variable: bool = False
    misuse: str = ""

    @property
    def id(self) -> str:
        return "/".join((self.geometry, self.epilogue, self.dtype, self.layout))

    @property
    def given(self) -> int:
        """Channels of the input that is given: all but misuse gives `cin`."""
        return {"oddin": self.cin + 1, "twicein": 2 * self.cin}.get(self.misuse, self.cin)

    @property
    def steps(self) -> Tuple[str, ...]:
        """The epilogue, operation by operation."""
        return EPILOGUES[self.epilogue]


# token of a geometry: what it changes; a geometry has its tokens in this order
TOKENS: Dict[str, Dict[str, Any]] = {
    "s2": {"stride": 2},
    "d2": {"dilation": 2},
    "valid": {"padding": "VALID"},
    "n1": {"n": 1},
    "dynbatch": {"dynamic_batch": True},
    "dynhw": {"dynamic_hw": True},
    "var": {"variable": True},
    "cm1": {"multiplier": 1},
    "cm2": {"multiplier": 2},
    "oddin": {"misuse": "oddin"},
    "twicein": {"misuse": "twicein"},
    "oddout": {"misuse": "oddout"},
}

# What looks like a fault of the groups and is one of the caller's. There is no right answer, and no verdict counts it.
MISUSE = {
    "oddin": "the input has one channel more than the filter was made for",
    "twicein": "the input has twice the channels that the filter was made for",
    "oddout": "one output channel more than the groups can share",
}


def _layer(size: int, channels: int, groups: int, kernel: int = 3) -> Dict[str, Any]:
    """An image, square, as many channels out as in, stride 1."""
    sizes = {"n": 1, "h": size, "w": size, "cin": channels, "cout": channels}
    return dict(sizes, groups=groups, kernel=(kernel, kernel))


# Layers at the sizes that published networks have them: ResNeXt-50 32x4d (Xie et al. 2017), RegNetX-3.2GF with groups
# of 48 channels (Radosavovic et al. 2020), ConvNeXt-T (Liu et al. 2022), MobileNet v1 (Howard et al. 2017).
NAMED_LAYERS: Dict[str, Dict[str, Any]] = {
    "resnext50-56": _layer(size=56, channels=128, groups=32),
    "resnext50-14": _layer(size=14, channels=512, groups=32),
    "regnetx32-14": _layer(size=14, channels=432, groups=9),
    "convnext-56": _layer(size=56, channels=96, groups=96, kernel=7),
    "mobilenet-14": _layer(size=14, channels=512, groups=512),
}


def parse_case(text: str) -> Case:
    """Raise ValueError, naming the fault, where `text` is not a case's id."""
    parts = text.split("/")
    if len(parts) != 4:
        raise ValueError("{!r} is not a case: want geometry/epilogue/dtype/layout".format(text))
    geometry, epilogue, dtype, layout = parts
    for what, word, known in (("epilogue", epilogue, EPILOGUES), ("dtype", dtype, DTYPES), ("layout", layout, LAYOUTS)):
        if word not in known:
            raise ValueError("{!r} has no known {}: {!r} is none of {}".format(text, what, word, ", ".join(known)))
    return Case(geometry=geometry, epilogue=epilogue, dtype=dtype, layout=layout, **_parse_geometry(geometry))


def _parse_geometry(text: str) -> Dict[str, Any]:
    """The fields of `g<G>-k<K>[x<K>][-token...]` or of a named layer."""
    if text in NAMED_LAYERS:
        return dict(NAMED_LAYERS[text])
    match = re.match(r"g([1-9][0-9]{0,3})-k([1-9][0-9]?)(?:x([1-9][0-9]?))?((?:-[a-z0-9]+)*)\Z", text)
    if not match:
        raise ValueError("{!r} is not a geometry like g4-k3 or g4-k3-s2, nor a named layer".format(text))
    groups, height = int(match.group(1)), int(match.group(2))
    fields: Dict[str, Any] = {"groups": groups, "kernel": (height, int(match.group(3) or height))}
    for token in _parse_tokens(match.group(4), text):
        fields.update(TOKENS[token])
    multiplier = fields.pop("multiplier", None)
    if multiplier:  # one channel a group, as a depthwise filter has it
        fields.update(cin=groups, cout=groups * multiplier)
    else:  # the base's 16 and 32 channels, or the next multiples of the groups
        fields.update(cin=-(-16 // groups) * groups, cout=-(-32 // groups) * groups)
    if fields.get("misuse") == "oddout":
        fields["cout"] += 1
    return fields


def _parse_tokens(text: str, geometry: str) -> Tuple[str, ...]:
    tokens = tuple(text.split("-")[1:])
    unknown = [token for token in tokens if token not in TOKENS]
    if unknown:
        known = ", ".join(TOKENS)
        raise ValueError("{!r} has the unknown token {!r}: known are {}".format(geometry, unknown[0], known))
    if tokens != tuple(token for token in TOKENS if token in tokens):
        raise ValueError("{!r} repeats a token or has them out of order: {}".format(geometry, ", ".join(TOKENS)))
    return tokens


class Cell(NamedTuple):
    """One question: does this approach, in this mode, pass this check on this case? Each field is an id."""

    approach: str
    mode: str
    check: str
    case: str

    @property
    def id(self) -> str:
        return "/".join(self)


class CaseSet(NamedTuple):
    """Cases that are there for one reason. No `geometry` means each approach's own base."""

    why: str
    geometry: str = ""
    approaches: Tuple[str, ...] = tuple(APPROACHES)
    modes: Tuple[str, ...] = ("graph",)
    epilogues: Tuple[str, ...] = ("bias_relu",)
    dtypes: Tuple[str, ...] = ("f32",)
    layouts: Tuple[str, ...] = ("nhwc",)
    checks: Tuple[str, ...] = tuple(CHECKS)

    def cases(self, approach: str) -> Tuple[str, ...]:
        geometry = self.geometry or APPROACHES[approach].base
        return tuple(
            "/".join((geometry, epilogue, dtype, layout))
            for dtype in self.dtypes
            for layout in self.layouts
            for epilogue in self.epilogues
        )


def _set(why: str, geometries: str = "", approaches: str = "", **options: Any) -> Tuple[CaseSet, ...]:
    """A set a geometry. Where nothing is said: each approach's own base, every approach."""
    chosen = tuple(approaches.split()) or tuple(APPROACHES)
    return tuple(CaseSet(why, geometry, chosen, **options) for geometry in geometries.split() or [""])


# The pairs that are known to interact are crossed; the rest varies one factor at a time, in a graph, under bias_relu.
CASE_SETS = (
    *_set("the core: what needs and verdicts are judged over", modes=CORE_MODES, epilogues=CORE_EPILOGUES),
    *_set(
        "control: without groups the same code must work and fuse, or the fault is not the groups'",
        "g1-k3",
        "nn-conv2d keras-groups",
        modes=CORE_MODES,
        epilogues=("none", "bias", "bias_relu"),
    ),
    *_set(
        "which kernels there are, and what the optimizer fuses, depends on the dtype",
        approaches="keras-groups depthwise split-concat",
        dtypes=("f64", "f16", "bf16"),
    ),
    *_set(
        "the same where epilogue and dtype interact, as the fused kernel has fewer dtypes than the plain one",
        approaches="nn-conv2d",
        epilogues=("none", "bias_relu", "bn_relu"),
        dtypes=("f64", "f16", "bf16"),
    ),
    *_set(
        "what is eager is never fused: there the dtype meets the plain kernel alone",
        approaches="nn-conv2d",
        modes=("eager",),
        epilogues=("none",),
        dtypes=("f64", "f16", "bf16"),
    ),
    *_set("the way round groups at the dtype of mixed precision", approaches="masked-dense", dtypes=("f16",)),
    *_set(
        "channels first: CPU kernels refuse what GPU kernels prefer",
        approaches="keras-groups split-concat masked-dense patches-einsum",
        layouts=("nchw",),
    ),
    *_set("the same of one channel a group", "g16-k3-cm1", "depthwise", layouts=("nchw",)),
    *_set(
        "the refusal may come of the fused kernel or of the plain one",
        approaches="nn-conv2d",
        modes=("eager", "graph"),
        epilogues=("none", "bias_relu"),
        layouts=("nchw",),
    ),
    *_set(
        "stride and groups: gradients under a stride go through kernels of their own",
        "g4-k3-s2",
        "nn-conv2d keras-groups split-concat patches-einsum",
    ),
    *_set("stride with many groups, and with one channel a group", "g32-k3-s2 g16-k3-s2-cm1", "nn-conv2d"),
    *_set("the same through the depthwise kernel", "g16-k3-s2-cm1", "depthwise"),
    *_set(
        "dilation and gradient: some kernels know no dilation, or none of its gradients",
        "g4-k3-d2",
        "nn-conv2d keras-groups split-concat patches-einsum",
    ),
    *_set(
        "the same without an epilogue, where the plain kernel runs",
        "g4-k3-d2",
        "nn-conv2d",
        epilogues=("none",),
        modes=("eager", "graph"),
    ),
    *_set("the same through the depthwise kernel", "g16-k3-d2-cm1", "depthwise"),
    *_set("without padding, other shortcuts are taken", "g4-k3-valid", "nn-conv2d patches-einsum"),
    *_set("the same through the depthwise kernel", "g16-k3-valid-cm1", "depthwise"),
    *_set("1x1 is a matrix product where there are no groups", "g4-k1", "nn-conv2d keras-groups split-concat"),
    *_set("1x1 and groups interact", "g2-k1 g32-k1 g16-k1-cm1", "nn-conv2d"),
    *_set("1x1 of one channel a group", "g16-k1-cm1", "depthwise"),
    *_set("larger, even and rectangular kernels", "g4-k5 g4-k2 g4-k1x3", "nn-conv2d"),
    *_set("rectangular patches", "g4-k1x3", "patches-einsum"),
    *_set("few groups and many", "g2-k3 g8-k3 g32-k3", "nn-conv2d"),
    *_set("an operation a group is more of them", "g32-k3", "split-concat"),
    *_set(
        "one channel a group: a depthwise convolution written as a grouped one",
        "g16-k3-cm1",
        "nn-conv2d keras-groups split-concat",
    ),
    *_set("two outputs for each input channel", "g16-k3-cm2", "nn-conv2d depthwise"),
    *_set("the batch is not known when the graph is made", "g4-k3-dynbatch", "nn-conv2d keras-groups patches-einsum"),
    *_set("nor are height and width", "g4-k3-dynhw", "nn-conv2d keras-groups patches-einsum"),
    *_set("the same of one channel a group", "g16-k3-dynhw-cm1", "depthwise"),
    *_set("a kernel in a variable: its shape may be hidden from the optimizer", "g4-k3-var", "nn-conv2d split-concat"),
    *_set("a batch of one, where libraries choose other algorithms", "g4-k3-n1", "nn-conv2d keras-groups"),
    *_set(
        "batch norm in training follows what it cannot be folded into",
        approaches="nn-conv2d keras-groups",
        epilogues=("bn_training_relu",),
    ),
    *_set("grouped layers at their real sizes", "resnext50-56 resnext50-14 regnetx32-14", "nn-conv2d"),
    *_set(
        "what XLA makes of them",
        "resnext50-56 resnext50-14 regnetx32-14",
        "nn-conv2d",
        modes=("jit",),
        checks=("forward", "fusion"),
    ),
    *_set("as Keras has them", "resnext50-56 resnext50-14 regnetx32-14", "keras-groups", modes=("keras",)),
    *_set("the same, an operation a group", "resnext50-56", "split-concat"),
    *_set("depthwise layers at their real sizes", "convnext-56 mobilenet-14", "depthwise"),
    *_set(
        "what XLA makes of them",
        "convnext-56 mobilenet-14",
        "depthwise",
        modes=("jit",),
        checks=("forward", "fusion"),
    ),
    *_set("the same written as a grouped convolution", "convnext-56 mobilenet-14", "keras-groups", modes=("keras",)),
    *_set(
        "does export keep it",
        approaches="nn-conv2d keras-groups depthwise-pointwise split-concat depthwise",
        modes=("savedmodel",),
        epilogues=("none", "bias_relu"),
        checks=("forward", "fusion"),
    ),
    *_set(
        "does conversion take it, and the converted model compute it",
        approaches="nn-conv2d keras-groups depthwise-pointwise split-concat depthwise masked-dense",
        modes=("tflite",),
        epilogues=("none", "bias_relu"),
        checks=("forward",),
    ),
    *_set(
        "misuse that is taken for a fault of the groups",
        "g4-k3-oddin g1-k3-twicein g4-k3-oddout",
        "nn-conv2d",
        modes=("eager", "graph"),
        epilogues=("none", "bias_relu"),
        checks=("forward",),
    ),
    *_set(
        "the same as Keras' layers meet it",
        "g4-k3-oddin g1-k3-twicein g4-k3-oddout",
        "keras-groups",
        modes=("graph", "keras"),
        checks=("forward",),
    ),
)


# bias with relu is what a GPU may fuse; the other two stand for what needs more
PLANNED_EPILOGUES = ("bias_relu", "bias_relu6", "bn_relu")
# what a GPU build is asked where there is no GPU; Keras' layers hold their kernel in a variable as it is
PLANNED_SETS = (
    CaseSet(
        why="the control: a plan is believed where this one is planned fused",
        geometry="g1-k3",
        approaches=("nn-conv2d",),
        epilogues=("none", "bias", "bias_relu"),
    ),
    CaseSet(
        why="what may be fused on a GPU depends on epilogue, dtype and layout",
        approaches=tuple(name for name in APPROACHES if name not in ("patches-einsum", "fused-kernel")),
        epilogues=CORE_EPILOGUES,
        dtypes=("f32", "f16"),
        layouts=LAYOUTS,
    ),
    CaseSet(
        why="a convolution of 1x1 is never fused with bias and relu alone",
        geometry="g4-k1",
        approaches=("nn-conv2d", "keras-groups", "slice-loop", "split-concat", "masked-dense"),
        epilogues=PLANNED_EPILOGUES,
        dtypes=("f32", "f16"),
        layouts=LAYOUTS,
    ),
    CaseSet(
        why="the same, of one channel a group",
        geometry="g16-k1-cm1",
        approaches=("depthwise",),
        epilogues=PLANNED_EPILOGUES,
        dtypes=("f32", "f16"),
        layouts=LAYOUTS,
    ),
    CaseSet(
        why="a kernel in a variable has hidden its shape from the optimizer in some releases",
        geometry="g4-k3-var",
        approaches=("nn-conv2d", "slice-loop", "split-concat", "masked-dense"),
        epilogues=PLANNED_EPILOGUES,
        dtypes=("f32", "f16"),
        layouts=LAYOUTS,
    ),
    CaseSet(
        why="the same, of one channel a group",
        geometry="g16-k3-var-cm1",
        approaches=("depthwise",),
        epilogues=PLANNED_EPILOGUES,
        dtypes=("f32", "f16"),
        layouts=LAYOUTS,
    ),
    CaseSet(
        why="the kernel registry is asked for the fused operation, by dtype",
        approaches=("fused-kernel",),
        epilogues=("bias_relu",),
        dtypes=("f32", "f16"),
    ),
)  # type: Tuple[CaseSet, ...]


def cells() -> Tuple[Cell, ...]:
    """Every cell of a run, in the order of a record: the same on every release."""
    return _cells(CASE_SETS)


def planned_cells() -> Tuple[Cell, ...]:
    """The cells of a run without the device: what becomes of the graph, and nothing that would have to be executed."""
    return tuple(cell for cell in _cells(PLANNED_SETS) if cell.check == "fusion")


def _cells(case_sets: Tuple[CaseSet, ...]) -> Tuple[Cell, ...]:
    return tuple(
        Cell(approach, mode, check, case)
        for approach in APPROACHES
        for mode in APPROACHES[approach].modes
        for cases in case_sets
        if approach in cases.approaches and mode in cases.modes
        for case in cases.cases(approach)
        for check in cases.checks
        if check != "fusion" or mode != "eager"  # eager operations run one by one: there is nothing to fuse
    )


def is_misuse(case: str) -> bool:
    """Whether a case asks for what has no right answer."""
    return bool(parse_case(case).misuse)
