"""A block of a network, with an approach in the place of its grouped convolution. See blocks.py for the words."""

import itertools
from functools import reduce
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple, Union

import numpy as np
import tensorflow as tf

from . import epilogue
from .approaches import Part
from .blocks import Step, operations, rows
from .cases import Case
from .catalog import APPROACHES
from .keras_layers import function_layer
from .layer_programs import FunctionProgram, Held, LayerProgram, around, listed, make_layer, single
from .problem import Problem
from .reference import BN_EPSILON
from .runtime import variable
from .tensors import sizes_of, weight


class Layer(NamedTuple):
    """The program of a layer, and the numbers of its filters in the block."""

    program: Union[FunctionProgram, LayerProgram]
    filters: range


class BlockProgram:
    """The layers are programs of their own; what stands around them are functions of tensors and weights."""

    def __init__(self, approach: str, problem: Problem) -> None:
        self.problem, self.rows, about = problem, rows(problem.case), APPROACHES[approach]
        self.layers: Dict[str, Layer] = {}
        first = 0
        for name, made in operations(self.rows.layers, about.form, about.rank).items():
            step = next(step for step in self.rows.layers if step.name == name)
            numbers = range(first, first + len(made.filter_shapes))
            alone = problem._replace(
                case=step.case,
                x=np.zeros(problem.x.shape[:-1] + (step.channels,)),
                filters=[problem.filters[number] for number in numbers],
                parameters={"gain": problem.parameters.get(name + "_gain")},
            )
            self.layers[name] = Layer(make_layer("depthwise" if step.kind == "depthwise" else approach, alone), numbers)
            first = numbers.stop
        self.weights = {name: problem.parameters[name] for row in self.rows for name in _weights(row)}
        self.held = {name: variable(weight(name, values, problem.case)) for name, values in self.weights.items()}

    @property
    def variables(self) -> List[Any]:
        return list(self.held.values()) + [one for layer in self.layers.values() for one in layer.program.variables]

    @property
    def parts(self) -> List[Part]:
        return [part for layer in self.layers.values() for part in getattr(layer.program, "parts", [])]

    def inside(self) -> Dict[str, Any]:
        """The weights by name; those of a layer are under the layer's name."""
        return dict(self.held, **{name: layer.program.inside() for name, layer in self.layers.items()})

    def filters(self, inputs: Sequence[Any], weights: Dict[str, Any]) -> List[Any]:
        found = [layer.program.filters(inputs, weights[name]) for name, layer in self.layers.items()]
        return [one for filters in found for one in filters]

    def __call__(self, inputs: Sequence[Any], weights: Dict[str, Any]) -> Any:
        def layer(step: Step, x: Any) -> Any:
            return self.layers[step.name].program([x], weights[step.name])

        def others(steps: Sequence[Step], summands: List[Any]) -> Any:
            return self._apply(steps, summands, weights)

        return around(inputs, self.problem.case, lambda inside: self._flow(inside[0], layer, others), keras=False)

    def connect(self, inputs: List[Any], trained: Sequence[int]) -> Tuple[Any, List[Held]]:
        """On a Keras model's inputs: the output, and the layers that hold weights. `trained`: numbers of filters."""
        case, holding = self.problem.case, []

        def layer(step: Step, x: Any) -> Any:
            program, numbers = self.layers[step.name]
            y, held = program.connect([x], [number - numbers.start for number in trained if number in numbers])
            holding.extend(one._replace(filters=[numbers[number] for number in one.filters]) for one in held)
            return y

        def others(steps: Sequence[Step], summands: List[Any]) -> Any:
            names = _weights(steps)
            made = function_layer(
                lambda x, held: self._apply(steps, listed(x), dict(zip(names, held))),
                case,
                {name: self.weights[name] for name in names},
            )
            holding.append(Held(made, [weight(name, self.weights[name], case) for name in names]))
            return made(single(summands))

        return around(inputs, case, lambda inside: self._flow(inside[0], layer, others)), holding

    def _flow(self, x: Any, layer: Callable[..., Any], others: Callable[..., Any]) -> Any:
        """`layer(step, x)` computes a layer, `others(steps, summands)` what stands between two, on a sum."""

        def row(steps: Sequence[Step], x: Any) -> Any:
            for is_layer, alike in itertools.groupby(steps, key=lambda step: step.case is not None):
                group = list(alike)
                x = reduce(lambda x, step: layer(step, x), group, x) if is_layer else others(group, [x])
            return x

        return others(self.rows.after, [row(self.rows.main, x), row(self.rows.shortcut, x)])

    def _apply(self, steps: Sequence[Step], summands: List[Any], weights: Dict[str, Any]) -> Any:
        x = reduce(tf.add, summands)
        for step in steps:
            held = {name: weights[step.name + "_" + name] for name in step.weights()}
            x = apply(step, x, self.problem.case, held)
        return x


def _weights(steps: Sequence[Step]) -> List[str]:
    return [step.name + "_" + name for step in steps for name in step.weights()]


def apply(step: Step, x: Any, case: Case, held: Dict[str, Any]) -> Any:
    """A step that is no layer."""
    if step.kind == "pointwise":
        kernel = tf.reshape(held["kernel"], [1, 1, step.channels, step.size])
        return tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME")
    if step.kind == "dense":
        return tf.tensordot(x, held["kernel"], [[len(x.shape) - 1], [0]])
    if step.kind == "gain":
        return x * held["gain"]
    if step.kind == "shuffle":
        sizes = sizes_of(x)
        split = tf.reshape(x, sizes[:-1] + [step.size, step.channels // step.size])
        order = list(range(len(sizes) - 1)) + [len(sizes), len(sizes) - 1]
        return tf.reshape(tf.transpose(split, order), sizes)
    if step.kind == "layer_norm":
        mean = tf.reduce_mean(x, -1, True)
        variance = tf.reduce_mean(tf.square(x - mean), -1, True)
        return tf.nn.batch_normalization(x, mean, variance, held["offset"], held["scale"], BN_EPSILON)
    return epilogue.apply(x, (step.kind,), case, held)
