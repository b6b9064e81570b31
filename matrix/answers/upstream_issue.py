"""A failing cell as a bug report for TensorFlow: a short script, what it should do and does, and where it does it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from packaging.version import Version

from matrix.answers import bisected, snippets
from matrix.answers.reproduction import Reproduction
from matrix.answers.situation import in_ranges
from matrix.base.errors import BadUsage
from matrix.base.text import plain
from matrix.catalog.approaches import APPROACHES, Approach
from matrix.catalog.known_errors import failure_text
from matrix.judge.verdicts import FAILED
from matrix.record.records import CellId, Record
from matrix.suite import catalog as suite
from matrix.suite.catalog import Case

# The operations of an epilogue, in a function and in a model.
STEPS = {
    "bias": "tf.nn.bias_add(y, b)",
    "relu": "tf.nn.relu(y)",
    "relu6": "tf.nn.relu6(y)",
    "elu": "tf.nn.elu(y)",
    "leaky_relu": "tf.nn.leaky_relu(y, alpha=0.2)",
}
MOST_LINES = 20
# How a record says that a result has another shape than it should have.
SHAPES = re.compile(r"its shape is (\([\d, ]*\)) and should be (\([\d, ]*\))")


def script(wanted: Reproduction, wrong: str = "") -> str:
    """Return a program of at most MOST_LINES in which the failure shows itself. Raise BadUsage where none does.

    `wrong`: what a record says of a wrong result, which the program then prints beside the right one.
    """
    name, mode, check, case_id = wanted.cell
    case, approach = suite.parse_case(case_id), APPROACHES[name]
    sayable = set(case.steps) <= set(STEPS) and check != "fusion" and mode in {"eager", "graph", "jit", "keras"}
    sayable = (
        sayable
        and case.layout == "nhwc"
        and case.padding != "EXPLICIT"
        and case.dtype in snippets.DTYPES
        and not case.misuse
        and approach.form in snippets.CHANNELS.keys() - {"per-sample", "mixed"}
    )
    if not sayable or (mode == "keras" and not approach.layers) or (mode == "keras" and check == "gradient"):
        raise BadUsage(f"there is no report of {'/'.join(wanted.cell)}", "show --script writes the whole program")
    # Checks whether the release has the approach at all.
    snippets.program(name, case, wanted.release, wanted.profile, "eager")
    profile = wanted.profile
    optimizer = [profile.python] if profile and profile.python else []
    head = [*snippets.environment(profile), *["import numpy as np"] * ("np." in approach.function)]
    head += ["import tensorflow as tf", *optimizer, ""]
    dtype = "" if case.dtype == "f32" else f", dtype=tf.{snippets.DTYPES[case.dtype]}"
    shape = [case.n, *snippets.extents(approach.rank, case.h, case.w), case.cin]
    steps = [f"    y = {STEPS[step]}" for step in case.steps if not (approach.layers and step == "bias")]
    if approach.layers:
        made = snippets.layers(approach, case, bias="bias" in case.steps)
        weights = [f"layer = {made[0]}" if len(made) == 1 else f"layer = tf.keras.Sequential([{', '.join(made)}])"]
        called = "    y = layer(x)"
    else:
        sizes = snippets.filters(approach, case)[1]
        names = ["w", "pointwise"][: len(sizes)]
        held = dict(zip(names, sizes, strict=True))
        weights = [f"{one} = tf.Variable(tf.random.normal({list(size)}{dtype}))" for one, size in held.items()]
        weights += [f"b = tf.Variable(tf.zeros([{case.cout}]{dtype}))"] * ("bias" in case.steps)
        weights = [*snippets.definitions(approach, case, wanted.release).splitlines(), "", *weights]
        called = f"    y = convolution(x, {', '.join(names)}, {snippets.arguments(approach, case)})"
    given = f"x = tf.random.normal({shape}{dtype})"
    before = snippets.decorator(mode, wanted.release).splitlines()
    run = [*before, "def run(x):", called, *steps, "    return y"]
    if mode == "keras":
        run = ["model = tf.keras.Sequential([layer, tf.keras.layers.Lambda(rest)])"]
        run = ["def rest(y):", *steps, "    return y", *run]
        call = [f"{given.replace('x = ', 'print(model.predict(')}))"]
    elif check == "forward":
        call = [given, *((wrong and _compared(case, approach, wrong)) or ["print(run(x))"])]
        if any("np." in line for line in call) and "import numpy as np" not in head:
            head.insert(head.index("import tensorflow as tf"), "import numpy as np")
    else:
        call = [given, "with tf.GradientTape() as tape:", "    tape.watch(x)", "    y = run(x)"]
        call.append("print(tape.gradient(y, x))")
    text = "\n".join([*head, *weights, *run, *call])
    if text.count("\n") >= MOST_LINES:
        raise BadUsage(f"a report of {name} has too long a script", "show --script writes the whole program")
    return text


def _compared(case: Case, approach: Approach, wrong: str) -> list[str]:
    """Return the lines that print a wrong output beside the right one: its shape, or one of its values."""
    if shapes := SHAPES.search(wrong):
        return [f'print(run(x).shape, "should be {shapes[2]}")']
    if approach.rank != 2 or approach.form not in {"grouped", "depthwise"} or not set(case.steps) <= {"bias", "relu"}:
        return []
    pads, windows = [], []
    for size, kernel, stride in zip((case.h, case.w), case.kernel, case.strides, strict=True):
        reach = (kernel - 1) * case.dilation + 1
        pad = max((-(-size // stride) - 1) * stride + reach - size, 0) if case.padding == "SAME" else 0
        pads.append(f"({pad // 2}, {pad - pad // 2})")
        windows.append(f"{stride}:{stride + reach}" + (f":{case.dilation}" if case.dilation > 1 else ""))
    own = case.cin // case.groups
    weights = "layer.get_weights()[0]" if approach.layers else "w.numpy()"
    right = f"np.sum(seen * {weights}[:, :, :{own}, 0])"
    return [
        f"padded = np.pad(x, [(0, 0), {', '.join(pads)}, (0, 0)])",
        f"seen = padded[0, {', '.join(windows)}, :{own}]  # by the filter at [0, 1, 1, 0]",
        f'print(run(x).numpy()[0, 1, 1, 0], "should be", {f"max({right}, 0)" if "relu" in case.steps else right})',
    ]


def lines(wanted: Reproduction, made: Iterable[Record], backend: str) -> Iterator[str]:
    """Yield the report in Markdown, as TensorFlow's issue form asks for it."""
    seen = observed(wanted.cell, made, backend)
    here = seen.get((wanted.release, wanted.profile.name if wanted.profile else "default"), "")
    yield from report(wanted, script(wanted, here if here.startswith("wrong") else ""), seen, backend)


