"""A cell as a script of its own: what a person runs in any environment to see it happen, or attaches to a bug report.

A script needs TensorFlow and NumPy and nothing of this project. It says `pass`, `wrong` or `error`, as a record does,
and exits with 0 for `pass`. The forward pass is compared with a float64 convolution in plain NumPy; gradients with the
slope of that convolution in a random direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent, indent
from typing import Any

from packaging.version import Version

from matrix.answers.snippets import REFERENCE, REFERENCE_STEPS, STEPS, conv2d
from matrix.base.errors import BadUsage
from matrix.base.text import plain
from matrix.catalog.approaches import APPROACHES, Approach
from matrix.catalog.releases import Profile
from matrix.record.records import CellId
from matrix.suite import catalog as suite

DTYPES = {"f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16"}
EPSILON = {"f64": 2.0**-52, "f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}
TENSORFLOW_1 = ("eager", "graph")

# What a script's `run` does where nothing in it depends on the cell.
SESSION_FORWARD = """
def run():
    placeholder = tf.placeholder(DTYPE, x.shape)
    y = forward(placeholder, *[tf.constant(w) for w in filters])
    with tf.Session() as session:
        return session.run(y, {placeholder: x})
"""
SESSION_GRADIENT = """
def run(cotangent):
    placeholder, weights = tf.placeholder(DTYPE, x.shape), [tf.constant(w) for w in filters]
    wanted = tf.gradients([forward(placeholder, *weights)], [placeholder] + weights, grad_ys=[tf.constant(cotangent)])
    with tf.Session() as session:
        return session.run(wanted, {placeholder: x})
"""
EAGER_GRADIENT = """
def run(cotangent):
    return [g.numpy() for g in gradients(tf.constant(x), tf.constant(cotangent))]
"""
KERAS_FORWARD = """
def run():
    return model.predict(x, batch_size=len(x), verbose=0)
"""
KERAS_GRADIENT = """
def run(cotangent):
    axes = list(range(1, x.ndim))
    model.compile(tf.keras.optimizers.SGD(float(len(x))), lambda c, y: tf.reduce_sum(c * y, axis=axes))
    model.fit(x, cotangent, batch_size=len(x), epochs=1, shuffle=False, verbose=0)
    after = [w for layer in layers for w in layer.get_weights() if w.ndim > 1]
    return [None] + [before - w for before, w in zip(filters, after)]
"""
# The model of an approach that is no Keras layer: a layer around the function.
KERAS_PROGRAM = """
class Program(tf.keras.layers.Layer):
    def build(self, shape):
        self.held = [self.add_weight(name="w%d" % i, shape=w.shape) for i, w in enumerate(filters)]
        super().build(shape)

    def call(self, x):
        return forward(x, *self.held)


layers = [Program(dtype=DTYPE)]
model = tf.keras.Sequential([tf.keras.layers.Input(x.shape[1:], dtype=DTYPE)] + layers)
layers[0].set_weights(filters)
"""


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A cell as it was recorded under a profile; `told` says in one line what the record says of it."""

    cell: CellId
    release: str
    profile: Profile | None
    told: str

    @property
    def case(self) -> Any:
        return suite.parse_case(self.cell[3])

    @property
    def v1(self) -> bool:
        return Version(self.release) < Version("2")

    @property
    def keras_layer(self) -> bool:
        return bool(self.approach.layers)

    @property
    def approach(self) -> Approach:
        return APPROACHES[self.cell[0]]


def script(wanted: Reproduction) -> str:
    """Raise BadUsage where no short script shows what the cell shows, with the command of the suite that does."""
    approach, mode, check, _ = wanted.cell
    case = wanted.case
    possible = (
        (wanted.approach.function or (wanted.approach.layers and not wanted.v1))
        and mode in (TENSORFLOW_1 if wanted.v1 else (*TENSORFLOW_1, "jit", "keras"))
        and check != "fusion"
        and case.layout == "nhwc"
        and case.dtype != "bf16"
        and not case.misuse
        and set(case.steps) <= set(STEPS)
        and not (case.dilation > 1 and approach in {"depthwise", "separable"})
    )
    if not possible:
        command = f"python -m suite.observe {' '.join(wanted.cell)}"
        raise BadUsage(
            f"there is no short script for {'/'.join(wanted.cell)}",
            f"the suite itself shows it, in any environment with this TensorFlow: cd tests && {command}",
        )
    run = _gradient_run(wanted) if check == "gradient" else _forward_run(wanted)
    blocks = [_head(wanted), _inputs(wanted), _program(wanted), _reference(wanted), run, _verdict(wanted)]
    return "\n\n\n".join(block.strip("\n") for block in blocks) + "\n"


