"""The reference against a second formulation (scipy's correlate, a channel at a time) and finite differences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import signal
from suite import blocks, catalog, problem, reference
from suite.catalog import parse_case
from suite.problem import pose

FORMS = sorted({(approach.form, approach.rank) for approach in catalog.APPROACHES.values()})


@st.composite
def windows(draw, ranks=(1, 2, 3)) -> reference.Window:
    rank = draw(st.sampled_from(ranks))
    strides = tuple(draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank)))
    window = reference.Window(
        extents=tuple(draw(st.lists(st.integers(1, 7), min_size=rank, max_size=rank))),
        kernel=tuple(draw(st.lists(st.integers(1, 4), min_size=rank, max_size=rank))),
        strides=strides,
        dilation=draw(st.integers(1, 3)),
        padding=draw(st.sampled_from(["SAME", "VALID", "EXPLICIT"])),
        groups=draw(st.integers(1, 3)),
    )
    assume(min(window.out) > 0)
    return window


def numbers(seed: int, *shapes: tuple[int, ...]) -> list:
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for shape in shapes]


def arrays(window: reference.Window, seed: int) -> list:
    """An input of two channels a group, a filter with three outputs a group, and an output's cotangent."""
    channels, outputs = 2 * window.groups, 3 * window.groups
    return numbers(seed, (2, *window.extents, channels), (*window.kernel, 2, outputs), (2, *window.out, outputs))


