"""The scripts, as far as that needs no TensorFlow: that they are programs, and say what they should."""

from __future__ import annotations

import ast
import contextlib

import pytest

from matrix.answers.reproduction import Reproduction, script
from matrix.base.errors import BadUsage
from matrix.catalog import releases
from matrix.suite import catalog as suite

DATA = releases.load()
CASE = "g4-k3/bias_relu/f32/nhwc"


def short(release: str) -> list[str]:
    """Return the scripts of all cells that have a script on a release."""
    found = []
    for cell in suite.cells():
        with contextlib.suppress(BadUsage):
            found.append(script(Reproduction(cell=tuple(cell), release=release, profile=None, told="Recorded.")))
    return found


def test_what_has_no_short_script_has_the_suites_command():
    cell = ("nn-conv2d", "graph", "fusion", CASE)
    with pytest.raises(BadUsage) as fault:
        script(Reproduction(cell=cell, release="2.8.4", profile=None, told="x"))
    assert fault.value.cure.endswith(f"python -m suite.observe {' '.join(cell)}")


@pytest.mark.parametrize("release", ["1.15.5", "2.4.4", "2.21.0"])
def test_every_short_script_is_a_program(release):
    made = short(release)
    assert len(made) > 100
    for text in made:
        ast.parse(text, feature_version=(3, 7))
        assert max(map(len, text.splitlines())) <= 200


def test_a_script_sets_what_the_profile_sets_before_tensorflow_is_imported():
    wanted = Reproduction(
        cell=("nn-conv2d", "graph", "forward", CASE), release="2.8.4", profile=DATA.profile("onednn-off"), told="x"
    )
    before, _, _ = script(wanted).partition("import tensorflow")
    assert 'os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"' in before
