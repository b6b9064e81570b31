"""Bug reports for TensorFlow: tests/integration/test_snippet_programs.py runs one in its release."""

from __future__ import annotations

import ast
import contextlib

import pytest
from unit.fabricated import error, record, where

from matrix.answers.reproduction import Reproduction
from matrix.answers.upstream_issue import MOST_LINES, lines, script
from matrix.base.errors import BadUsage
from matrix.catalog import releases
from matrix.record import records
from matrix.suite import catalog as suite

DATA = releases.load()
CELL = ("nn-conv2d", "graph", "forward", "g4-k3/bias_relu/f32/nhwc")
REFUSED = "Fused conv implementation does not support grouped convolutions for now."


def wanted(cell=CELL, release="2.8.4"):
    return Reproduction(cell=cell, release=release, profile=DATA.profile("onednn-off"), told="Recorded.")


def test_every_script_is_a_program_of_twenty_lines():
    made = {}
    for cell in suite.cells():
        with contextlib.suppress(BadUsage):
            made[tuple(cell)] = script(wanted(tuple(cell)))
    assert {"nn-conv2d", "keras-groups", "keras-groups-3d", "depthwise"} <= {cell[0] for cell in made}
    assert {"eager", "graph", "jit", "keras"} <= {cell[1] for cell in made}
    for text in made.values():
        ast.parse(text)
        assert len(text.splitlines()) <= MOST_LINES


def test_what_has_no_short_script_is_refused():
    with pytest.raises(BadUsage, match="no report"):
        script(wanted(("nn-conv2d", "graph", "fusion", CELL[3])))


def test_a_report_names_what_is_affected_and_what_lies_beside(tmp_path):
    refused = where("forward", "graph", of="bias_relu", **error(REFUSED))
    for release, change in (("2.6.5", where()), ("2.8.4", refused), ("2.9.3", refused), ("2.10.1", where())):
        records.write(tmp_path, record(change, release=release, run=f"tf{release}-py39-cpu+onednn-off"))
    told = list(lines(wanted(), records.read_all(tmp_path), "cpu"))
    assert told[-1] == "- onednn-off: 2 of 4, 2.8.4 to 2.9.3; 2.6.5: pass; 2.10.1: pass"
    assert f"Actual: `InvalidArgumentError: {REFUSED}`" in told
    assert any("the output of a convolution in 4 groups followed by bias, relu" in line for line in told)
