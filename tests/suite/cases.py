"""The words of a run, and what a case's id means. Standard library only: matrix/ reads it too.

A case is named `<geometry>/<epilogue>/<dtype>/<layout>`, as in `g4-k3-s2/bias_relu/f32/nhwc`. A new word is a line in
`EPILOGUES`, `TOKENS`, `NAMED_LAYERS` or `BLOCKS`.
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
# Needs and verdicts are judged over these. The other two begin with a graph and take it elsewhere.
CORE_MODES = ("eager", "graph", "jit", "keras")
# `forward` and `fusion` stand side by side, so that one execution serves both.
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
    "bias_sigmoid": ("bias", "sigmoid"),
    "bias_swish": ("bias", "swish"),
    "bias_gelu": ("bias", "gelu"),
    "bias_hard_swish": ("bias", "hard_swish"),
    "plus": ("plus",),
    "plus_relu": ("plus", "relu"),
    "bn_relu": ("bn", "relu"),
    "bias_add_relu": ("bias", "add", "relu"),
    "bn_training_relu": ("bn_training", "relu"),
}
# What the steps are that do not bear the name of a function of tf.nn.
STEPS = {
    "bias": "tf.nn.bias_add",
    "plus": "the bias written as y + b",
    "bn": "batch norm in inference",
    "bn_training": "batch norm by the mean and variance of the batch",
    "add": "a residual, given at run time, is added",
    "hard_swish": "y * relu6(y + 3) / 6",
}
CORE_EPILOGUES = ("none", "bias_relu", "bn_relu", "bias_add_relu")
# In the last two, Keras' layers compute under the policies mixed_float16 and mixed_bfloat16: input, weights and
# gradients are float32, and everything between is computed in the half type.
DTYPES = ("f32", "f64", "f16", "bf16", "mf16", "mbf16")
LAYOUTS = ("nhwc", "nchw")


class Case(NamedTuple):
    """One convolution: n x h x w x cin to cout channels. Approaches of another rank repeat or drop the height.

    `padding` EXPLICIT is (k - 1) / 2 zeros on each side: given to the convolution, or, with `pad_first`, added by
    tf.pad or Keras' ZeroPadding2D before a convolution without padding. `constant`: weights are constants of the graph,
    not variables. `bare`: no operation stands before and after the layer (see programs.py). `weight_norm`: the filter
    is a direction times a length, for each of the `outputs` (Salimans and Kingma 2016) or `positions` of a sequence's
    filter. `via`: another API of the same operation. `block`: the convolution stands in such a block, whose input has
    so many channels; the epilogue names the block's batch norm. `name`: what Keras' layer is called.
    """

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
    strides: Tuple[int, int] = (1, 1)
    dilation: int = 1
    padding: str = "SAME"
    pad_first: bool = False
    dynamic_batch: bool = False
    dynamic_hw: bool = False
    constant: bool = False
    bare: bool = False
    weight_norm: str = ""
    via: str = ""
    misuse: str = ""
    block: int = 0
    name: str = "convolution"

    @property
    def id(self) -> str:
        return "/".join((self.geometry, self.epilogue, self.dtype, self.layout))

    @property
    def given(self) -> int:
        """Channels of the input that is given: all but misuse and blocks give `cin`."""
        return {"oddin": self.cin + 1, "twicein": 2 * self.cin}.get(self.misuse, self.block or self.cin)

    @property
    def steps(self) -> Tuple[str, ...]:
        """The epilogue, operation by operation."""
        return EPILOGUES[self.epilogue]


# Token of a geometry: what it changes. A geometry has its tokens in this order.
TOKENS: Dict[str, Dict[str, Any]] = {
    "s2": {"strides": (2, 2)},
    "s1x2": {"strides": (1, 2)},
    "d2": {"dilation": 2},
    "d3": {"dilation": 3},
    "valid": {"padding": "VALID"},
    "explicit": {"padding": "EXPLICIT"},
    "pad": {"padding": "EXPLICIT", "pad_first": True},
    "n1": {"n": 1},
    "n0": {"n": 0},
    "tiny": {"h": 2, "w": 2},
    "dynbatch": {"dynamic_batch": True},
    "dynhw": {"dynamic_hw": True},
    "const": {"constant": True},
    "bare": {"bare": True},
    "wn": {"weight_norm": "outputs"},
    "convolution": {"via": "nn.convolution"},
    "raw": {"via": "raw_ops.Conv2D"},
    "ops": {"via": "keras.ops.conv"},
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

# The convolution of a block (what stands around it: see blocks.py), and the channels of the block's input.
BLOCKS: Dict[str, Dict[str, Any]] = {
    "resnext-block": {"groups": 4, "kernel": (3, 3), "cin": 16, "cout": 16, "block": 32},
    "mobilenet-block": {"groups": 48, "kernel": (3, 3), "cin": 48, "cout": 48, "block": 16},
    "shufflenet-unit": {"groups": 4, "kernel": (1, 1), "cin": 32, "cout": 16, "block": 32},
    "convnext-block": {"groups": 16, "kernel": (7, 7), "cin": 16, "cout": 16, "block": 16},
    "mixconv-block": {"groups": 4, "kernel": (3, 3), "cin": 48, "cout": 48, "block": 16},
    "wav2vec2-position": {"groups": 16, "kernel": (1, 128), "cin": 64, "cout": 64, "block": 64, "w": 160},
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
    """The fields of `g<G>-k<K>[x<K>][-token...]`, of a named layer or of a block."""
    if text in NAMED_LAYERS or text in BLOCKS:
        return dict(NAMED_LAYERS.get(text) or BLOCKS[text])
    match = re.match(r"g([1-9][0-9]{0,3})-k([1-9][0-9]?)(?:x([1-9][0-9]?))?((?:-[a-z0-9]+)*)\Z", text)
    if not match:
        raise ValueError("{!r} is not a geometry like g4-k3 or g4-k3-s2, nor a named layer or block".format(text))
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


def is_misuse(case: str) -> bool:
    """Whether a case asks for what has no right answer."""
    return bool(parse_case(case).misuse)