def _head(wanted: Reproduction) -> str:
    profile = wanted.profile
    settings = [f'os.environ["{name}"] = "{value}"' for name, value in (profile.environment if profile else {}).items()]
    if settings:
        settings[-1] += "  # before TensorFlow is imported"
    # What a record says, as a line of a docstring that it cannot end: a person is about to run this.
    told = plain(wanted.told, limit=500).replace("\\", "/").replace('"', "'")
    lines = ['"""' + "/".join(wanted.cell), "", told, '"""']
    lines += ["import os", "import sys", "", *settings] if settings else ["import sys", ""]
    lines += ["import numpy as np", "import tensorflow as tf"]
    lines += ["", profile.setting] if profile and profile.optimizer else []
    return "\n".join(lines)


def _inputs(wanted: Reproduction) -> str:
    """The constants of the case, and its numbers: the input, the filters and what the epilogue adds."""
    case, rank = wanted.case, wanted.approach.rank
    spatial, kernel = _extents(rank, case.h, case.w), _extents(rank, *case.kernel)
    shapes: dict[str, list[tuple[int, ...]]] = {
        "grouped": [(*kernel, case.cin // case.groups, case.cout)],
        "depthwise": [(*kernel, case.cin, case.cout // case.cin)],
        "separable": [(*kernel, case.cin, 1), (1, 1, case.cin, case.cout)],
    }
    draws = [
        f"x = draw(({case.n}, {', '.join(map(str, spatial))}, {case.cin}))",
        f"filters = [{', '.join(f'draw({shape})' for shape in shapes[wanted.approach.form])}]",
    ]
    vector = f"draw(({case.cout},))"
    for step in case.steps:
        if step == "bias":
            draws.append(f"bias = {vector}")
        if step == "bn":
            draws += [f"mean = {vector}", f"variance = abs({vector})", f"scale = {vector}", f"offset = {vector}"]
    if "add" in case.steps:
        reach = [(size - 1) * case.dilation + 1 for size in kernel]
        sizes = spatial if case.padding == "SAME" else [size - r + 1 for size, r in zip(spatial, reach, strict=True)]
        outputs = [-(-size // case.stride) for size in sizes]
        draws.append(f"added = draw(({case.n}, {', '.join(map(str, outputs))}, {case.cout}))")
    return f"""
GROUPS, STRIDES = {case.groups}, [1, {case.stride}, {case.stride}, 1]
PADDING, DILATION = "{case.padding}", {case.dilation}
DATA_FORMAT, CHANNELS, DTYPE = "NHWC", 3, "{DTYPES[case.dtype]}"
random = np.random.RandomState(0)


def draw(shape):
    return random.uniform(-1, 1, shape).astype(DTYPE)


""" + "\n".join(draws)


def _extents(rank: int, height: int, width: int) -> tuple[int, ...]:
    """The spatial extents of an approach of that rank: a sequence has the width, a volume the height twice."""
    return (height,) * (rank - 2) + (height, width)[-min(rank, 2) :]


def _program(wanted: Reproduction) -> str:
    """The approach, the epilogue, and `forward`, which is both."""
    case = wanted.case
    steps = [f"    y = {STEPS[step]}" for step in case.steps if not (step == "bias" and wanted.keras_layer)]
    epilogue = "\n".join(["def epilogue(y):", *steps, "    return y"])
    if not wanted.keras_layer:
        helper = conv2d(wanted.approach, ", dilations=[1, DILATION, DILATION, 1]" if case.dilation > 1 else "")
        return f"""{helper}{dedent(wanted.approach.function).strip()}


{epilogue}


def forward(x, *weights):
    return epilogue(convolution(x, *weights))"""

    options = f', padding="{case.padding.lower()}", dtype=DTYPE'
    options += f", strides={case.stride}" if case.stride > 1 else ""
    options += f", dilation_rate={case.dilation}" if case.dilation > 1 else ""
    kernel, bias = _extents(wanted.approach.rank, *case.kernel), "bias" in case.steps
    return f"""
layers = {wanted.approach.layers.format(cout=case.cout, kernel=kernel, bias=bias, options=options)}
shape = x.shape
for layer, w in zip(layers, filters):
    layer.build(shape)
    layer.set_weights([w] + ({"[bias]" if bias else "[]"} if layer is layers[-1] else []))


{epilogue}


def forward(x, *_):
    for layer in layers:
        x = layer(x)
    return epilogue(x)"""


def _reference(wanted: Reproduction) -> str:
    case, form = wanted.case, wanted.approach.form
    first = "w[0]" if form == "grouped" else "w[0].reshape(w[0].shape[:-2] + (1, -1))"
    lines = [
        "def reference(x, *w):",
        f"    y = convolve(x, {first}, GROUPS, {case.stride}, {case.dilation}, {case.padding == 'SAME'})",
    ]
    lines += ["    y = convolve(y, w[1], 1, 1, 1, True)"] if form == "separable" else []
    lines += [f"    y = {REFERENCE_STEPS[step]}" for step in case.steps]
    return REFERENCE.strip() + "\n\n\n" + "\n".join([*lines, "    return y"])


def _forward_run(wanted: Reproduction) -> str:
    """`run`, which returns the output."""
    mode = wanted.cell[1]
    if mode == "keras":
        return f"{_model(wanted)}\n\n\n{KERAS_FORWARD.strip()}"
    held, weights = _weights(wanted)
    if mode == "eager":
        start = "tf.enable_eager_execution()\n" if wanted.v1 else ""
        return f"""{start}{held}

def run():
    return forward(tf.constant(x), *{weights}).numpy()"""
    if wanted.v1:
        return SESSION_FORWARD
    case = wanted.case
    batch = None if case.dynamic_batch else case.n
    spatial = [None if case.dynamic_hw else size for size in _extents(wanted.approach.rank, case.h, case.w)]
    shape = ", ".join(map(str, [batch, *spatial, case.cin]))
    return f"""{held}

@tf.function(input_signature=[tf.TensorSpec(({shape}), DTYPE)], autograph=False{_jit(wanted)})
def function(x):
    return forward(x, *{weights})


def run():
    return function(tf.constant(x)).numpy()"""


def _gradient_run(wanted: Reproduction) -> str:
    """`run`, which returns the gradients of the input and of each filter."""
    mode = wanted.cell[1]
    if mode == "keras":
        return f"{_model(wanted)}\n\n\n{KERAS_GRADIENT.strip()}"
    if mode == "graph" and wanted.v1:
        return SESSION_GRADIENT
    held, weights = _weights(wanted)
    weights = "[layer.trainable_weights[0] for layer in layers]" if wanted.keras_layer else weights
    tape = f"""{held}

def gradients(x, cotangent):
    with tf.GradientTape() as tape:
        weights = {weights}
        tape.watch({"x" if wanted.keras_layer else "[x] + weights"})
        y = forward(x, *weights)
    return tape.gradient(y, [x] + weights, output_gradients=cotangent)


"""
    if mode == "eager":
        start = "tf.enable_eager_execution()\n\n\n" if wanted.v1 else ""
        return start + tape + EAGER_GRADIENT.strip()
    return f"""{tape}def run(cotangent):
    function = tf.function(gradients, autograph=False{_jit(wanted)})
    return [g.numpy() for g in function(tf.constant(x), tf.constant(cotangent))]"""


def _weights(wanted: Reproduction) -> tuple[str, str]:
    """The line that makes the program's variables, if its filters are variables, and the filters in the program."""
    if wanted.case.variable:
        return "held = [tf.Variable(w) for w in filters]\n", "held"
    return "", "[tf.constant(w) for w in filters]"


def _jit(wanted: Reproduction) -> str:
    if wanted.cell[1] != "jit":
        return ""
    return ", jit_compile=True" if Version(wanted.release) >= Version("2.5") else ", experimental_compile=True"


def _model(wanted: Reproduction) -> str:
    if not wanted.keras_layer:
        return KERAS_PROGRAM.strip()
    epilogue = " + [tf.keras.layers.Lambda(epilogue)]" if set(wanted.case.steps) - {"bias"} else ""
    return f"""model = tf.keras.Sequential([tf.keras.layers.Input(x.shape[1:], dtype=DTYPE)] + layers{epilogue})
for layer, w in zip(layers, filters):  # a model may build its layers anew
    layer.set_weights([w] + layer.get_weights()[1:])"""


def _verdict(wanted: Reproduction) -> str:
    """What compares the outcome of `run` with the reference, prints the word and exits."""
    case = wanted.case
    if wanted.cell[2] == "forward":
        products = case.kernel[0] * case.kernel[1] * case.cin // case.groups
        body = f"""
            want = reference(*[np.float64(one) for one in [x] + filters])
            error = np.linalg.norm(np.float64(run()) - want) / np.linalg.norm(want)
            tolerance = {4 * EPSILON[case.dtype] * products**0.5:.1e}
            """
    else:
        body = f"""
            point = [np.float64(one) for one in [x] + filters]
            cotangent = draw(reference(*point).shape)
            found = run(cotangent)
            ways = [random.uniform(-1, 1, p.shape) * (g is not None) for p, g in zip(point, found)]
            ahead, behind = [reference(*[p + e * w for p, w in zip(point, ways)]) for e in (1e-6, -1e-6)]
            slope = np.sum(cotangent * (ahead - behind)) / 2e-6
            parts = [(np.float64(g), w) for g, w in zip(found, ways) if g is not None]
            size = sum(np.linalg.norm(g) * np.linalg.norm(w) for g, w in parts)
            error = abs(sum(np.sum(g * w) for g, w in parts) - slope) / size
            tolerance = {max(400 * EPSILON[case.dtype], 1e-6):.1e}
            """
    return f"""print("TensorFlow", tf.__version__)
try:
{indent(dedent(body).strip(), "    ")}
except Exception as fault:
    print("error:", type(fault).__name__, fault)
    sys.exit(1)
print("pass" if error <= tolerance else "wrong", "(relative error %.1e, tolerance %.1e)" % (error, tolerance))
sys.exit(0 if error <= tolerance else 1)"""
