"""Workers side by side, and what TensorFlow's own words tell of a GPU; the device itself is not here."""

from __future__ import annotations

import os
from typing import NamedTuple

import pytest
from suite import about, worker

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
    assert about.rounds_to_tf32(gpus, allowed) == rounds


class Asked(NamedTuple):
    approach: str
    number: int


LIMITS = worker.Limits(seconds=60, memory=2**40)


def observed(cells, task, workers: int) -> list:
    return list(worker.observe_all(cells, lambda: None, task, LIMITS, workers))


@pytest.mark.parametrize("workers", [1, 3])
def test_every_cell_is_observed_once_and_an_approach_in_one_process(workers) -> None:
    cells = [
        Asked(approach, number) for approach, many in [("a", 5), ("b", 3), ("c", 2), ("d", 1)] for number in range(many)
    ]
    told = observed(cells, lambda cell: {"by": os.getpid()}, workers)
    assert sorted((one["approach"], one["number"]) for one in told) == cells
    by = {approach: {one["by"] for one in told if one["approach"] == approach} for approach in "abcd"}
    assert all(len(processes) == 1 for processes in by.values())
    assert len(set.union(*by.values())) == workers and os.getpid() not in set.union(*by.values())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cell_that_kills_its_worker_costs_itself_alone(workers) -> None:
    def task(cell):
        if cell == Asked("a", 1):
            os.kill(os.getpid(), 11)
        if cell == Asked("b", 0):
            os.kill(os.getpid(), 35)
        return {"outcome": "pass"}

    cells = [Asked(approach, number) for approach in "ab" for number in range(3)]
    told = {(one["approach"], one["number"]): one for one in observed(cells, task, workers)}
    assert {cell for cell, one in told.items() if one["outcome"] != "pass"} == {("a", 1), ("b", 0)}
    assert (told["a", 1]["signal"], told["b", 0]["signal"]) == ("SIGSEGV", "SIGRTMIN+1")


def test_a_fault_of_the_suite_is_told_and_a_line_without_end_is_a_crash() -> None:
    (fault,) = observed([Asked("a", 0)], lambda cell: 1 / 0, 1)
    assert (fault["outcome"], fault["reason"]) == ("skipped", "a fault of the suite itself: see the log of the run")
    (endless,) = observed([Asked("a", 0)], lambda cell: {"reason": "x" * 300_000}, 1)
    assert (endless["outcome"], endless["reason"]) == ("crash", "the worker's words had no end")
