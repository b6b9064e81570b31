"""An approach as a whole program, to be pasted and run: the setting, the code, and a call on a layer of a person's own.

An approach in `matrix/catalog/approaches.py` gives one of two things, or has no program.

`function` is the source of `convolution(x, w, groups, ...)`. It is called with the keywords `strides` and `padding`,
and where they are not the default `dilations` and `data_format`, all as `tf.nn.conv2d` takes them: strides and
dilations over all four dimensions. `**options` hands on what it does not name. In the source stand, for both layouts:

- `AXIS`, the axis of the channels of `x`;
- `SPATIAL`, the slice of the image in strides or dilations;
- `x[..., ` before a slice of the channels.

`w` has the shape that `filters` gives for the approach's form, which must stand in `CHANNELS`; all filters come before
`groups`. An approach with a `place`, and one of the form `depthwise`, takes the grouped filter, so that its code also
stands in a Keras layer in place of `Conv2D(groups=...)`.

`layers` are calls of Keras layers, separated by semicolons, as a format of `cout`, `kernel`, `groups`, `moves`
(padding, strides, dilation), `kind` (dtype, layout) and `bias`. A `function` beside them holds what they need defined.

tests/integration/test_snippet_programs.py runs every program as it is printed, and compares with float64.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

from packaging.version import Version

from matrix.base.errors import BadUsage
from matrix.catalog.approaches import APPROACHES, Approach
from matrix.record.records import Mode
from matrix.suite.catalog import Case

if TYPE_CHECKING:
    from matrix.catalog.releases import Profile

WIDTH = 80
# A variable's value from this length on leaves no room for a comment behind it.
LONG = 12
DTYPES = {"f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16"}
# The first release in which Keras' layers take groups: before it there is no layer to take the place of.
KERAS_GROUPS = Version("2.3")
# The spatial dimensions of a filter by rank, and its channels by the form of the approach that takes it.
SPACE = {1: "k", 2: "kh, kw", 3: "kd, kh, kw"}
CHANNELS: dict[str, tuple[str, Callable[[Case], tuple[int, int]]]] = {
    "grouped": ("in / groups, out", lambda case: (case.cin // case.groups, case.cout)),
    "depthwise": ("in / groups, out", lambda case: (1, case.cout)),
    "separable": ("in, 1", lambda case: (case.cin, 1)),
    "transpose": ("out / groups, in", lambda case: (case.cout // case.groups, case.cin)),
    "depthwise-sum": ("in / groups, out", lambda case: (case.cin // case.groups, case.cout)),
    "per-group": ("in / groups, out / groups", lambda case: (case.cin // case.groups, case.cout // case.groups)),
    "per-sample": ("in, out", lambda case: (case.cin, case.cout)),
    "mixed": ("in / groups, out / in", lambda case: (case.cin // case.groups, case.cout // case.cin)),
}
# What 1.x calls by another name, or does not have.
TENSORFLOW_1 = {
    "tf.image.extract_patches": "tf.extract_image_patches",
    '    options["dilations"] = dilations[SPATIAL]\n': "",
}
LAYER = """\
class GroupedConv2D(tf.keras.layers.Conv2D):
    \"""Takes the place of Conv2D(groups=...): the same arguments and weights.\"""

    def call(self, x):
        y = convolution(
            x, tf.convert_to_tensor(self.kernel), groups=self.groups,
            strides={strides}, padding=self.padding.upper(),
            dilations={dilations}{layout},
        )
        if self.use_bias:
            y = tf.nn.bias_add(y, self.bias{layout})
        return self.activation(y) if self.activation else y"""
MEND = """\
def mend(model):
    \"""Return the model with its grouped layers replaced, and its weights.\"""
    def clone(layer):
        made = type(layer)
        if made is tf.keras.layers.Conv2D and layer.groups > 1:
            made = GroupedConv2D
        return made.from_config(layer.get_config())

    mended = tf.keras.models.clone_model(model, clone_function=clone)
    mended.set_weights(model.get_weights())
    return mended"""
