"""A cell as a script of its own: what a person runs in any environment to see it happen, or attaches to a bug report.

A script needs TensorFlow and NumPy and nothing of this project. It says `pass`, `wrong` or `error`, as a record does,
and exits with 0 for `pass`. The forward pass is compared with a float64 convolution in plain NumPy; gradients with the
slope of that convolution in a random direction.
"""

from __future__ import annotations

from collections.abc import Callable
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


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A cell as it was recorded under a profile: `told` says in one line what came of it."""

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
    _demand_possible(wanted)
    blocks = [_head(wanted), _numbers(wanted), _program(wanted), _reference(wanted), _run(wanted), _verdict(wanted)]
    return "\n\n\n".join(block.strip("\n") for block in blocks if block) + "\n"


def _demand_possible(wanted: Reproduction) -> None:
    approach, mode, check, _ = wanted.cell
    case = wanted.case
    short = wanted.approach.function or wanted.approach.layers
    known = mode in (TENSORFLOW_1 if wanted.v1 else (*TENSORFLOW_1, "jit", "keras"))
    plain = case.layout == "nhwc" and not case.misuse and set(case.steps) <= set(STEPS) and case.dtype != "bf16"
    dilated = case.dilation > 1 and approach in {"depthwise", "separable"}
    if not (short and known and plain) or check == "fusion" or dilated or (wanted.v1 and wanted.keras_layer):
        command = f"python -m suite.observe {' '.join(wanted.cell)}"
        raise BadUsage(
            f"there is no short script for {'/'.join(wanted.cell)}",
            f"the suite itself shows it, in any environment with this TensorFlow: cd tests && {command}",
        )


def _head(wanted: Reproduction) -> str:
    profile = wanted.profile
    variables = profile.environment if profile else {}
    settings = "\n".join(f'os.environ["{name}"] = "{value}"' for name, value in variables.items())
    optimizer = f"\n{profile.setting}\n" if profile and profile.optimizer else ""
    return f'''
"""{"/".join(wanted.cell)}

{_inert(wanted.told)}
"""
{f"import os{chr(10)}" if settings else ""}import sys
{f"{chr(10)}{settings}  # before TensorFlow is imported" if settings else ""}
import numpy as np
import tensorflow as tf
{optimizer}'''


def _inert(told: str) -> str:
    """What a record says, as a line of a docstring that it cannot end: a person is about to run this."""
    return plain(told, limit=500).replace("\\", "/").replace('"', "'")


def _numbers(wanted: Reproduction) -> str:
    case, approach = wanted.case, wanted.approach
    dtype, spatial = DTYPES[case.dtype], _extents(approach.rank, case.h, case.w)
    draws = [f"x = draw(({case.n}, {', '.join(map(str, spatial))}, {case.cin}))"]
    draws.append(f"filters = [{', '.join(f'draw({shape})' for shape in _filter_shapes(wanted))}]")
    vectors = {"bias": ("bias",), "bn": ("mean", "variance", "scale", "offset")}
    names = [name for step in case.steps for name in vectors.get(step, ())]
    vector = f"draw(({case.cout},))"
    draws += [f"{name} = {f'abs({vector})' if name == 'variance' else vector}" for name in names]
    if "add" in case.steps:
        draws.append(f"added = draw(({case.n}, {', '.join(map(str, _outputs(case, spatial)))}, {case.cout}))")
    return f"""
GROUPS, STRIDES = {case.groups}, [1, {case.stride}, {case.stride}, 1]
PADDING, DILATION = "{case.padding}", {case.dilation}
DATA_FORMAT, CHANNELS, DTYPE = "NHWC", 3, "{dtype}"
random = np.random.RandomState(0)


def draw(shape):
    return random.uniform(-1, 1, shape).astype(DTYPE)