def correlate(x, filters, window: reference.Window):
    """The grouped convolution by scipy: pad, correlate each pair of channels with holes in the filter, take strides."""
    spread = np.zeros([(size - 1) * window.dilation + 1 for size in window.kernel] + list(filters.shape[-2:]))
    spread[tuple(slice(None, None, window.dilation) for _ in window.kernel)] = filters
    padded = np.pad(x, [(0, 0), *same_padding(window), (0, 0)])
    per_group, outputs = filters.shape[-2], filters.shape[-1] // window.groups
    y = np.zeros((len(x), *window.out, filters.shape[-1]))
    strides = tuple(slice(None, None, stride) for stride in window.strides)
    for image, out, channel in itertools.product(range(len(x)), range(filters.shape[-1]), range(per_group)):
        plane = padded[image, ..., (out // outputs) * per_group + channel]
        y[image, ..., out] += signal.correlate(plane, spread[..., channel, out], mode="valid", method="direct")[strides]
    return y


def same_padding(window: reference.Window) -> list[tuple[int, int]]:
    """As TensorFlow's documentation of SAME has it, apart from the formula of the reference."""
    if window.padding == "VALID":
        return [(0, 0)] * len(window.kernel)
    if window.padding == "EXPLICIT":
        return [((kernel - 1) // 2, (kernel - 1) // 2) for kernel in window.kernel]
    pads = []
    for size, kernel, stride in zip(window.extents, window.kernel, window.strides, strict=True):
        reach = (kernel - 1) * window.dilation + 1
        rest = size % stride or stride
        total = max(reach - rest, 0)
        pads.append((total // 2, total - total // 2))
    return pads


@given(windows(), st.integers(0, 2**16))
@settings(max_examples=150)
def test_convolve_equals_scipy(window, seed) -> None:
    x, filters, _ = arrays(window, seed)
    np.testing.assert_allclose(reference.convolve(x, filters, window), correlate(x, filters, window), atol=1e-12)


@given(windows(), st.integers(0, 2**16))
@settings(max_examples=100)
def test_gradients_are_the_transposes_of_the_convolution(window, seed) -> None:
    """<dy, conv(x, w)> is linear in x and in w: it must equal <dx, x> and <dw, w>, for any x and w."""
    x, filters, dy = arrays(window, seed)
    product = np.sum(dy * correlate(x, filters, window))
    assert np.sum(x * reference.input_gradient(dy, filters, window)) == pytest.approx(product, abs=1e-9)
    assert np.sum(filters * reference.filter_gradient(x, dy, window)) == pytest.approx(product, abs=1e-9)


@given(windows(ranks=(2,)), st.integers(0, 2**16))
@settings(max_examples=20)
def test_gradients_equal_finite_differences(window, seed) -> None:
    x, filters, dy = arrays(window, seed)
    of_x = differences(lambda at: np.sum(dy * reference.convolve(at, filters, window)), x)
    of_filters = differences(lambda at: np.sum(dy * reference.convolve(x, at, window)), filters)
    np.testing.assert_allclose(reference.input_gradient(dy, filters, window), of_x, atol=1e-6)
    np.testing.assert_allclose(reference.filter_gradient(x, dy, window), of_filters, atol=1e-6)


def differences(function, at, step=1e-5):
    """The gradient of a scalar function, from both sides of each element."""
    gradient = np.zeros(at.shape)
    for index in np.ndindex(*at.shape):
        low, high = at.copy(), at.copy()
        low[index] -= step
        high[index] += step
        gradient[index] = (function(high) - function(low)) / (2 * step)
    return gradient


def geometry(form: str) -> str:
    return {"depthwise": "g4-k3-cm2", "separable": "g16-k3", "per-sample": "g2-k3"}.get(form, "g4-k3")


@pytest.mark.parametrize(("form", "rank"), FORMS)
@pytest.mark.parametrize("tokens", ["", "-s2", "-d2", "-valid"])
def test_the_gradients_of_a_form_are_its_transposes(form, rank, tokens) -> None:
    """The output is linear in the input, and in each filter of a row; where each filter makes a part of the output, in
    all of them together.
    """
    if (form, tokens) == ("mixed", "-valid"):
        pytest.skip("without padding kernels of unequal size have outputs of unequal size")
    base, _, multiplier = geometry(form).partition("-cm")
    case = parse_case(f"{base}{tokens}{'-cm' + multiplier if multiplier else ''}/none/f64/nhwc")._replace(h=5, w=6)
    operation = reference.linear(form, rank, case)
    spatial = ((5,) * (rank - 2) + (5, 6))[-rank:]
    x, *filters = numbers(3, (2, *spatial, case.cin), *operation.filter_shapes)
    y = operation.forward(x, filters)
    (dy,) = numbers(4, y.shape)
    dx, dfilters = operation.gradients(x, filters, dy)
    assert y.shape[-1] == case.cout
    assert [values.shape for values in dfilters] == operation.filter_shapes
    products = [np.sum(gradient * values) for gradient, values in zip(dfilters, filters, strict=True)]
    together = [sum(products)] if form in {"per-group", "mixed"} else products
    assert [np.sum(dx * x), *together] == pytest.approx([np.sum(dy * y)] * (1 + len(together)), rel=1e-9)


@pytest.mark.parametrize(("form", "filters"), [("depthwise-sum", 1), ("per-group", 4)])
def test_a_rewritten_filter_computes_the_grouped_convolution(form, filters) -> None:
    """Filled from the grouped filter by its definition: output o of group g sees the channels of g alone."""
    case = parse_case("g4-k3/none/f64/nhwc")
    grouped = reference.linear("grouped", 2, case)
    x, weights = numbers(11, (2, 9, 9, 16), grouped.filter_shapes[0])
    operation = reference.linear(form, 2, case)
    rewritten = [np.zeros(shape) for shape in operation.filter_shapes]
    for group, channel, output in itertools.product(range(4), range(4), range(8)):
        values = weights[:, :, channel, 8 * group + output]
        if filters == 1:
            rewritten[0][:, :, 4 * group + channel, output] = values
        else:
            rewritten[group][:, :, channel, output] = values
    np.testing.assert_allclose(operation.forward(x, rewritten), grouped.forward(x, [weights]), atol=1e-12)


def test_each_sample_has_its_own_filter_and_each_part_its_own_kernel() -> None:
    case = parse_case("g2-k3/none/f64/nhwc")
    x, weights = numbers(12, (2, 9, 9, 16), (2, 3, 3, 16, 32))
    y = reference.linear("per-sample", 2, case).forward(x, [weights])
    for sample in range(2):
        window = reference.Window((9, 9), (3, 3), (1, 1), 1, "SAME", 1)
        np.testing.assert_allclose(y[sample], correlate(x[sample : sample + 1], weights[sample], window)[0], atol=1e-12)
    mixed = reference.linear("mixed", 2, parse_case("g4-k3/none/f64/nhwc"))
    assert mixed.filter_shapes == [(size, size, 4, 2) for size in (3, 5, 7, 9)]


def test_a_normalised_filter_has_the_length_of_its_gain_and_its_gradient_equals_finite_differences() -> None:
    case = parse_case("g4-k3-wn/none/f64/nhwc")._replace(n=1, h=3, w=3)
    operation = reference.linear("grouped", 2, case)
    x, direction = numbers(13, (1, 3, 3, 16), operation.filter_shapes[0])
    plain = reference.linear("grouped", 2, case._replace(weight_norm=False))
    length = np.linspace(0.5, 1.5, 32) / np.linalg.norm(direction.reshape(-1, 32), axis=0)
    np.testing.assert_allclose(operation.forward(x, [direction]), plain.forward(x, [direction * length]), atol=1e-12)
    (dy,) = numbers(14, (1, 3, 3, 32))
    _, (gradient,) = operation.gradients(x, [direction], dy)
    step = np.zeros_like(direction)
    for index in [(0, 0, 0, 0), (1, 1, 2, 9), (2, 1, 3, 31)]:
        step[:] = 0
        step[index] = 1e-5
        high, low = (np.sum(dy * operation.forward(x, [direction + sign * step])) for sign in (1, -1))
        assert gradient[index] == pytest.approx((high - low) / 2e-5, rel=1e-5)


def test_depthwise_gives_each_channel_its_own_filters() -> None:
    case = parse_case("g4-k3-cm2/none/f64/nhwc")
    operation = reference.linear("depthwise", 2, case)
    x, filters = numbers(5, (1, 9, 9, 4), operation.filter_shapes[0])
    y = operation.forward(x, [filters])
    for channel, number in itertools.product(range(4), range(2)):
        plane = np.pad(x[0, ..., channel], 1)
        want = signal.correlate(plane, filters[:, :, channel, number], mode="valid", method="direct")
        np.testing.assert_allclose(y[0, ..., 2 * channel + number], want, atol=1e-12)


def test_transpose_scatters_each_input_through_its_group() -> None:
    """By definition every input pixel adds its filter, scaled, to the output from stride times its place on."""
    case = parse_case("g2-k3-s2-valid/none/f64/nhwc")._replace(h=3, w=4, cin=4, cout=6)
    operation = reference.linear("transpose", 2, case)
    x, filters = numbers(6, (1, 3, 4, 4), operation.filter_shapes[0])
    want = np.zeros((1, 7, 9, 6))
    for row, column, channel in itertools.product(range(3), range(4), range(4)):
        group = channel // 2
        place = (0, slice(2 * row, 2 * row + 3), slice(2 * column, 2 * column + 3), slice(3 * group, 3 * group + 3))
        want[place] += x[0, row, column, channel] * filters[..., channel]
    np.testing.assert_allclose(operation.forward(x, [filters]), want, atol=1e-12)


@pytest.mark.parametrize("name", catalog.EPILOGUES)
def test_the_pullback_of_an_epilogue_equals_finite_differences(name) -> None:
    case = parse_case(f"g4-k3/{name}/f64/nhwc")
    problem = pose("nn-conv2d", case.id)
    (noise,) = numbers(7, (1, 2, 5, 32))
    z = np.linspace(-9.05, 9.05, 32 * 10).reshape(1, 2, 5, 32) + noise
    parameters = {key: values for key, values in problem.parameters.items() if key != "add"} | {"add": np.ones(z.shape)}
    _, pullback, distance = reference.epilogue(case.steps, z, parameters)
    smooth = distance > 1e-4
    assert smooth.mean() > 0.95
    cotangent = np.where(smooth, numbers(8, z.shape)[0], 0.0)
    found = differences(lambda at: np.sum(cotangent * reference.epilogue(case.steps, at, parameters)[0]), z)
    np.testing.assert_allclose(pullback(cotangent), found, atol=1e-7)


@pytest.mark.parametrize("misuse", catalog.MISUSE)
def test_misuse_has_no_answer(misuse) -> None:
    problem = pose("nn-conv2d", f"g4-k3-{misuse}/bias/f32/nhwc")
    assert problem.y is None and problem.dx is None
    assert problem.x.shape[-1] == problem.case.given
    assert (problem.case.given, problem.case.cout) != (16, 32)


def spoilt(values: np.ndarray) -> dict[str, np.ndarray]:
    """Faults of a kernel, as they show in an output or in a gradient: channels last, the channels in four groups."""
    channels = values.shape[-1]
    zeroed, scaled = values.copy(), values.copy()
    zeroed.reshape(-1, channels)[: max(1, values[..., 0].size // 9)] = 0
    scaled[..., : channels // 4] *= 1.15
    return {
        "two channels swapped": values[..., [1, 0, *range(2, channels)]],
        "a ninth is zero": zeroed,
        "shifted by a row": np.roll(values, 1, axis=-3),
        "a group 15% too large": scaled,
    }


@pytest.mark.parametrize("dtype", catalog.DTYPES)
@pytest.mark.parametrize("case", ["g4-k3/none", "g4-k3/bias_relu", "g4-k3/bias_add_relu", "g4-k3/bn_relu"])
def test_a_fault_is_beyond_the_tolerance_and_rounding_within(case, dtype) -> None:
    problem = pose("nn-conv2d", f"{case}/{dtype}/nhwc")
    of_input, of_filter = problem.gradient_tolerances
    checks = [
        (problem.y, problem.forward_tolerance),
        (problem.dx, of_input),
        (problem.dfilters[0], of_filter),
    ]
    for right, tolerance in checks:
        assert reference.relative_error(reference.round_to(dtype, right), right) < tolerance
        for fault, wrong in spoilt(right).items():
            assert reference.relative_error(wrong, right) > tolerance, fault


def test_what_is_empty_is_right_only_where_it_is_empty() -> None:
    problem = pose("nn-conv2d", "g4-k3-n0/bias_relu/f32/nhwc")
    assert problem.y.shape == (0, 9, 9, 32) and problem.dfilters[0].shape == (3, 3, 4, 32)
    assert reference.relative_error(problem.y, problem.y) == 0
    assert reference.relative_error(problem.dfilters[0] + 1, problem.dfilters[0]) > 0.1


def test_the_cotangent_is_zero_where_a_rounding_would_decide_the_slope() -> None:
    problem = pose("nn-conv2d", "g4-k3/bias_relu/bf16/nhwc")
    silenced = problem.cotangent == 0
    assert 0 < silenced.mean() < 0.2
    assert np.all(problem.y[silenced] < problem.forward_tolerance * np.max(problem.y))


def test_bfloat16_rounds_to_nearest_and_ties_to_even() -> None:
    values = np.array([1.0, 1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 + 2.0**-8 + 2.0**-12, -3.14159])
    assert reference.round_to("bf16", values).tolist() == [1.0, 1.0, 1 + 4 * 2.0**-8, 1 + 2.0**-7, -3.140625]


def test_the_same_case_poses_the_same_numbers() -> None:
    case = "g4-k3/bias/f32/nhwc"
    first = pose("nn-conv2d", case)
    problem._pose.cache_clear()
    second = pose("split-concat", case)
    assert first is not second
    assert np.array_equal(first.x, second.x) and np.array_equal(first.y, second.y)


BLOCKS = sorted(
    {(cell.approach, cell.case) for cell in catalog.cells() if parse_case(cell.case).block and cell.mode == "keras"}
)


@pytest.mark.parametrize(("approach", "case"), BLOCKS)
def test_a_block_has_the_gradients_of_its_differences_and_no_value_near_a_kink(approach, case) -> None:
    """Along a direction; and no rounding decides on which side of a kink a value lies."""
    posed, about = pose(approach, case), catalog.APPROACHES[approach]
    rows = blocks.rows(posed.case)
    linears = blocks.operations(rows.layers, about.form, about.rank)
    x_step, *filter_steps = numbers(15, posed.x.shape, *(values.shape for values in posed.filters))

    def computed(step):
        filters = iter([values + step * along for values, along in zip(posed.filters, filter_steps, strict=True)])
        by_layer = {name: [next(filters) for _ in one.filter_shapes] for name, one in linears.items()}
        made = blocks.compute(rows, posed.x + step * x_step, posed.parameters, by_layer, linears)
        return np.sum(posed.cotangent * made.y), made.kink

    along = np.sum(x_step * posed.dx) + sum(np.sum(a * b) for a, b in zip(filter_steps, posed.dfilters, strict=True))
    (high, kink), (low, _) = computed(1e-7), computed(-1e-7)
    assert along == pytest.approx((high - low) / 2e-7, rel=1e-4)
    assert kink > posed.forward_tolerance
    assert posed.forward_tolerance < 3e-5 and posed.y.shape[-1] == posed.case.block


def test_a_shuffle_takes_the_first_channel_of_each_group_then_the_second() -> None:
    """Zhang et al. 2018: 6 channels in 2 groups come out as 0 3 1 4 2 5, and go back on the way back."""
    step = blocks.Step("shuffle", "main_0", 6, 2)
    x = np.arange(6.0)[np.newaxis]
    made = blocks.compute(blocks.Rows([step], [], []), x, {}, {}, {})  # and what the shortcut adds
    np.testing.assert_array_equal(made.y - x, [[0, 3, 1, 4, 2, 5]])
    np.testing.assert_array_equal(made.pullback(made.y - x)[0] - (made.y - x), x)
