"""What the published records say of programs as people write them: each test is a fact that earlier programs hid.

A record that does not say its depth was made when the programs were others. Of one run on one host class the record
that was begun last counts, whatever engine made it. None of these facts is a processor's: each must hold on every host
class that has observed it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable

import pytest
from packaging.version import Version

from matrix.base import paths
from matrix.catalog import releases
from matrix.record import records
from matrix.record.records import Header, Observation

REFUSED = "Fused conv implementation does not support grouped convolutions for now."
NO_GRADIENT = "Gradients for grouped convolutions are not supported on CPU."
NO_NCHW = "The Conv2D op currently only supports the NHWC tensor format on the CPU."
NOT_BOTH = "`strides > 1` not supported in conjunction with `dilation_rate > 1`."
BOTH = ("onednn-off", "onednn-on")
FUSIBLE = ("bias_relu", "bn_relu", "bias_add_relu")

RunsOf = dict[tuple[str, str], list[tuple[Header, dict[str, Observation]]]]


@pytest.fixture(scope="module")
def runs() -> RunsOf:
    """The executed runs of the CPU, by release and profile: line 1, and the observations by their cell."""
    last = {}
    for record in sorted(records.read_all(paths.REPORTS), key=lambda one: one.header.started):
        header = record.header
        if header.depth and header.backend == "cpu" and record.observations:
            last[header.host.host_class, header.run] = record
    found = defaultdict(list)
    for record in last.values():
        header = record.header
        found[header.release, header.profile].append((header, {"/".join(one.cell): one for one in record.observations}))
    return found


@pytest.fixture(scope="module")
def seen(runs):
    """Return how these cells came out, on every host class that has observed them. Each was observed once at least."""

    def look(release: str, profile: str, *cells: str) -> list[Observation]:
        found = [(cell, there[cell]) for _, there in runs[release, profile] for cell in cells if cell in there]
        assert {cell for cell, _ in found} == set(cells), f"not observed on {release} with {profile}"
        return [one for _, one in found]

    return look


def came_out(observations: Iterable[Observation]) -> set[str]:
    return {one.outcome for one in observations}


def said(observations: list[Observation]) -> set[str]:
    """Return each error's text, up to the end of its first sentence."""
    return {one.error.message.partition(". ")[0].rstrip(".") + "." for one in observations if one.error}


def epilogues(observations: list[Observation]) -> set[str]:
    return {one.fusion.epilogue for one in observations}


def between(runs: RunsOf, since: str, until: str) -> list[tuple[str, str]]:
    """The releases that were observed with nothing set but oneDNN, with the profile."""
    plain = [(release, profile) for release, profile in runs if profile in {*BOTH, "default"}]
    return sorted(one for one in plain if Version(since) <= Version(one[0]) <= Version(until))


def core(approach: str, mode: str, check: str, *of: str, geometry: str = "g4-k3", rest: str = "f32/nhwc") -> list[str]:
    return [f"{approach}/{mode}/{check}/{geometry}/{epilogue}/{rest}" for epilogue in of]


# A residual that is fed at run time


@pytest.mark.parametrize("release", ["2.8.4", "2.15.1", "2.21.0"])
def test_a_residual_does_not_save_a_grouped_convolution_from_a_fused_kernel_that_refuses_groups(seen, release):
    observed = seen(release, "onednn-off", *core("nn-conv2d", "graph", "forward", "bias_add_relu"))
    assert (came_out(observed), said(observed)) == ({"error"}, {REFUSED})


@pytest.mark.parametrize("release", ["2.15.1", "2.21.0"])
@pytest.mark.parametrize(
    ("approach", "geometry"),
    [("nn-conv2d", "g4-k3"), ("masked-dense", "g4-k3"), ("depthwise-pointwise", "g16-k3"), ("separable", "g16-k3")],
)
def test_with_onednn_on_a_residual_is_fused_in_a_graph(seen, release, approach, geometry):
    of = {"geometry": geometry}
    assert came_out(seen(release, "onednn-on", *core(approach, "graph", "forward", "bias_add_relu", **of))) == {"pass"}
    observed = seen(release, "onednn-on", *core(approach, "graph", "fusion", "bias_add_relu", **of))
    assert epilogues(observed) == {"fused"}
    assert all("_MklNativeFusedConv2D[BiasAdd,Add,Relu]" in one.fusion.ops for one in observed)


# Options, with oneDNN on and with it off


def test_each_option_of_the_cpu_is_a_profile_with_onednn_on_and_one_with_it_off():
    options = defaultdict(set)
    for one in releases.load().profiles:
        if "cpu" in one.backends and one.options and not one.cap:
            options[frozenset(one.options.items()), one.releases].add(one.environment.get("TF_ENABLE_ONEDNN_OPTS"))
    assert len(options) > 2 and all(states == {"0", "1"} for states in options.values())