""" + "\n".join(draws)


def _extents(rank: int, height: int, width: int) -> tuple[int, ...]:
    return (height,) * (rank - 2) + (height, width)[-min(rank, 2) :]


def _outputs(case: Any, spatial: tuple[int, ...]) -> list[int]:
    kernel = _extents(len(spatial), *case.kernel)
    reach = [(size - 1) * case.dilation + 1 for size in kernel]
    same = case.padding == "SAME"
    return [-(-(size if same else size - r + 1) // case.stride) for size, r in zip(spatial, reach, strict=True)]


def _filter_shapes(wanted: Reproduction) -> list[tuple[int, ...]]:
    case, approach = wanted.case, wanted.approach
    kernel = _extents(approach.rank, *case.kernel)
    return {
        "grouped": [(*kernel, case.cin // case.groups, case.cout)],
        "depthwise": [(*kernel, case.cin, case.cout // case.cin)],
        "separable": [(*kernel, case.cin, 1), (1, 1, case.cin, case.cout)],
    }[approach.form]


def _program(wanted: Reproduction) -> str:
    steps = [f"    y = {STEPS[step]}" for step in wanted.case.steps if not (step == "bias" and wanted.keras_layer)]
    epilogue = "\n".join(["def epilogue(y):", *steps, "    return y"])
    if wanted.keras_layer:
        return f"{_layers(wanted)}\n\n\n{epilogue}\n\n\n{_layer_forward()}"
    dilations = ", dilations=[1, DILATION, DILATION, 1]" if wanted.case.dilation > 1 else ""
    convolution = dedent(wanted.approach.function).strip()
    helper = conv2d(wanted.approach, dilations)
    forward = "def forward(x, *weights):\n    return epilogue(convolution(x, *weights))"
    return f"{helper}{convolution}\n\n\n{epilogue}\n\n\n{forward}"


def _layers(wanted: Reproduction) -> str:
    case, rank = wanted.case, wanted.approach.rank
    options = f', padding="{case.padding.lower()}", dtype=DTYPE'
    options += f", strides={case.stride}" if case.stride > 1 else ""
    options += f", dilation_rate={case.dilation}" if case.dilation > 1 else ""
    kernel = _extents(rank, *case.kernel)
    made = wanted.approach.layers.format(cout=case.cout, kernel=kernel, bias="bias" in case.steps, options=options)
    biases = "[bias]" if "bias" in case.steps else "[]"
    return f"""
layers = {made}
shape = x.shape
for layer, w in zip(layers, filters):
    layer.build(shape)
    layer.set_weights([w] + ({biases} if layer is layers[-1] else []))
""".strip()


def _layer_forward() -> str:
    return "def forward(x, *_):\n    for layer in layers:\n        x = layer(x)\n    return epilogue(x)"


def _reference(wanted: Reproduction) -> str:
    form = wanted.approach.form
    same = wanted.case.padding == "SAME"
    moved = f"{wanted.case.stride}, {wanted.case.dilation}, {same}"
    first = "w[0].reshape(w[0].shape[:-2] + (1, -1))" if form != "grouped" else "w[0]"
    lines = ["def reference(x, *w):", f"    y = convolve(x, {first}, GROUPS, {moved})"]
    lines += ["    y = convolve(y, w[1], 1, 1, 1, True)"] if form == "separable" else []
    lines += [f"    y = {REFERENCE_STEPS[step]}" for step in wanted.case.steps]
    return REFERENCE.strip() + "\n\n\n" + "\n".join([*lines, "    return y"])


def _run(wanted: Reproduction) -> str:
    mode, check = wanted.cell[1:3]
    return (_RUNS_1 if wanted.v1 else _RUNS)[mode, check](wanted)


def _specs(wanted: Reproduction) -> str:
    case = wanted.case
    rank = wanted.approach.rank
    batch = "None" if case.dynamic_batch else str(case.n)
    spatial = ["None" if case.dynamic_hw else str(size) for size in _extents(rank, case.h, case.w)]
    return f"tf.TensorSpec(({batch}, {', '.join(spatial)}, {case.cin}), DTYPE)"


def _jit(wanted: Reproduction) -> str:
    if wanted.cell[1] != "jit":
        return ""
    return ", jit_compile=True" if Version(wanted.release) >= Version("2.5") else ", experimental_compile=True"


def _weights(wanted: Reproduction) -> str:
    """What the program's filters are: constants, or variables made outside of it."""
    return "held" if wanted.case.variable else "[tf.constant(w) for w in filters]"


def _held(wanted: Reproduction) -> str:
    return "held = [tf.Variable(w) for w in filters]\n" if wanted.case.variable else ""


def _eager_forward(wanted: Reproduction) -> str:
    start = "tf.enable_eager_execution()\n" if wanted.v1 else ""
    return f"{start}{_held(wanted)}\n\ndef run():\n    return forward(tf.constant(x), *{_weights(wanted)}).numpy()"


def _function_forward(wanted: Reproduction) -> str:
    return f"""{_held(wanted)}

@tf.function(input_signature=[{_specs(wanted)}], autograph=False{_jit(wanted)})
def function(x):
    return forward(x, *{_weights(wanted)})


def run():
    return function(tf.constant(x)).numpy()"""


