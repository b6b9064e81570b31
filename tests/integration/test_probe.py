"""The probe, run as a person would: one file, in an environment that has TensorFlow and NumPy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from mini import FAKES
from tiny import PATIENCE

from matrix.answers.probe import pack
from matrix.base import paths
from matrix.record import contribution

MODELS = paths.ROOT / "tests" / "unit" / "data" / "models"


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("probe") / "probe.pyz"
    pack.build(paths.REPORTS, file)
    return file


def run(probe: Path, environment, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    python = Path(environment.where) / "bin" / "python"
    return subprocess.run(
        [python, probe, *options], cwd=probe.parent, env=os.environ | variables, capture_output=True, text=True,
        check=False, timeout=2 * PATIENCE,
    )  # fmt: skip


def test_it_tells_what_works_here_and_writes_a_record_of_it(probe, environment, tmp_path):
    """With time enough for any machine. How far a minute gets: `nox -s benchmark -- probe`."""
    ended = run(probe, environment, "--json", f"--seconds={PATIENCE}", f"--output={tmp_path}/probe.jsonl")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["observed"] + found["not_reached"] == len(pack.cells())
    assert found["table"]["nn-conv2d"]["graph"] in {"yes", "error"}
    taken = contribution.read(tmp_path / "probe.jsonl")
    assert (taken.header.release, taken.header.observations) == (found["release"], found["observed"])


def test_a_models_layers_come_out_as_predicted(probe, environment):
    ended = run(probe, environment, "check", str(MODELS / "unet.keras"), "--json", f"--seconds={PATIENCE}")
    assert ended.returncode == 0, ended.stderr
    told = {one["names"][0]: one for one in json.loads(ended.stdout)["layers"]}
    assert set(told) == {"dw_relu6", "sep", "up", "as_depthwise"}
    checks = [one["checks"][check] for one in told.values() for check in ("forward", "gradient")]
    assert not [one for one in checks if one["agrees"] is False]
    # All but the transposed convolution without groups, of which no record speaks, were executed.
    assert [one["here"] for one in checks].count("open") == 2 and told["up"]["why"] == "it has no groups"


def test_what_is_no_model_is_refused_before_anything_is_imported(probe, environment, tmp_path):
    (tmp_path / "model").write_bytes(b"nonsense")
    ended = run(probe, environment, "check", str(tmp_path / "model"))
    assert (ended.returncode, ended.stdout) == (2, "") and str(tmp_path / "model") in ended.stderr


def test_an_import_that_hangs_is_ended_when_the_time_is_up_and_said(probe, environment, tmp_path):
    shutil.copy(FAKES / "tensorflows" / "hangs.py", tmp_path / "tensorflow.py")
    ended = run(probe, environment, "--seconds=0.5", PYTHONPATH=str(tmp_path))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "was not imported within 0.5 s: --seconds 2 gives it time" in ended.stderr


def test_without_a_fork_a_process_that_dies_costs_its_cell_and_the_rest_goes_on(probe, environment, tmp_path):
    """As on a machine that cannot fork, with a suite whose second cell ends the process."""
    cells = ["/".join(cell) for cell in pack.cells()[:3]]
    program = tmp_path / "elsewhere.py"
    program.write_text(ELSEWHERE.format(probe=str(probe), cells=cells, seconds=PATIENCE))
    python = Path(environment.where) / "bin" / "python"
    ended = subprocess.run(
        [python, program], capture_output=True, text=True, check=False, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    told = json.loads(ended.stdout.splitlines()[-1])
    assert [one["outcome"] == "crash" for one in told] == [False, True, False], ended.stderr[-2000:]


# The probe's own main with another platform's name; the child is this program again, which `HERE` names.
ELSEWHERE = """\
import json, os, sys, zipimport
sys.path.insert(0, {probe!r})
main = {{"__name__": "probe_main", "__file__": {probe!r} + "/__main__.py"}}
exec(zipimport.zipimporter({probe!r}).get_code("__main__"), main)
main["HERE"] = os.path.abspath(__file__)
if "--suite" in sys.argv:
    sys.platform = "elsewhere"
    from suite import observe
    honest = observe.observe
    dies = {cells!r}[1]
    observe.observe = lambda *cell: os._exit(11) if "/".join(cell) == dies else honest(*cell)
    sys.exit(main["_observe_here"](sys.argv[2:]))
about, observations = main["observe"]({cells!r}, {seconds})
print(json.dumps(observations))
"""
