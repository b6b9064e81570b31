"""What a GPU adds to the suite; the device itself is not here, so that what it says of itself is given."""

from __future__ import annotations

import pytest
from suite import on_gpu

H100 = "NVIDIA H100 80GB HBM3, compute capability: 9.0"


@pytest.mark.parametrize(
    ("gpus", "allowed", "variables", "rounds"),
    [
        ((H100,), True, {}, True),
        ((H100,), False, {}, False),
        ((H100,), None, {}, False),
        ((H100,), True, {"NVIDIA_TF32_OVERRIDE": "0"}, False),
        (("Tesla V100, compute capability: 7.0",), True, {}, False),
        (("/physical_device:GPU:0",), True, {}, False),
        ((), True, {}, False),
    ],
)
def test_tf32_where_the_device_has_it_and_nobody_forbids_it(monkeypatch, gpus, allowed, variables, rounds) -> None:
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert on_gpu.rounds_to_tf32(gpus, allowed) == rounds
