"""`check MODEL`: the verdict for the whole model first, by records of what the person has set."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from unit.fabricated import error, record

from matrix.answers.model_check import MOST_LINES, WIDTH
from matrix.cli.main import cli
from matrix.record import records

MODELS = Path(__file__).parents[1] / "data" / "models"
NATIVE = ("nn-conv2d", "keras-groups")


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Records of 2.8.4: without oneDNN a grouped convolution fails in a graph, except where XLA compiles it."""

    def refused(cell):
        approach, mode, check, _ = cell
        fails = approach in NATIVE and mode in {"graph", "keras"} and check == "forward"
        return error("Fused conv implementation does not support grouped convolutions for now.") if fails else {}

    folder = tmp_path_factory.mktemp("reports")
    on = record(profile="onednn-on", run="tf2.8.4-py310-cpu+onednn-on", onednn=True)
    newer = record(release="2.10.1", run="tf2.10.1-py310-cpu+onednn-off", onednn=False)
    for one in (record(refused), on, newer):
        records.write(folder, one)
    return folder


def check(reports, model, *options: str):
    asked = ["check", str(MODELS / model), "--release=2.8", f"--reports={reports}", *options]
    return CliRunner().invoke(cli, asked)


def found(reports, model, *options: str) -> dict:
    ended = check(reports, model, "--json", *options)
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def test_the_verdict_comes_first_and_then_what_to_do(reports):
    first, *rest = check(reports, "seq.h5", "--setting=onednn-off").stdout.splitlines()
    assert first.startswith("predict() will fail with TensorFlow 2.8.4 on cpu")
    assert rest[0].endswith("layers, e.g. plain.")
    todo = rest.index("What to do, best first:")
    assert rest[todo + 1] == "1. Set TF_ENABLE_ONEDNN_OPTS=1 before Python starts: all of these pass"


def test_by_another_setting_it_works_and_the_answer_says_which_fails(reports):
    told = check(reports, "seq.h5", "--setting=onednn-on").stdout
    assert told.startswith("predict() works with TensorFlow 2.8.4 on cpu, TF_ENABLE_ONEDNN_OPTS=1: 2 layers")
    assert "With TF_ENABLE_ONEDNN_OPTS=0, 2 of 2 would fail." in told


def test_every_answer_rests_on_cells_of_the_setting_that_is_answered_for(reports):
    for profile in ("onednn-off", "onednn-on"):
        for one in found(reports, "seq.h5", f"--setting={profile}")["layers"]:
            assert one["cells"] and all(cell.startswith(f"tf2.8.4-py310-cpu+{profile}/") for cell in one["cells"])


def test_what_xla_compiles_in_the_file_is_judged_under_xla(reports):
    told = found(reports, "seq.saved", "--setting=onednn-off")
    assert {one["mode"] for one in told["layers"]} == {"jit"} and not told["remedies"]
    assert {one["answer"] for one in told["layers"]} <= {"yes", "open"}


def test_only_a_keras_model_can_be_called_in_another_way(reports):
    texts = [one["text"] for one in found(reports, "seq.h5", "--setting=onednn-off")["remedies"]]
    assert any("XLA" in text for text in texts) and any("eagerly" in text for text in texts)
    frozen = found(reports, "unet.pb", "--setting=onednn-off")
    assert not any("eagerly" in one["text"] for one in frozen["remedies"])


@pytest.mark.parametrize("model", ["seq.h5", "seq.saved", "unet.keras", "unet.pb", "unet.tflite"])
@pytest.mark.parametrize("need", ["infer", "train"])
def test_an_answer_fits_a_terminal(reports, model, need):
    told = check(reports, model, f"--need={need}").stdout.splitlines()
    assert len(told) <= MOST_LINES and max(map(len, told)) <= WIDTH


def test_all_lists_every_layer(reports):
    told = check(reports, "unet.keras", "--all").stdout
    assert all(name in told for name in ("dw_relu6", "sep", "up", "as_depthwise"))


def test_a_transposed_convolution_without_groups_stays_open(reports):
    (up,) = [one for one in found(reports, "unet.keras")["layers"] if one["operation"] == "transpose"]
    assert (up["answer"], up["why"]) == ("open", "a transposed convolution without groups is not measured")


def test_a_model_without_groups_has_nothing_to_fear(reports, tmp_path):
    dense = {"class_name": "Conv2D", "config": {"name": "c", "kernel_size": 3, "filters": 8}}
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [dense]}}
    with zipfile.ZipFile(tmp_path / "dense.keras", "w") as made:
        made.writestr("config.json", json.dumps(config))
    told = " ".join(check(reports, tmp_path / "dense.keras").stdout.split())
    assert told.startswith("No grouped, depthwise, separable or transposed convolution, and 1 ordinary one.")


def test_what_cannot_be_read_is_an_error_with_a_cure(reports, tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04pickled")
    ended = check(reports, tmp_path / "model.pkl")
    assert ended.exit_code == 1 and "pickle" in str(ended.exception) and "SavedModel" in ended.exception.cure


def test_between_two_releases_that_differ_it_stays_open(reports):
    asked = ["check", str(MODELS / "seq.h5"), "--release=2.9", f"--reports={reports}", "--setting=onednn-off", "--json"]
    told = json.loads(CliRunner().invoke(cli, asked).stdout)
    assert told["releases"] == ["2.8.4", "2.10.1"]
    (plain, _) = told["layers"]
    assert (plain["answer"], plain["why"]) == ("open", "it fails in 2.8.4, and it works in 2.10.1")


def test_a_setting_that_was_not_run_is_refused(reports):
    ended = check(reports, "seq.h5", "--setting=remapper-off")
    assert "has no record under remapper-off" in str(ended.exception)
