"""Every approach, and the list of cells that a run observes. Standard library only: matrix/ reads it too.

A cell is named `<approach>/<mode>/<check>/<case>`; modes, checks and cases are words of cases.py. To add a case, add a
line to `CASE_SETS`.
"""

from typing import Any, NamedTuple, Tuple

from .cases import (
    CHECKS,
    CORE_EPILOGUES,
    CORE_MODES,
    DTYPES,
    EPILOGUES,
    LAYOUTS,
    MISUSE,
    MODES,
    NAMED_LAYERS,
    STEPS,
    TOKENS,
    Case,
    is_misuse,
    parse_case,
)

__all__ = [
    "APPROACHES", "CASE_SETS", "CHECKS", "CORE_EPILOGUES", "CORE_MODES", "DEPTHS", "DTYPES", "EPILOGUES", "LAYOUTS",
    "MISUSE", "MODES", "NAMED_LAYERS", "PLANNED_SETS", "STEPS", "TOKENS", "Approach", "Case", "CaseSet", "Cell",
    "cells", "is_misuse", "parse_case", "planned_cells", "twin",
]  # fmt: skip

# How much a run observes.
DEPTHS = {
    "core": "what verdicts rest on: the core of each approach, and its twins without groups",
    "full": "everything",
}


class Approach(NamedTuple):
    """A way of writing the grouped convolution.

    `since` is the first release that has its API (`source` says where TensorFlow defines it), not the first in which
    it works. `form` is what it computes (see reference.py) over `rank` spatial dimensions. `base` is its geometry in
    the core. `layer`: it is made of Keras layers, which add the bias themselves. `fed`: its filters are computed at run
    time, and so are an input.
    """

    summary: str
    since: str
    source: str
    why: str
    form: str = "grouped"
    rank: int = 2
    base: str = "g4-k3"
    layer: bool = False
    fed: bool = False
    modes: Tuple[str, ...] = tuple(MODES)


