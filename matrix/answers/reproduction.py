"""A cell as a script of its own: what a person runs in any environment to see it happen, or attaches to a bug report.

A script needs TensorFlow and NumPy and nothing of this project. It says `pass`, `wrong` or `error`, as a record does,
and exits with 0 for `pass`. The forward pass is compared with a float64 convolution in plain NumPy; gradients with the
slope of that convolution in a random direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from matrix.answers.snippets import DTYPES, arguments, definitions, extents, filters, layers
from matrix.base.errors import BadUsage
from matrix.base.text import plain
from matrix.catalog.approaches import APPROACHES, Approach
from matrix.catalog.releases import Profile
from matrix.record.records import CellId
from matrix.suite import catalog as suite

if TYPE_CHECKING:
    from jinja2 import Template

EPSILON = {"f64": 2.0**-52, "f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}
TENSORFLOW_1 = ("eager", "graph")
# The steps of an epilogue in TensorFlow, and the same in NumPy.
STEPS = {
    "bias": "tf.nn.bias_add(y, tf.constant(bias, y.dtype))",
    "relu": "tf.nn.relu(y)",
    "relu6": "tf.nn.relu6(y)",
    "elu": "tf.nn.elu(y)",
    "leaky_relu": "tf.nn.leaky_relu(y, alpha=0.2)",
    "bn": "tf.nn.batch_normalization(y, mean, variance, offset, scale, 1e-3)",
}
REFERENCE_STEPS = {
    "bias": "y + bias",
    "relu": "np.maximum(y, 0)",
    "relu6": "np.clip(y, 0, 6)",
    "elu": "np.where(y > 0, y, np.exp(np.minimum(y, 0)) - 1)",
    "leaky_relu": "np.where(y > 0, y, 0.2 * y)",
    "bn": "(y - mean) / np.sqrt(variance + 1e-3) * scale + offset",
}


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A cell as it was recorded under a profile; `told` says in one line what the record says of it."""

    cell: CellId
    release: str
    profile: Profile | None
    told: str


def script(wanted: Reproduction) -> str:
    """Raise BadUsage where no short script shows what the cell shows, with the command of the suite that does."""
    name, mode, check, case_id = wanted.cell
    case, approach = suite.parse_case(case_id), APPROACHES[name]
    version = Version(wanted.release)
    v1 = version < Version("2")
    possible = (
        (bool(approach.function) != bool(approach.layers and not v1))
        and approach.form in {"grouped", "depthwise", "separable"}
        and mode in (TENSORFLOW_1 if v1 else (*TENSORFLOW_1, "jit", "keras"))
        and check != "fusion"
        and case.layout == "nhwc"
        and case.dtype in {"f32", "f64", "f16"}
        and not case.misuse
        and set(case.steps) <= set(STEPS)
        and not (case.dilation > 1 and name in {"depthwise", "separable"})
        and not (case.weight_norm or case.via)
        and case.padding != "EXPLICIT"
        and case.strides[0] == case.strides[1]
    )
    if not possible:
        command = f"python -m suite.observe {' '.join(wanted.cell)}"
        raise BadUsage(
            f"there is no short script for {'/'.join(wanted.cell)}",
            f"the suite itself shows it, in any environment with this TensorFlow: cd tests && {command}",
        )

    profile = wanted.profile
    jit = ", jit_compile=True" if version >= Version("2.5") else ", experimental_compile=True"
    epsilon, products = EPSILON[case.dtype], case.kernel[0] * case.kernel[1] * case.cin // case.groups
    return _template().render(
        cell=wanted.cell,
        mode=mode,
        check=check,
        case=case,
        form=approach.form,
        v1=v1,
        # As a line of a docstring that it cannot end: a person is about to run this.
        told=plain(wanted.told, limit=500).replace("\\", "/").replace('"', "'"),
        settings=profile.environment if profile else {},
        optimizer=profile.python if profile else "",
        dtype=DTYPES[case.dtype],
        layers=layers(approach, case, bias="bias" in case.steps) if approach.layers else [],
        function=definitions(approach, case, wanted.release),
        arguments=arguments(approach, case),
        steps=STEPS,
        reference_steps=REFERENCE_STEPS,
        jit=jit if mode == "jit" else "",
        tolerance=4 * epsilon * products**0.5 if check == "forward" else max(400 * epsilon, 1e-6),
        **_shapes(case, approach),
    )


def _shapes(case: Any, approach: Approach) -> dict[str, object]:
    """Return the shapes of the script's tensors; `signature` is the input's, with None for what is not yet known."""
    spatial = extents(approach.rank, case.h, case.w)
    known = [None] * len(spatial) if case.dynamic_hw else spatial
    return {
        "input": (case.n, *spatial, case.cin),
        "signature": (None if case.dynamic_batch else case.n, *known, case.cin),
        "filters": filters(approach, case)[1],
        "vector": (case.cout,),
    }


@cache
def _template() -> Template:
    # Imported late: it takes a tenth of a second, and the other questions are answered at once without it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # noqa: S701 - what is made is a program, no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("reproduction.py.jinja")
