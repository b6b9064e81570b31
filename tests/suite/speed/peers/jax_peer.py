"""JAX, compiled by XLA: `python -m suite.speed.peers.jax_peer`."""

import importlib
import os
import sys
from typing import Any, Callable, Dict, Tuple

import numpy as np

from ..problems import ANSWERS
from .running import run

NAME, MODE, DIRECTIONS = "jax", "jit", ("forward", "train")
VARIANTS = ("jax-conv",)


def prepare() -> Callable[[int], Any]:
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    jax = importlib.import_module("jax")
    matrices: Dict[int, Any] = {}
    product = jax.jit(lambda matrix: matrix @ matrix)

    def multiply(size: int) -> Any:
        if size not in matrices:
            matrices[size] = jax.numpy.asarray(np.random.RandomState(0).uniform(size=(size, size)), np.float32)
        return product(matrices[size]).block_until_ready()

    return multiply


def make(variant: str, problem: Any, direction: str) -> Tuple[Callable[[], Any], Callable[[Any], Dict[str, Any]]]:
    jax = importlib.import_module("jax")
    x, weights, bias, cotangent = [
        jax.numpy.asarray(values, np.float32)
        for values in (problem.x, problem.filters[0], problem.parameters["bias"], problem.cotangent)
    ]

    def layer(x: Any, weights: Any) -> Any:
        y = jax.lax.conv_general_dilated(
            x,
            weights,
            window_strides=(1, 1),
            padding="SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=problem.case.groups,
        )
        return jax.nn.relu(y + bias)

    def train(x: Any, weights: Any, cotangent: Any) -> Any:
        y, pullback = jax.vjp(layer, x, weights)
        return (y,) + pullback(cotangent)

    compiled = jax.jit(train if direction == "train" else lambda x, weights: (layer(x, weights),))
    arguments = (x, weights, cotangent) if direction == "train" else (x, weights)
    return lambda: jax.block_until_ready(compiled(*arguments)), _arrays


def _arrays(values: Any) -> Dict[str, Any]:
    return {name: np.asarray(value) for name, value in zip(ANSWERS, values)}


if __name__ == "__main__":
    run(sys.modules[__name__])