TRANSPOSED_LAYER = """\
class GroupedConv2DTranspose(tf.keras.layers.Layer):
    \"""What Conv2DTranspose(groups=...) should be, with padding="same".\"""

    def __init__(self, filters, size, groups, strides=1, padding="same",
                 **options):
        super().__init__(**options)
        self.filters, self.size, self.groups = filters, size, groups
        self.strides = [1, strides, strides, 1]

    def build(self, shape):
        size = [self.size, self.size, self.filters // self.groups, shape[-1]]
        self.kernel = self.add_weight(name="kernel", shape=size)
        self.bias = self.add_weight(
            name="bias", shape=[self.filters], initializer="zeros")

    def call(self, x):
        y = convolution(
            x, tf.convert_to_tensor(self.kernel), groups=self.groups,
            strides=self.strides, padding="SAME",
        )
        return tf.nn.bias_add(y, tf.convert_to_tensor(self.bias))"""


def layer(  # noqa: PLR0913 - the numbers of a layer
    *, groups: int, cin: int, cout: int | None = None, kernel: int = 3, size: int = 56, batch: int = 1,
    dtype: str = "f32", layout: str = "nhwc",
) -> Case:  # fmt: skip
    """Return a person's layer, without an epilogue, as a case of the suite. Raise BadUsage where it is none."""
    cout = cout or cin
    if cin % groups or cout % groups:
        raise BadUsage(
            f"{groups} groups cannot share {cin} channels in and {cout} out",
            "give numbers of channels that are multiples of the groups",
        )
    return Case(
        geometry="",
        epilogue="none",
        dtype=dtype,
        layout=layout,
        groups=groups,
        kernel=(kernel, kernel),
        cin=cin,
        cout=cout,
        n=batch,
        h=size,
        w=size,
    )


def takes_place(name: str, release: str) -> bool:
    """Tell whether the approach can stand in a Keras layer in place of Conv2D(groups=...), or of the transposed one."""
    approach = APPROACHES[name]
    same = bool(approach.place) or approach.computes in {"depthwise-2d", "transpose-2d"}
    return same and not approach.layers and Version(release) >= KERAS_GROUPS


def program(name: str, case: Case, release: str, profile: Profile | None = None, mode: Mode = "eager") -> str:
    """Return a program that computes `y` by the approach, in a release under a profile; for the mode `keras` as a layer
    in a model. The epilogue is left out. Raise BadUsage where the approach has none for that.
    """
    approach, v1 = APPROACHES[name], Version(release) < Version("2")
    if fault := _fault(name, case, release, mode):
        raise BadUsage(fault, "python -m matrix advise --help says how to ask what there is")
    space = extents(approach.rank, case.h, case.w)
    legend, shapes = filters(approach, case)
    code = [definitions(approach, case, release)] if approach.function else []
    before = decorator(mode, release)

    drawn = "tf.random_normal" if v1 else "tf.random.normal"
    dtype = "" if case.dtype == "f32" else f", dtype=tf.{DTYPES[case.dtype]}"
    shape = [case.n, *space, case.cin] if case.layout == "nhwc" else [case.n, case.cin, *space]
    call = [f"x = {drawn}({shape}{dtype})"]
    if approach.layers or mode == "keras":
        made = layers(approach, case)
        if (
            approach.form != "transpose" or not approach.layers
        ):  # Keras ignores the groups of a transposed layer, or refuses them
            call.insert(0, f"# The filter is {legend}: {' and '.join(str(list(one)) for one in shapes)}.")
        if not approach.layers:
            code += [TRANSPOSED_LAYER] if approach.form == "transpose" else [layer_class(case), MEND]
        code.append(f"layer = {made[0]}" if len(made) == 1 else f"layer = tf.keras.Sequential([{', '.join(made)}])")
        if mode == "keras":
            call.append("y = tf.keras.Sequential([layer]).predict(x)")
        else:
            code += [f"{before}def call(x):\n    return layer(x)"] if before else []
            call.append("y = call(x)" if before else "y = layer(x)")
    else:
        values = [f"{drawn}({list(size)}{dtype})" for size in shapes]
        if approach.form == "mixed":
            sizes, channels = tuple(size[0] for size in shapes), ", ".join(map(str, shapes[0][2:]))
            values = [f"[{drawn}([k, k, {channels}]{dtype}) for k in {sizes}]"]
        names = ["w", "pointwise"][: len(values)]
        lines = zip(names, values, legend.split(" and "), strict=True)
        call += [f"{one} = {value}  # {told}" for one, value, told in lines]
        call.append(f"y = convolution(x, {', '.join(names)}, {arguments(approach, case)})")
        code[0] = before + code[0]

    written = "\n\n".join([*code, "\n".join(call)])
    head = [*environment(profile), *["import numpy as np"] * ("np." in written), "import tensorflow as tf"]
    optimizer = [profile.python] if profile and profile.python else []
    return wrapped("\n\n".join(["\n".join([*head, *optimizer]), written]))


