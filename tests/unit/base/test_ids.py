from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.base.ids import BACKENDS, MACHINES, RUN_ID, Run, Target, parse_run, parse_target

runs = st.builds(
    lambda release, minor, backend, machine, profile: Run(
        target=Target(release=release, python=f"3.{minor}", backend=backend, architecture=machine), profile=profile
    ),
    st.from_regex(r"[0-9]{1,2}\.[0-9]{1,2}(\.[0-9]{1,2})?(rc[0-9]|\.dev[0-9]{8})?", fullmatch=True).filter(str.isascii),
    st.integers(6, 99),
    st.sampled_from(BACKENDS),
    st.sampled_from(MACHINES),
    st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)?", fullmatch=True),
)


@given(runs)
def test_an_id_leads_back_to_its_run(run):
    assert parse_run(run.id) == run
    assert parse_target(run.target.id) == run.target


def test_the_example_of_the_design():
    target = Target(release="2.15.1", python="3.11", backend="cpu")
    assert target.id == "tf2.15.1-py311-cpu"
    assert Run(target=target, profile="onednn-off").id == "tf2.15.1-py311-cpu+onednn-off"


def test_an_id_names_a_machine_that_is_not_the_usual_one():
    target = Target(release="2.21.0", python="3.13", backend="cpu", architecture="aarch64")
    assert (target.id, target.kind) == ("tf2.21.0-py313-cpu-aarch64", "cpu-aarch64")


@pytest.mark.parametrize(
    ("said", "right"),
    [("2.23.0-dev20261026", True), ("2.23.0", True), ("2.22.0", False), ("no version", False), ("", False)],
)
def test_which_library_a_target_is_taken_for(said, right):
    assert Target(release="2.23.0.dev20261026", python="3.14", backend="cpu").holds(said) is right


@pytest.mark.parametrize(
    "text",
    ["", "tf2.15.1-py311-cpu", "tf2.15.1-py311-tpu+default", "tf2-py311-cpu+default", "../tf2.15.1-py311-cpu+default",
     "tf2.15.1-py311-cpu+default\n", "tf2.15.1-py311-cpu+../x", "tf٢.15.1-py311-cpu+default"],
)  # fmt: skip
def test_what_is_not_a_run_id(text):
    with pytest.raises(ValueError, match="is not a run id like tf"):
        parse_run(text)


@given(st.text())
def test_any_text_is_a_run_or_a_clear_error(text):
    try:
        run = parse_run(text)
    except ValueError:
        return
    assert run.id == text


def test_a_run_id_has_no_way_out_of_its_folder():
    assert "/" not in RUN_ID and "\\/" not in RUN_ID
