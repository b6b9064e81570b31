"""PyTorch, as called from Python: `python -m suite.speed.peers.torch_peer`.

Its tensors are channels first; `torch-channels-last` keeps the same in memory as TensorFlow has them.
"""

import importlib
import sys
from typing import Any, Callable, Dict, Tuple

import numpy as np

from ..problems import ANSWERS, FILTER_GRADIENT
from .running import run

NAME, MODE, DIRECTIONS = "torch", "eager", ("forward", "train")
VARIANTS = ("torch-conv2d", "torch-channels-last")


def prepare() -> Callable[[int], Any]:
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    matrix = torch.rand(1, 1)

    def multiply(size: int) -> Any:
        nonlocal matrix
        if len(matrix) != size:
            matrix = torch.rand(size, size)
        return matrix @ matrix

    return multiply


def make(variant: str, problem: Any, direction: str) -> Tuple[Callable[[], Any], Callable[[Any], Dict[str, Any]]]:
    torch = importlib.import_module("torch")
    memory = torch.channels_last if variant == "torch-channels-last" else torch.contiguous_format

    def tensor(values: Any, order: Tuple[int, ...]) -> Any:
        return torch.from_numpy(values.transpose(order).astype(np.float32)).contiguous(memory_format=memory)

    x, cotangent = [tensor(values, (0, 3, 1, 2)) for values in (problem.x, problem.cotangent)]
    weights = tensor(problem.filters[0], (3, 2, 0, 1))
    bias = torch.from_numpy(problem.parameters["bias"].astype(np.float32))
    groups, padding = problem.case.groups, problem.case.kernel[0] // 2

    def forward() -> Any:
        return torch.relu(torch.nn.functional.conv2d(x, weights, bias, padding=padding, groups=groups))

    def infer() -> Any:
        with torch.inference_mode():
            return [forward()]

    def train() -> Any:
        y = forward()
        return [y] + list(torch.autograd.grad([y], [x, weights], [cotangent]))

    if direction == "train":
        x.requires_grad_()
        weights.requires_grad_()
    return (train if direction == "train" else infer), _arrays


def _arrays(values: Any) -> Dict[str, Any]:
    answers = {name: value.detach().numpy() for name, value in zip(ANSWERS, values)}
    return {
        name: value.transpose((2, 3, 1, 0) if name == FILTER_GRADIENT else (0, 2, 3, 1))
        for name, value in answers.items()
    }


if __name__ == "__main__":
    run(sys.modules[__name__])
