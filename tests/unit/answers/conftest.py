from __future__ import annotations

import pytest
from unit.fabricated import error, record

from matrix.record import records

CASE = "g4-k3/bias_relu/f32/nhwc"
NATIVE = ("nn-conv2d", "keras-groups")


def refused(cell):
    """What 2.8.4 does without oneDNN, in short."""
    graph = cell[0] in NATIVE and cell[1] in {"graph", "keras"} and cell[3] == CASE
    message = "Fused conv implementation does not support grouped convolutions for now."
    return error(message) if graph and cell[2] == "forward" else {}


@pytest.fixture
def reports(tmp_path):
    """Records of 2.8.4: without oneDNN it refuses, with oneDNN everything passes."""
    on = record(profile="onednn-on", run="tf2.8.4-py310-cpu+onednn-on", onednn=True)
    for one in (record(refused, onednn=False), on):
        records.write(tmp_path, one)
    return tmp_path