@pytest.mark.parametrize("option", ["remapper-off", "auto-cluster"])
@pytest.mark.parametrize("release", ["2.15.1", "2.18.1", "2.21.0"])
def test_an_option_was_observed_with_onednn_on_and_off(runs, release, option):
    assert all(runs[release, f"{state}+{option}"] and runs[release, state] for state in BOTH)


@pytest.mark.parametrize("release", ["2.15.1", "2.21.0"])
def test_without_the_remapper_and_onednn_a_graph_infers_and_nothing_else_works(seen, release):
    profile = "onednn-off+remapper-off"
    assert came_out(seen(release, profile, *core("nn-conv2d", "graph", "forward", "none", *FUSIBLE))) == {"pass"}
    trained = [one for mode in ("eager", "graph") for one in core("nn-conv2d", mode, "gradient", "none", "bias_relu")]
    observed = seen(release, profile, *trained)
    assert (came_out(observed), said(observed)) == ({"error"}, {NO_GRADIENT})
    observed = seen(release, profile, *core("nn-conv2d", "graph", "forward", "none", "bias_relu", rest="f32/nchw"))
    assert (came_out(observed), said(observed)) == ({"error"}, {NO_NCHW})


@pytest.mark.parametrize("release", ["2.9.3", "2.15.1"])
def test_auto_clustering_does_not_save_a_graph_of_these_releases_with_onednn_off(seen, release):
    observed = seen(release, "onednn-off+auto-cluster", *core("nn-conv2d", "graph", "forward", *FUSIBLE))
    assert (came_out(observed), said(observed)) == ({"error"}, {REFUSED})


@pytest.mark.parametrize("release", ["2.18.1", "2.21.0"])
def test_auto_clustering_infers_and_trains_with_onednn_off_in_a_graph_and_in_keras(seen, release):
    for mode in ("graph", "keras"):
        refused = core("nn-conv2d", mode, "forward", *FUSIBLE) + core(
            "nn-conv2d", mode, "gradient", "none", "bias_relu"
        )
        assert came_out(seen(release, "onednn-off", *refused)) == {"error"}
        assert came_out(seen(release, "onednn-off+auto-cluster", *refused)) == {"pass"}


def test_where_xla_compiled_all_and_nothing_was_seen_it_is_unknown_whether_it_was_fused(runs):
    """The records name no operation then, whatever they say of the epilogue."""
    support = json.loads((paths.REPORTS / "support.json").read_text())
    told = {
        (one["host_class"], one["release"], one["profile"], one["approach"]): one["needs"]["fused"]
        for one in support["verdicts"]
        if one["backend"] == "cpu"
    }
    (cell,), found = core("nn-conv2d", "graph", "fusion", "bias_relu"), 0
    for (release, profile), made in runs.items():
        for header, there in made:
            if cell in there and "auto-cluster" in profile and not (there[cell].fusion and there[cell].fusion.ops):
                assert told[header.host.host_class, release, profile, "nn-conv2d"] == "unknown", header.run
                found += 1
    assert found


# Something that cannot be fused stands after the layer


@pytest.mark.parametrize("release", ["2.5.3", "2.6.5", "2.7.4", "2.8.4"])
def test_a_grouped_layer_of_a_keras_model_is_refused_with_its_bias_with_onednn_off(seen, release):
    """From 2.9 on, Keras compiles its own grouped layers by XLA, and a function in a model is refused as before."""
    observed = seen(release, "onednn-off", *core("keras-groups", "keras", "forward", "bias", "bias_relu"))
    assert (came_out(observed), said(observed)) == ({"error"}, {REFUSED})


@pytest.mark.parametrize("release", ["2.9.3", "2.15.1", "2.21.0"])
def test_a_function_in_a_keras_model_is_refused_with_its_bias_with_onednn_off(seen, release):
    observed = seen(release, "onednn-off", *core("nn-conv2d", "keras", "forward", "bias_relu"))
    assert (came_out(observed), said(observed)) == ({"error"}, {REFUSED})
    assert came_out(seen(release, "onednn-off", *core("keras-groups", "keras", "forward", "bias_relu"))) == {"pass"}


@pytest.mark.parametrize("release", ["2.7.4", "2.8.4"])
def test_with_onednn_on_a_models_layer_is_fused_and_the_models_last_operation_is_left_out_where_the_layer_is_bare(
    seen, release
):
    observed = seen(release, "onednn-on", *core("keras-groups", "keras", "fusion", "bias", "bias_relu"))
    assert epilogues(observed) == {"fused"}
    bare = seen(release, "onednn-on", *core("keras-groups", "keras", "fusion", "bias_relu", geometry="g4-k3-bare"))
    assert epilogues(bare) == {"partly"} and all(one.fusion.ops["Relu"] == 1 for one in bare)


# The bare layer