def _fault(name: str, case: Case, release: str, mode: Mode) -> str:
    """Say why there is no such program, or nothing."""
    approach, version = APPROACHES[name], Version(release)
    v1 = version < Version("2")
    faults = {
        f"{name} has no short program": not (approach.function or approach.layers) or approach.form not in CHANNELS,
        f"{name} exists from TensorFlow {approach.since} on, not in {release}": version < Version(approach.since),
        f"there is no short program of {name} for that in TensorFlow {release}": v1
        and (mode in {"jit", "keras"} or bool(approach.layers) or case.dilation > 1),
        f"{name} does not take the place of Conv2D(groups=...) in TensorFlow {release}": mode == "keras"
        and not (approach.layers or takes_place(name, release)),
        f"{name} needs as many groups as channels, not {case.groups} of {case.cin}": case.groups != case.cin
        and approach.form in {"depthwise", "separable"},
        f"{name} has a filter for each image of a batch, not {case.groups} for {case.n}": case.groups != case.n
        and approach.form == "per-sample",
        f"there is no short program of {name} for that kernel": approach.form in {"transpose", "mixed"}
        and (case.dilation > 1 or case.padding != "SAME" or case.kernel[0] != case.kernel[1]),
        f"{name} is no Keras layer with the channels first, or with unequal strides": mode == "keras"
        and approach.form == "transpose"
        and not approach.layers
        and (case.layout == "nchw" or case.strides[0] != case.strides[1]),
        f"there is no short program in {case.dtype}": case.dtype not in DTYPES,
        f"{name} needs the channels last": approach.channels_last and case.layout != "nhwc",
    }
    return next((fault for fault, holds in faults.items() if holds), "")


def environment(profile: Profile | None) -> list[str]:
    """Return the lines that set a profile's variables."""
    if not profile or not profile.environment:
        return []
    told = "  # before TensorFlow is imported"
    return ["import os"] + [
        f"os.environ[{json.dumps(name)}] = {json.dumps(value)}{told if len(value) < LONG else ''}"
        for name, value in profile.environment.items()
    ]


def decorator(mode: str, release: str) -> str:
    """Return the line before a function that is to run in a mode; "" where it needs none."""
    if Version(release) < Version("2") or mode not in {"graph", "jit"}:
        return ""
    option = "jit_compile" if Version(release) >= Version("2.5") else "experimental_compile"
    return f"@tf.function({option}=True)\n" if mode == "jit" else "@tf.function\n"


def definitions(approach: Approach, case: Case, release: str) -> str:
    """Return the approach's `function` as it stands in a program."""
    nchw = case.layout == "nchw"
    words = {"AXIS": "1" if nchw else "-1", "SPATIAL": "2:4" if nchw else "1:3"}
    words |= {"x[..., ": "x[:, "} if nchw else {}
    words = (TENSORFLOW_1 if Version(release) < Version("2") else {}) | words
    text = textwrap.dedent(approach.function).strip()
    for word, meant in words.items():
        text = text.replace(word, meant)
    return text


