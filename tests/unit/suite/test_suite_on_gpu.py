"""What a GPU adds to the suite; the device itself is not here, so that what it says of itself is given."""

from __future__ import annotations

import os
from typing import NamedTuple

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


class Asked(NamedTuple):
    approach: str
    number: int


def test_parts_side_by_side_observe_every_cell_once_and_an_approach_in_one_process(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(3 * on_gpu.CORES_A_WORKER))
    cells = [
        Asked(approach, number) for approach, many in [("a", 5), ("b", 3), ("c", 2), ("d", 1)] for number in range(many)
    ]
    told = list(on_gpu.side_by_side(lambda part: ({"cell": cell, "by": os.getpid()} for cell in part), cells))
    assert sorted(tuple(one["cell"]) for one in told) == cells
    by = {approach: {one["by"] for one in told if one["cell"][0] == approach} for approach in "abcd"}
    assert all(len(processes) == 1 for processes in by.values())
    assert len(set.union(*by.values())) == 3 and os.getpid() not in set.union(*by.values())


def test_a_part_that_dies_ends_alone(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(2 * on_gpu.CORES_A_WORKER))

    def observe(part):
        for cell in part:
            if cell.approach == "a":
                raise RuntimeError("a fault of the suite")
            yield {"cell": cell}

    assert list(on_gpu.side_by_side(observe, [Asked("a", 0), Asked("b", 0)])) == [{"cell": ["b", 0]}]