def _tape(wanted: Reproduction) -> str:
    weights = "[layer.trainable_weights[0] for layer in layers]" if wanted.keras_layer else _weights(wanted)
    watched = "x" if wanted.keras_layer else "[x] + weights"
    return f"""{_held(wanted)}

def gradients(x, cotangent):
    with tf.GradientTape() as tape:
        weights = {weights}
        tape.watch({watched})
        y = forward(x, *weights)
    return tape.gradient(y, [x] + weights, output_gradients=cotangent)"""


def _eager_gradient(wanted: Reproduction) -> str:
    start = "tf.enable_eager_execution()\n\n\n" if wanted.v1 else ""
    return f"""{start}{_tape(wanted)}


def run(cotangent):
    return [g.numpy() for g in gradients(tf.constant(x), tf.constant(cotangent))]"""


def _function_gradient(wanted: Reproduction) -> str:
    return f"""{_tape(wanted)}


def run(cotangent):
    function = tf.function(gradients, autograph=False{_jit(wanted)})
    return [g.numpy() for g in function(tf.constant(x), tf.constant(cotangent))]"""


def _model(wanted: Reproduction) -> str:
    if wanted.keras_layer:
        steps = [step for step in wanted.case.steps if step != "bias"]
        rest = " + [tf.keras.layers.Lambda(epilogue)]" if steps else ""
        return f"""model = tf.keras.Sequential([tf.keras.layers.Input(x.shape[1:], dtype=DTYPE)] + layers{rest})
for layer, w in zip(layers, filters):  # a model may build its layers anew
    layer.set_weights([w] + layer.get_weights()[1:])"""
    return """class Program(tf.keras.layers.Layer):
    def build(self, shape):
        self.held = [self.add_weight(name="w%d" % i, shape=w.shape) for i, w in enumerate(filters)]
        super().build(shape)

    def call(self, x):
        return forward(x, *self.held)


layers = [Program(dtype=DTYPE)]
model = tf.keras.Sequential([tf.keras.layers.Input(x.shape[1:], dtype=DTYPE)] + layers)
layers[0].set_weights(filters)"""


def _keras_forward(wanted: Reproduction) -> str:
    return f"{_model(wanted)}\n\n\ndef run():\n    return model.predict(x, batch_size=len(x), verbose=0)"


def _keras_gradient(wanted: Reproduction) -> str:
    return f"""{_model(wanted)}


def run(cotangent):
    axes = list(range(1, x.ndim))
    model.compile(tf.keras.optimizers.SGD(float(len(x))), lambda c, y: tf.reduce_sum(c * y, axis=axes))
    model.fit(x, cotangent, batch_size=len(x), epochs=1, shuffle=False, verbose=0)
    after = [w for layer in layers for w in layer.get_weights() if w.ndim > 1]
    return [None] + [before - w for before, w in zip(filters, after)]"""


def _session_forward(_: Reproduction) -> str:
    return """def run():
    placeholder = tf.placeholder(DTYPE, x.shape)
    y = forward(placeholder, *[tf.constant(w) for w in filters])
    with tf.Session() as session:
        return session.run(y, {placeholder: x})"""


def _session_gradient(_: Reproduction) -> str:
    return """def run(cotangent):
    placeholder, weights = tf.placeholder(DTYPE, x.shape), [tf.constant(w) for w in filters]
    wanted = tf.gradients([forward(placeholder, *weights)], [placeholder] + weights, grad_ys=[tf.constant(cotangent)])
    with tf.Session() as session:
        return session.run(wanted, {placeholder: x})"""


_RUNS: dict[tuple[str, str], Callable[[Reproduction], str]] = {
    ("eager", "forward"): _eager_forward,
    ("graph", "forward"): _function_forward,
    ("jit", "forward"): _function_forward,
    ("keras", "forward"): _keras_forward,
    ("eager", "gradient"): _eager_gradient,
    ("graph", "gradient"): _function_gradient,
    ("jit", "gradient"): _function_gradient,
    ("keras", "gradient"): _keras_gradient,
}
_RUNS_1 = {
    ("eager", "forward"): _eager_forward,
    ("graph", "forward"): _session_forward,
    ("eager", "gradient"): _eager_gradient,
    ("graph", "gradient"): _session_gradient,
}


def _verdict(wanted: Reproduction) -> str:
    case = wanted.case
    products = case.kernel[0] * case.kernel[1] * case.cin // case.groups
    if wanted.cell[2] == "forward":
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