def arguments(approach: Approach, case: Case) -> str:
    """Return the arguments of `convolution` that follow the filters."""
    nchw, rank = case.layout == "nchw", approach.rank

    def over_all(spatial: tuple[int, ...]) -> list[int]:
        return [1, 1, *spatial] if nchw else [1, *spatial, 1]

    told = f'groups={case.groups}, strides={over_all(extents(rank, *case.strides))}, padding="{case.padding}"'
    told += f", dilations={over_all((case.dilation,) * rank)}" if case.dilation > 1 else ""
    return told + (f', data_format="NC{"DHW"[-rank:]}"' if nchw else "")


def filters(approach: Approach, case: Case) -> tuple[str, list[tuple[int, ...]]]:
    """Return what the dimensions of the approach's filters are, and their sizes."""
    kernel = extents(approach.rank, *case.kernel)
    legend, channels = CHANNELS[approach.form]
    if approach.form == "depthwise" and approach.layers:  # a layer keeps its filter as it likes
        legend, channels = "in, out / in", lambda case: (case.cin, case.cout // case.cin)
    told, sizes = f"[{SPACE[approach.rank]}, {legend}]", [(*kernel, *channels(case))]
    if approach.form == "per-sample":
        told, sizes = f"[samples, {told[1:]}", [(case.n, *sizes[0])]
    if approach.form == "mixed":  # as in MixConv, each kernel is larger by 2
        growing = range(0, 2 * case.groups, 2)
        sizes = [(*(size + more for size in kernel), *channels(case)) for more in growing]
    if approach.form == "separable":
        ones = (1,) * approach.rank
        told, sizes = f"{told} and {[*ones, 'in', 'out']}".replace("'", ""), [*sizes, (*ones, case.cin, case.cout)]
    return told, sizes


def layers(approach: Approach, case: Case, *, bias: bool = True) -> list[str]:
    """Return the approach's Keras layers, each as the call that makes it."""
    moves = f', padding="{case.padding.lower()}"'
    strides = extents(approach.rank, *case.strides)
    moves += f", strides={strides[0] if len(set(strides)) == 1 else strides}" if max(strides) > 1 else ""
    moves += f", dilation_rate={case.dilation}" if case.dilation > 1 else ""
    kind = "" if case.dtype == "f32" else f', dtype="{DTYPES[case.dtype]}"'
    kind += ', data_format="channels_first"' if case.layout == "nchw" else ""
    kernel = extents(approach.rank, *case.kernel)
    taken = "GroupedConv2DTranspose" if approach.form == "transpose" else "GroupedConv2D"
    calls = approach.layers or f"{taken}({{cout}}, {{kernel}}, groups={{groups}}{{moves}}{{kind}}{{bias}})"
    return [
        call.format(
            cout=case.cout,
            kernel=kernel[0] if len(set(kernel)) == 1 else kernel,
            groups=case.groups,
            moves=moves,
            kind=kind,
            bias="" if bias else ", use_bias=False",
        )
        for call in calls.split("; ")
    ]


def extents(rank: int, height: int, width: int) -> tuple[int, ...]:
    """Return the spatial extents of that rank: a sequence has the width, a volume the height twice."""
    return (height,) * (rank - 2) + (height, width)[-min(rank, 2) :]


def layer_class(case: Case) -> str:
    nchw = case.layout == "nchw"
    return LAYER.format(
        strides="[1, 1, *self.strides]" if nchw else "[1, *self.strides, 1]",
        dilations="[1, 1, *self.dilation_rate]" if nchw else "[1, *self.dilation_rate, 1]",
        layout=', data_format="NCHW"' if nchw else "",
    )


def wrapped(text: str) -> str:
    """Return a program with its long lines broken."""
    return "\n".join(_wrapped(line) for line in text.splitlines()) + "\n"


def _wrapped(line: str) -> str:
    """Break a line of code inside its parentheses; a variable's value stays whole."""
    code = line.lstrip()
    if len(line) <= WIDTH or code.startswith(("os.environ", "tf.config")):
        return line
    if "  # " in code:
        before, _, told = line.partition("  # ")
        return f"{line[: len(line) - len(code)]}# {told}\n{_wrapped(before)}"
    indent = " " * (len(line) - len(code)) + ("# " if code.startswith("#") else " " * 8)
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