APPROACHES = {
    "nn-conv2d": Approach(
        summary="tf.nn.conv2d with a filter of fewer input channels than the input has",
        since="1.0",
        source="tensorflow/python/ops/nn_ops.py: conv2d",
        why="the operation that every other approach through Conv2D ends in",
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
        why="what MobileNet's blocks are made of; commonly said to be fused",
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
        why="a grouped convolution written out by hand; commonly said to be unfused",
    ),
    "split-concat": Approach(
        summary="tf.split, tf.nn.conv2d a group, tf.concat",
        since="1.0",
        source="tensorflow/python/ops/nn_ops.py: conv2d",
        why="the usual workaround before groups were supported",
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
    "nn-conv1d": Approach(
        summary="tf.nn.conv1d with a filter of fewer input channels than the input has",
        since="1.0",
        source="tensorflow/python/ops/nn_ops.py: conv1d",
        why="audio and text models; it becomes a Conv2D of height 1",
        rank=1,
    ),
    "nn-transpose": Approach(
        summary="tf.nn.conv2d_transpose with the filter [height, width, outputs of a group, inputs]",
        since="1.0",
        source="tensorflow/python/ops/nn_ops.py: conv2d_transpose",
        why="the grouped transposed convolution that Keras' layer does not have",
        form="transpose",
    ),
    "transpose-split": Approach(
        summary="tf.split, tf.nn.conv2d_transpose a group, tf.concat",
        since="1.0",
        source="tensorflow/python/ops/nn_ops.py: conv2d_transpose",
        why="the workaround where a grouped transposed convolution is refused",
        form="transpose",
    ),
    "keras-groups-1d-transpose": Approach(
        summary="tf.keras.layers.Conv1DTranspose(groups=...)",
        since="2.3",
        source="tensorflow/python/keras/layers/convolutional.py: Conv1DTranspose, groups handed on to Conv",
        why="as keras-groups-transpose, for sequences",
        form="transpose",
        rank=1,
        layer=True,
    ),
    "keras-groups-3d-transpose": Approach(
        summary="tf.keras.layers.Conv3DTranspose(groups=...)",
        since="2.3",
        source="tensorflow/python/keras/layers/convolutional.py: Conv3DTranspose, groups handed on to Conv",
        why="as keras-groups-transpose, for volumes",
        form="transpose",
        rank=3,
        layer=True,
    ),
    "keras-depthwise": Approach(
        summary="tf.keras.layers.DepthwiseConv2D",
        since="1.8",
        source="tensorflow/python/keras/layers/convolutional.py: DepthwiseConv2D",
        why="what MobileNet and EfficientNet are made of",
        form="depthwise",
        base="g16-k3-cm1",
        layer=True,
    ),
    "keras-depthwise-1d": Approach(
        summary="tf.keras.layers.DepthwiseConv1D",
        since="2.8",
        source="keras/layers/convolutional.py: DepthwiseConv1D",
        why="depthwise convolution over sequences",
        form="depthwise",
        rank=1,
        base="g16-k3-cm1",
        layer=True,
    ),
    "keras-separable": Approach(
        summary="tf.keras.layers.SeparableConv2D",
        since="1.4",
        source="tensorflow/python/keras/layers/convolutional.py: SeparableConv2D",
        why="what Xception is made of",
        form="separable",
        base="g16-k3",
        layer=True,
    ),
    "depthwise-sum": Approach(
        summary="tf.nn.depthwise_conv2d with a channel multiplier, tf.reshape, tf.reduce_sum over the group",
        since="1.0",
        source="tensorflow/python/ops/nn_impl.py: depthwise_conv2d",
        why="the ResNeXt block of keras-applications, which many projects copied",
        form="depthwise-sum",
    ),
    "keras-per-group": Approach(
        summary="a Keras Conv2D a group, with its own bias and activation, on slices; then Concatenate",
        since="1.4",
        source="tensorflow/python/keras/layers/convolutional.py: Conv2D",
        why="the grouped convolution as people wrote it in Keras before it had groups",
        form="per-group",
        layer=True,
    ),
    "per-sample": Approach(
        summary="a filter computed for each sample: the batch is folded into groups of one tf.nn.conv2d",
        since="1.0",
        source="tensorflow/python/ops/nn_ops.py: conv2d",
        why="modulated convolution: the groups are the samples",
        form="per-sample",
        base="g2-k3",
        fed=True,
        modes=("eager", "graph", "jit"),  # no layer holds the filter
    ),
    "per-sample-map": Approach(
        summary="a filter computed for each sample: tf.vectorized_map over the samples",
        since="1.15",
        source="tensorflow/python/ops/parallel_for/control_flow_ops.py: vectorized_map",
        why="the same without groups in the program",
        form="per-sample",
        base="g2-k3",
        fed=True,
        modes=("eager", "graph", "jit"),
    ),
    "mixed-kernels": Approach(
        summary="the channels split into groups, a depthwise convolution a group, each with a kernel of another size",
        since="1.0",
        source="tensorflow/python/ops/nn_impl.py: depthwise_conv2d",
        why="MixConv: groups that are no single grouped convolution",
        form="mixed",
    ),
    "fused-kernel": Approach(
        summary="the _FusedConv2D operation placed by hand",
        since="1.13",
        source="tensorflow/core/ops/nn_ops.cc: _FusedConv2D",
        why="asks the fused kernel itself, without the optimizer in between",
        modes=("graph",),  # a node without a Python wrapper: only a graph can hold it
    ),
}


class Cell(NamedTuple):
    """One question: does this approach, in this mode, pass this check on this case? Each field is an id."""

    approach: str
    mode: str
    check: str
    case: str

    @property
    def id(self) -> str:
        return "/".join(self)


def twin(cell: Cell) -> Cell:
    """The same cell without groups: an ordinary convolution, in a Keras layer where the approach is made of layers. The
    twin of a block is the convolution alone.

    Where the twin fails too, the failure is not the groups'.
    """
    case = parse_case(cell.case)
    rest = "/".join(("none" if case.block else case.epilogue, case.dtype, case.layout))
    plain = "keras-groups" if APPROACHES[cell.approach].layer else "nn-conv2d"
    return cell._replace(approach=plain, case="g1-k3/" + rest)


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
    depth: str = "full"

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


def _block(name: str, approaches: str, epilogue: str = "bn_relu", depth: str = "full") -> Tuple[CaseSet, ...]:
    """A whole block: inferred and, with the batch norm of training, trained."""
    modes = ("graph", "keras")
    return (
        *_set("whole blocks", name, approaches, modes=modes, epilogues=(epilogue,), checks=FORWARD, depth=depth),
        *_set(
            "the same, trained",
            name,
            approaches,
            modes=modes,
            epilogues=(epilogue.replace("bn_", "bn_training_"),),
            checks=("gradient",),
            depth=depth,
        ),
    )


def _exported(name: str, approaches: str, epilogue: str = "bn_relu") -> Tuple[CaseSet, ...]:
    modes = ("savedmodel", "tflite")
    why = "what export and conversion make of a block"
    return _set(why, name, approaches, modes=modes, epilogues=(epilogue,), checks=FORWARD)


TWINS = "nn-conv2d keras-groups"
HALVES = ("f16", "bf16")
PLAIN = ("f64",) + HALVES
FUSIBLE = ("bias", "bias_relu6", "bias_elu", "bias_leaky_relu")
OTHER_ACTIVATIONS = ("bias_sigmoid", "bias_swish", "bias_gelu", "bias_hard_swish")
FORWARD = ("forward",)
TRAINED = ("none", "bias_relu")
# Approaches that compute one grouped convolution of two dimensions and that people choose among.
MAIN = "nn-conv2d keras-groups split-concat"
# The other approaches that compute the same.
REPLACEABLE = "slice-loop masked-dense patches-einsum depthwise-sum keras-per-group"
# What the layers with one channel a group are written as; keras-groups can be such a layer too.
DEPTHWISE = "depthwise keras-depthwise keras-groups"

# Pairs that are known to interact are crossed; the rest varies one factor at a time, in a graph, under bias_relu. For
# every epilogue, dtype and layout that is crossed there is a twin without groups.
CASE_SETS = (
    *_set(
        "the core: what needs and verdicts are judged over",
        modes=CORE_MODES,
        epilogues=CORE_EPILOGUES,
        checks=("forward", "fusion"),
        depth="core",
    ),
    *_set(
        "what follows a convolution has a gradient of its own, and changed none of the convolution's in 12,068 cells",
        modes=CORE_MODES,
        epilogues=TRAINED,
        checks=("gradient",),
        depth="core",
    ),
    *_set(
        "the core's twins: without groups the same program must work and fuse, or the fault is not the groups'",
        "g1-k3",
        TWINS,
        modes=CORE_MODES,
        epilogues=CORE_EPILOGUES,
        checks=("forward", "fusion"),
        depth="core",
    ),
    *_set("twins", "g1-k3", TWINS, modes=CORE_MODES, epilogues=TRAINED, checks=("gradient",), depth="core"),
    *_block("resnext-block", MAIN, depth="core"),
    *_set(
        "what the optimizer may take into a convolution, and what it may not",
        approaches="nn-conv2d keras-groups depthwise masked-dense split-concat slice-loop depthwise-pointwise",
        epilogues=FUSIBLE + ("plus_relu",),
    ),
    *_set(
        "the same in the modes that fuse in another way",
        approaches="nn-conv2d",
        modes=("eager", "jit"),
        epilogues=FUSIBLE + ("plus_relu",),
    ),
    *_set("the same in a model", approaches="keras-groups", modes=("keras",), epilogues=FUSIBLE),
    *_set("twins", "g1-k3", "nn-conv2d", modes=("eager", "graph", "jit"), epilogues=FUSIBLE + ("plus_relu",)),
    *_set("twins", "g1-k3", "keras-groups", modes=("graph", "keras"), epilogues=FUSIBLE),
    *_set("twins", "g1-k3", "keras-groups", epilogues=("plus_relu",)),
    *_set("activations of newer networks", approaches="nn-conv2d keras-groups", epilogues=OTHER_ACTIVATIONS),
    *_set("twins", "g1-k3", TWINS, epilogues=OTHER_ACTIVATIONS),
    *_set("a twin", "g1-k3", TWINS, epilogues=("bn_training_relu",)),
    *_set("twins", "g1-k3", TWINS, modes=("savedmodel",), epilogues=TRAINED, checks=("forward", "fusion")),
    *_set("twins", "g1-k3", TWINS, modes=("tflite",), epilogues=TRAINED, checks=FORWARD),
    *_set("the bias as an addition, and nothing else", approaches="nn-conv2d depthwise", epilogues=("plus",)),
    *_set("a twin", "g1-k3", "nn-conv2d", epilogues=("plus",)),
    *_set(
        "which kernels there are, and what the optimizer fuses, depends on the dtype",
        approaches="keras-groups depthwise split-concat slice-loop depthwise-pointwise",
        dtypes=PLAIN,
    ),
    *_set(
        "the same where epilogue and dtype interact, as the fused kernel has fewer dtypes than the plain one",
        approaches="nn-conv2d",
        epilogues=("none", "bias_relu", "bn_relu"),
        dtypes=PLAIN,
    ),
    *_set(
        "what is eager is never fused: there the dtype meets the plain kernel alone",
        approaches="nn-conv2d depthwise",
        modes=("eager",),
        epilogues=("none",),
        dtypes=PLAIN,
    ),
    *_set("twins", "g1-k3", "nn-conv2d", epilogues=("none", "bias_relu", "bn_relu"), dtypes=PLAIN),
    *_set("twins", "g1-k3", "nn-conv2d", modes=("eager",), epilogues=("none",), dtypes=PLAIN),
    *_set("twins", "g1-k3", "keras-groups", dtypes=PLAIN),
    *_set("the workarounds for groups at the dtypes of mixed precision", approaches="masked-dense", dtypes=HALVES),
    *_set(
        "mixed precision as Keras has it",
        approaches="keras-groups keras-depthwise",
        modes=("graph", "keras"),
        dtypes=("mf16", "mbf16"),
    ),
    *_set("twins", "g1-k3", "keras-groups", modes=("graph", "keras"), dtypes=("mf16", "mbf16")),
    *_set(
        "channels first: CPU kernels refuse what GPU kernels prefer",
        approaches="keras-groups keras-groups-3d split-concat masked-dense patches-einsum per-sample slice-loop"
        " depthwise-pointwise",
        layouts=("nchw",),
    ),
    *_set("the same of one channel a group", "g16-k3-cm1", "depthwise keras-depthwise", layouts=("nchw",)),
    *_set(
        "the refusal may come of the fused kernel or of the plain one",
        approaches="nn-conv2d",
        modes=("eager", "graph"),
        epilogues=("none", "bias_relu"),
        layouts=("nchw",),
    ),
    *_set("what XLA makes of channels first", approaches="nn-conv2d", modes=("jit",), layouts=("nchw",)),
    *_set("twins", "g1-k3", "nn-conv2d", modes=("eager", "graph"), epilogues=("none", "bias_relu"), layouts=("nchw",)),
    *_set("twins", "g1-k3", "nn-conv2d", modes=("jit",), layouts=("nchw",)),
    *_set("twins", "g1-k3", "keras-groups", layouts=("nchw",)),
    *_set(
        "stride and groups: gradients under a stride go through kernels of their own",
        "g4-k3-s2",
        "nn-conv2d keras-groups split-concat patches-einsum nn-transpose keras-per-group slice-loop",
    ),
    *_set("stride with many groups, and with one channel a group", "g32-k3-s2 g16-k3-s2-cm1", "nn-conv2d"),
    *_set("the same through the depthwise kernel", "g16-k3-s2-cm1", "depthwise"),
    *_set(
        "dilation and gradient: some kernels know no dilation, or none of its gradients",
        "g4-k3-d2",
        "nn-conv2d keras-groups split-concat patches-einsum slice-loop",
    ),
    *_set(
        "the same without an epilogue, where the plain kernel runs",
        "g4-k3-d2",
        "nn-conv2d",
        epilogues=("none",),
        modes=("eager", "graph"),
    ),
    *_set("the same through the depthwise kernel", "g16-k3-d2-cm1", "depthwise"),
    *_set(
        "stride and dilation together, which the depthwise operations document as not allowed",
        "g4-k3-s2-d2",
        "nn-conv2d keras-groups split-concat patches-einsum",
        modes=("eager", "graph", "jit"),
        epilogues=("none",),
    ),
    *_set(
        "the same through the depthwise operations",
        "g16-k3-s2-d2-cm1",
        "depthwise keras-depthwise nn-conv2d",
        modes=("eager", "graph", "jit"),
        epilogues=("none",),
    ),
    *_set("the same with bias and activation", "g4-k3-s2-d2", "nn-conv2d"),
    *_set("the same with bias and activation", "g16-k3-s2-d2-cm1", "depthwise"),
    *_set(
        "the same with a second multiplication",
        "g16-k3-s2-d2",
        "separable keras-separable depthwise-pointwise",
        epilogues=("none",),
    ),
    *_set(
        "the same of every other form that takes both",
        "g4-k3-s2-d2",
        "keras-groups-1d keras-groups-3d keras-groups-transpose slice-loop masked-dense nn-conv1d nn-transpose"
        " transpose-split keras-groups-1d-transpose keras-groups-3d-transpose depthwise-sum keras-per-group"
        " mixed-kernels",
        epilogues=("none",),
    ),
    *_set("the same of one channel a group", "g16-k3-s2-d2-cm1", "keras-depthwise-1d", epilogues=("none",)),
    *_set("the same of a filter for each sample", "g2-k3-s2-d2", "per-sample per-sample-map", epilogues=("none",)),
    *_set("the same with a dilation of 3", "g16-k3-s2-d3-cm1", "depthwise keras-depthwise", epilogues=("none",)),
    *_set(
        "two unequal strides",
        "g16-k3-s1x2-cm1",
        "depthwise keras-depthwise",
        modes=("eager", "graph", "jit"),
        epilogues=("none",),
    ),
    *_set("the same of a grouped convolution", "g4-k3-s1x2", "nn-conv2d keras-groups split-concat"),
    *_set("without padding, other shortcuts are taken", "g4-k3-valid", "nn-conv2d patches-einsum slice-loop"),
    *_set("the same through the depthwise kernel", "g16-k3-valid-cm1", "depthwise"),
    *_set(
        "the same dimensions for what is followed by a convolution of 1x1",
        "g16-k3-s2 g16-k3-d2 g16-k3-valid g32-k3 g16-k1",
        "depthwise-pointwise",
    ),
    *_set(
        "padding added before the convolution, which oneDNN takes into it",
        "g4-k3-pad",
        "nn-conv2d keras-groups split-concat slice-loop",
        epilogues=("none", "bias_relu"),
    ),
    *_set("padding by number", "g4-k3-explicit", "nn-conv2d split-concat slice-loop", modes=("eager", "graph")),
    *_set("the same through the depthwise kernel", "g16-k3-pad-cm1 g16-k3-explicit-cm1", "depthwise"),
    *_set("a kernel larger than the input: the output is empty", "g4-k3-valid-tiny", "nn-conv2d split-concat"),
    *_set("the same through the depthwise kernel", "g16-k3-valid-tiny-cm1", "depthwise"),
    *_set("a batch of none", "g4-k3-n0", MAIN, modes=("eager", "graph"), epilogues=("none", "bias_relu")),
    *_set("the same through the depthwise kernel", "g16-k3-n0-cm1", "depthwise"),
    *_set("1x1 is a matrix product where there are no groups", "g4-k1", MAIN + " slice-loop"),
    *_set("1x1 and groups interact", "g2-k1 g32-k1 g16-k1-cm1", "nn-conv2d"),
    *_set("1x1 of one channel a group", "g16-k1-cm1", "depthwise"),
    *_set("larger, even and rectangular kernels", "g4-k5 g4-k2 g4-k1x3", "nn-conv2d"),
    *_set("rectangular patches", "g4-k1x3", "patches-einsum"),
    *_set("few groups and many", "g2-k3 g8-k3 g32-k3", "nn-conv2d"),
    *_set("an operation a group is more of them", "g32-k3", "split-concat slice-loop"),
    *_set("one channel a group: a depthwise convolution written as a grouped one", "g16-k3-cm1", MAIN),
    *_set("two outputs for each input channel", "g16-k3-cm2", "nn-conv2d depthwise"),
    *_set("the batch is not known when the graph is made", "g4-k3-dynbatch", "nn-conv2d keras-groups patches-einsum"),
    *_set("nor are height and width", "g4-k3-dynhw", "nn-conv2d keras-groups patches-einsum"),
    *_set("the same of one channel a group", "g16-k3-dynhw-cm1", "depthwise"),
    *_set(
        "a frozen model: weights are constants, which are folded", "g4-k3-const", "nn-conv2d split-concat masked-dense"
    ),
    *_set("the same of one channel a group", "g16-k3-const-cm1", "depthwise"),
    *_set(
        "the layer alone between a function's arguments: what is fetched is kept out of a fusion",
        "g4-k3-bare",
        "nn-conv2d keras-groups split-concat patches-einsum",
        modes=("graph", "keras"),
    ),
    *_set("a weight-normalised kernel", "g4-k3-wn", "nn-conv2d nn-conv1d"),
    *_set("other APIs of the same operation", "g4-k3-convolution g4-k3-raw g4-k3-ops", "nn-conv2d"),
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
    *_block("resnext-block", REPLACEABLE),
    *_block("shufflenet-unit", MAIN + " " + REPLACEABLE),
    *_block("mobilenet-block", DEPTHWISE + " nn-conv2d split-concat " + REPLACEABLE),
    *_block("mixconv-block", "mixed-kernels"),
    *_block("convnext-block", DEPTHWISE + " nn-conv2d split-concat " + REPLACEABLE, epilogue="none"),
    *_block("wav2vec2-position", "nn-conv1d", epilogue="none"),
    *_exported("resnext-block", MAIN),
    *_exported("shufflenet-unit", MAIN),
    *_exported("mobilenet-block", DEPTHWISE),
    *_exported("mixconv-block", "mixed-kernels"),
    *_exported("convnext-block", DEPTHWISE, epilogue="none"),
    *_exported("wav2vec2-position", "nn-conv1d", epilogue="none"),
    *_set(
        "does export keep it",
        approaches="nn-conv2d keras-groups depthwise-pointwise split-concat depthwise nn-transpose depthwise-sum",
        modes=("savedmodel",),
        epilogues=("none", "bias_relu"),
        checks=("forward", "fusion"),
    ),
    *_set(
        "does conversion take it, and the converted model compute it",
        approaches="nn-conv2d keras-groups depthwise-pointwise split-concat depthwise masked-dense nn-transpose"
        " depthwise-sum keras-groups-1d",
        modes=("tflite",),
        epilogues=("none", "bias_relu"),
        checks=FORWARD,
    ),
    *_set(
        "misuse that is taken for a fault of the groups",
        "g4-k3-oddin g1-k3-twicein g4-k3-oddout",
        "nn-conv2d",
        modes=("eager", "graph"),
        epilogues=("none", "bias_relu"),
        checks=FORWARD,
    ),
    *_set(
        "the same as Keras' layers meet it",
        "g4-k3-oddin g1-k3-twicein g4-k3-oddout",
        "keras-groups",
        modes=("graph", "keras"),
        checks=FORWARD,
    ),
)


# Bias with relu is what a GPU may fuse; the other two stand for what needs more
PLANNED_EPILOGUES = ("bias_relu", "bias_relu6", "bn_relu")
# What a GPU build is asked where there is no GPU.
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
        why="a kernel that is a constant of the graph",
        geometry="g4-k3-const",
        approaches=("nn-conv2d", "slice-loop", "split-concat", "masked-dense"),
        epilogues=PLANNED_EPILOGUES,
        dtypes=("f32", "f16"),
        layouts=LAYOUTS,
    ),
    CaseSet(
        why="the same, of one channel a group",
        geometry="g16-k3-const-cm1",
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


def cells(depth: str = "full") -> Tuple[Cell, ...]:
    """Every cell of a run of this depth, in the order of a record: the same on every release."""
    return _cells(tuple(one for one in CASE_SETS if depth in ("full", one.depth)))


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