@pytest.mark.parametrize("profile", BOTH)
def test_the_gradient_of_bare_patches_fails_in_a_graph_of_2_7_with_a_batch_that_is_known(seen, profile):
    """Whether operations before and after it help is told by no test: that is still looked into."""
    bare = core("patches-einsum", "graph", "gradient", "bias_relu", geometry="g4-k3-bare")
    observed = seen("2.7.4", profile, *bare)
    assert (came_out(observed), said(observed)) == ({"error"}, {"transpose expects a vector of size 4."})
    unknown = core("patches-einsum", "graph", "gradient", "bias_relu", geometry="g4-k3-dynbatch")
    assert came_out(seen("2.7.4", profile, *unknown)) == {"pass"}
    for release in ("2.6.5", "2.8.4"):
        assert came_out(seen(release, profile, *bare, *unknown)) == {"pass"}


# What fails without groups too


@pytest.mark.parametrize("release", ["2.5.3", "2.8.4", "2.9.3"])
def test_bfloat16_run_eagerly_with_onednn_off_is_empty_with_one_group_too(seen, release):
    for geometry in ("g4-k3", "g1-k3"):
        cells = core("nn-conv2d", "eager", "forward", "none", geometry=geometry, rest="bf16/nhwc")
        observed = seen(release, "onednn-off", *cells)
        assert came_out(observed) == {"wrong"}
        assert {one.reason for one in observed} == {"output: its shape is (0,) and should be (2, 9, 9, 32)"}


def test_float16_with_batch_norm_aborts_2_5_with_one_group_too(seen):
    for geometry in ("g4-k3", "g1-k3"):
        cells = core("nn-conv2d", "graph", "forward", "bn_relu", geometry=geometry, rest="f16/nhwc")
        observed = seen("2.5.3", "onednn-on", *cells)
        assert came_out(observed) == {"crash"} and {one.signal for one in observed} == {"SIGABRT"}
        assert came_out(seen("2.6.5", "onednn-on", *cells)) == {"pass"}


@pytest.mark.parametrize("release", ["1.7.1", "1.8.0", "1.9.0", "1.10.1"])
def test_the_eager_gradient_of_relu6_fails_without_groups_too(seen, release):
    twin = core("nn-conv2d", "eager", "gradient", "bias_relu6", geometry="g1-k3")
    observed = seen(release, "default", *twin)
    assert came_out(observed) == {"error"} and {one.error.type for one in observed} == {"TypeError"}
    assert came_out(seen("1.11.0", "default", *twin)) == {"pass"}


def test_the_eager_gradient_of_relu6_passes_for_no_approach_before_1_11():
    """The records of every suite count: the earlier one asked it of every approach."""
    asked = [
        seen
        for record in records.read_all(paths.REPORTS)
        if Version("1.7") <= Version(record.header.release) < Version("1.11")
        for seen in record.observations
        if (seen.mode, seen.check) == ("eager", "gradient") and "/bias_relu6/" in seen.case
    ]
    assert len({one.approach for one in asked}) > 5
    assert "pass" not in came_out(asked)


# A stride and a dilation


def both(approach: str, modes: tuple[str, ...] = ("eager", "graph", "jit"), geometry="g16-k3-s2-d2-cm1") -> list[str]:
    return [cell for mode in modes for cell in core(approach, mode, "forward", "none", geometry=geometry)]


def test_depthwise_with_stride_and_dilation_is_wrong_and_a_grouped_convolution_is_right(runs, seen):
    asked = between(runs, "2.14", "2.21.0")
    assert {profile for _, profile in asked} == set(BOTH) and len(asked) >= 2 * len(("2.14", "2.15", "2.18", "2.21"))
    for release, profile in asked:
        observed = seen(release, profile, *both("depthwise"))
        assert came_out(observed) == {"wrong"}
        assert {one.reason.partition(" (")[0] for one in observed} == {"output: nothing like the reference"}
        assert came_out(seen(release, profile, *both("nn-conv2d"))) == {"pass"}
        other = seen(release, profile, *both("depthwise", ("graph",), "g16-k3-s2-d3-cm1"))
        assert {one.reason for one in other} == {"output: its shape is (2, 6, 6, 16) and should be (2, 5, 5, 16)"}


@pytest.mark.parametrize(
    ("since", "until", "outcome"), [("2.5", "2.11.1", "wrong"), ("2.12", "2.21.0", "error"), ("2.22.0rc0", "3", "pass")]
)
def test_keras_depthwise_layer_with_stride_and_dilation_is_wrong_then_refused_then_right(
    runs, seen, since, until, outcome
):
    """It is Keras that decides, and an environment has the Keras of its release's day: see the decision on it."""
    asked = between(runs, since, until)
    assert asked
    for release, profile in asked:
        observed = seen(release, profile, *both("keras-depthwise"))
        assert (came_out(observed), said(observed)) == ({outcome}, {NOT_BOTH} if outcome == "error" else set())
        for header, _ in runs[release, profile]:
            installed = [header.packages[name] for name in ("keras", "keras-nightly") if name in header.packages]
            refuses = any(Version("2.12") <= Version(one) <= Version("3.13.2") for one in installed)
            assert refuses == (outcome == "error"), (release, installed)
