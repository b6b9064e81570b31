from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from suite import catalog
from suite.catalog import parse_case
from suite.problem import pose

GEOMETRIES = st.builds(
    lambda groups, kernel, tokens: "-".join([f"g{groups}", f"k{kernel}", *(t for t in catalog.TOKENS if t in tokens)]),
    st.integers(1, 64),
    st.one_of(st.integers(1, 7).map(str), st.tuples(st.integers(1, 7), st.integers(1, 7)).map("{0[0]}x{0[1]}".format)),
    st.sets(st.sampled_from(sorted(set(catalog.TOKENS) - set(catalog.MISUSE)))),
)


@given(GEOMETRIES, st.sampled_from(sorted(catalog.EPILOGUES)), st.sampled_from(catalog.DTYPES))
def test_a_case_keeps_its_name_and_its_groups_divide_its_channels(geometry, epilogue, dtype) -> None:
    case = parse_case(f"{geometry}/{epilogue}/{dtype}/nchw")
    assert case.id == f"{geometry}/{epilogue}/{dtype}/nchw"
    assert case.cin % case.groups == 0 and case.cout % case.groups == 0
    tokens = geometry.split("-")
    last = next((token for token in reversed(tokens) if token in {"s2", "s1x2"}), "")
    assert case.strides == {"s2": (2, 2), "s1x2": (1, 2), "": (1, 1)}[last]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("g4-k3/bias/f32", "want geometry/epilogue/dtype/layout"),
        ("g4-k3/biass/f32/nhwc", "'biass' is none of none, bias"),
        ("g4-k3/bias/f33/nhwc", "'f33' is none of f32"),
        ("g4-k3/bias/f32/nchv", "'nchv' is none of nhwc"),
        ("g0-k3/bias/f32/nhwc", "not a geometry"),
        ("g4-k3\n/bias/f32/nhwc", "not a geometry"),
        ("k3-g4/bias/f32/nhwc", "not a geometry"),
        ("g4-k3-s3/bias/f32/nhwc", "unknown token 's3'"),
        ("g4-k3-valid-s2/bias/f32/nhwc", "out of order"),
        ("g4-k3-s2-s2/bias/f32/nhwc", "repeats a token"),
    ],
)
def test_what_is_not_a_case_is_refused_by_its_fault(text, fault) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_case(text)


def test_the_base_is_what_the_design_says() -> None:
    case = parse_case("g4-k3/none/f32/nhwc")
    assert (case.n, case.h, case.w, case.cin, case.cout, case.kernel) == (2, 9, 9, 16, 32, (3, 3))


def test_a_multiplier_means_one_channel_a_group() -> None:
    case = parse_case("g16-k3-cm2/none/f32/nhwc")
    assert (case.cin, case.cout, case.groups) == (16, 32, 16)


def test_cells_are_distinct_parse_and_stay_within_the_budget() -> None:
    cells = catalog.cells()
    assert len(set(cells)) == len(cells) <= 2400
    for cell in cells:
        assert parse_case(cell.case).id == cell.case
        assert cell.mode in catalog.MODES and cell.check in catalog.CHECKS


def test_forward_and_fusion_are_neighbours() -> None:
    cells = catalog.cells()
    before = {cell: previous for previous, cell in itertools.pairwise(cells)}
    fusions = [cell for cell in cells if cell.check == "fusion"]
    assert fusions
    assert all(before[cell] == cell._replace(check="forward") for cell in fusions)


@pytest.mark.parametrize("approach", catalog.APPROACHES)
def test_every_approach_is_asked_its_whole_core(approach) -> None:
    """Each epilogue of the core in each of its modes, of a base that its form can compute, with its twin; gradients
    under the epilogues that are trained.
    """
    about = catalog.APPROACHES[approach]
    core = set(catalog.cells("core"))
    asked = {(cell.mode, cell.check, cell.case) for cell in core if cell.approach == approach}
    assert {catalog.twin(cell) for cell in core if cell.approach == approach} <= core
    modes = [mode for mode in catalog.CORE_MODES if mode in about.modes]
    for mode, epilogue in itertools.product(modes, catalog.CORE_EPILOGUES):
        case = f"{about.base}/{epilogue}/f32/nhwc"
        assert (mode, "forward", case) in asked
        assert ((mode, "gradient", case) in asked) == (epilogue in catalog.TRAINED)
        assert ((mode, "fusion", case) in asked) == (mode != "eager")
    assert pose(approach, f"{about.base}/none/f32/nhwc").y.shape[-1] == parse_case(case).cout