def report(wanted: Reproduction, written: str, seen: Mapping[tuple[str, str], str], backend: str) -> Iterator[str]:
    """`written` is the program that shows it, and `seen` what `observed` says of the cell."""
    name, mode, check, case_id = wanted.cell
    case, profile = suite.parse_case(case_id), wanted.profile.name if wanted.profile else "default"
    here = seen.get((wanted.release, profile), "")
    followed = f" followed by {', '.join(case.steps)}" if case.steps else ""
    yield f"**{plain(here, 100)}** ({name}, {check} in {mode})\n"
    yield f"TensorFlow {wanted.release} from PyPI, {backend}, Linux.\n\n```python"
    yield from written.splitlines()
    yield "```\n"
    yield (
        f"Expected: the {'gradient' if check == 'gradient' else 'output'} of a convolution in {case.groups} groups"
        f"{followed}, as it comes without groups."
    )
    yield f"Actual: `{plain(here, 200).replace('`', chr(39))}`"
    yield "\nAffected, of the releases that were run:"
    for name in dict.fromkeys(profile for _, profile in seen):
        outcomes = {release: told for (release, profile), told in seen.items() if profile == name}
        yield from _affected(name, outcomes, here)
    if backend == "cpu" and (edge := bisected.edge_in_words(wanted.cell, profile, here)):
        yield f"\n{plain(edge, 300)}"


def _affected(profile: str, outcomes: Mapping[str, str], here: str) -> Iterator[str]:
    """Say which releases fail alike under a profile, and what the neighbours of the first and the last do."""
    order = sorted(outcomes, key=Version)
    failing = [release for release in order if outcomes[release] == here]
    if not failing:
        yield f"- {profile}: none of {len(order)}"
        return
    first, last = order.index(failing[0]), order.index(failing[-1])
    edges = [order[place] for place in (first - 1, last + 1) if 0 <= place < len(order)]
    told = "".join(f"; {release}: {plain(outcomes[release], 100)}" for release in edges)
    yield f"- {profile}: {len(failing)} of {len(order)}, {in_ranges(failing, order)}{told}"


def observed(cell: CellId, made: Iterable[Record], backend: str) -> dict[tuple[str, str], str]:
    """Return by release and profile how the cell came out where it was executed; a failure counts before a pass."""
    found: dict[tuple[str, str], str] = {}
    approach, mode, check, case = cell
    for record in made:
        if record.header.backend != backend or record.header.planned_for:
            continue
        for one in record.observations:
            # Of all records a page asks for dozens of cells: making a tuple of each observation took longer than that.
            if one.case == case and one.approach == approach and (one.mode, one.check) == (mode, check):
                told = failure_text(one) if one.outcome in FAILED else one.outcome
                key = (record.header.release, record.header.profile)
                found[key] = told if key not in found or found[key] == "pass" else found[key]
    return found
