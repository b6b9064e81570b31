"""A layer: an approach and an epilogue put together as a person would write them, from input to output.

Weights are variables. What a person feeds at run time is an input: the residual of a block, a filter for each sample.
An operation that no optimizer takes into a convolution stands before the layer and another one after it, as in any
network: what a graph begins or ends with is treated in another way. It turns the batch round, which changes no number
of the layer. A case may ask for constants (`const`), and for the layer alone (`bare`).

Make a program inside the graph and session that it is to run in, where there are such.
"""

from functools import reduce
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Union

import tensorflow as tf

from . import approaches, epilogue
from .approaches import Part
from .cases import Case
from .catalog import APPROACHES
from .keras_layers import function_layer
from .problem import Problem
from .reference import normed_axis
from .runtime import api, variable
from .tensors import array, channel_axis, layer_dtype, shape, weight


class WrongShape(Exception):
    """TensorFlow took the request without a word and made something of another shape."""


class Held(NamedTuple):
    """A Keras layer, and the arrays that it is to hold in its own order; `filters`: the numbers of the first ones."""

    layer: Any
    values: List[Any]
    filters: Sequence[int] = ()


class FunctionProgram:
    """A function of inputs and weights."""

    def __init__(self, module: Any, problem: Problem) -> None:
        self.module, self.problem, case = module, problem, problem.case
        weights = {} if problem.fed_filters else {_filter(i): values for i, values in enumerate(problem.filters)}
        names = epilogue.weights(case.steps) + (("gain",) if case.weight_norm else ())
        weights.update((name, problem.parameters[name]) for name in names)
        self.weights = weights
        made = {} if case.constant else {name: weight(name, values, case) for name, values in weights.items()}
        self.held = {name: variable(values) for name, values in made.items()}

    @property
    def variables(self) -> List[Any]:
        return list(self.held.values())

    def inside(self) -> Dict[str, Any]:
        """The weights by name. Constants are made anew at every call, in the graph of the caller."""
        case = self.problem.case
        return self.held or {name: tf.constant(weight(name, values, case)) for name, values in self.weights.items()}

    def filters(self, inputs: Sequence[Any], weights: Dict[str, Any]) -> List[Any]:
        """What to differentiate by, besides the input."""
        if self.problem.fed_filters:
            return [inputs[1]]
        return [weights[_filter(i)] for i in range(len(self.problem.filters))]

    def __call__(self, inputs: Sequence[Any], weights: Dict[str, Any]) -> Any:
        return around(inputs, self.problem.case, lambda inside: self._layer(inside, weights), keras=False)

    def _layer(self, inputs: Sequence[Any], weights: Dict[str, Any]) -> Any:
        case = self.problem.case
        x, filters, residual = inputs[0], self.filters(inputs, weights), inputs[-1]
        if case.weight_norm:
            filters = [normalised(filters[0], weights["gain"], case)]
        if case.pad_first:
            x, case = padded(x, case), case._replace(padding="VALID")
        if hasattr(self.module, "whole"):
            return self.module.whole(x, filters, case, weights, residual)
        return epilogue.apply(self.module.convolution(x, filters, case), case.steps, case, weights, residual)

    def connect(self, inputs: List[Any], trained: Sequence[int]) -> Any:
        """On a Keras model's inputs: the output, and the layers that hold weights. `trained`: numbers of filters."""
        case = self.problem.case
        # Keras has the weights that are trained before the others
        numbers = list(trained) + [number for number in range(len(self.problem.filters)) if number not in trained]
        first = [_filter(number) for number in numbers]
        names = first + [name for name in self.weights if name not in first]
        compute = lambda x, held: self._layer(listed(x), dict(zip(names, held)))  # noqa: E731
        layer = function_layer(
            compute, case, {name: self.weights[name] for name in names}, tuple(_filter(number) for number in trained)
        )
        y = around(inputs, case, lambda inside: layer(single(inside)))
        return y, [Held(layer, [weight(name, self.weights[name], case) for name in names], numbers)]


class LayerProgram:
    """Keras layers, which hold their filters in variables and add the bias. The rest of the epilogue follows them."""

    def __init__(self, module: Any, problem: Problem) -> None:
        self.problem, self.module, case = problem, module, problem.case
        self.is_connected = hasattr(module, "connect")
        self.parts: List[Part] = module.parts(case._replace(padding="VALID") if case.pad_first else case)
        taken = ("bias", getattr(module, "activation", lambda case: None)(case))
        self.steps = tuple(step for step in case.steps if step not in taken)
        names = epilogue.weights(self.steps)
        self.rest = {name: weight(name, problem.parameters[name], case) for name in names}
        # misuse gives a layer another input than it was made for; where there is a layer a group, each has its share
        expected = shape(problem.x, case)
        expected[channel_axis(case, len(expected))] = case.cin // (len(self.parts) if self.is_connected else 1)
        for part in self.parts:
            part.layer.build(tf.TensorShape(expected))
        load(self._holding())
        self.padding = zero_padding(case) if case.pad_first else lambda x: x
        self.held = {name: variable(values) for name, values in self.rest.items()}

    @property
    def variables(self) -> List[Any]:
        """The program's own; Keras looks after those of the layers."""
        return list(self.held.values())

    def inside(self) -> Dict[str, Any]:
        return self.held

    def filters(self, inputs: Sequence[Any], weights: Dict[str, Any]) -> List[Any]:
        return [part.layer.trainable_weights[i] for part in self.parts for i in range(len(part.filters))]

    def __call__(self, inputs: Sequence[Any], weights: Dict[str, Any]) -> Any:
        case = self.problem.case
        return around(inputs, case, lambda inside: self._layers(inside, weights), keras=False)

    def _layers(self, inputs: Sequence[Any], weights: Dict[str, Any]) -> Any:
        return epilogue.apply(self._wired(inputs[0]), self.steps, self.problem.case, weights, inputs[-1])

    def _wired(self, x: Any) -> Any:
        """The layers on an input: in a row, unless the approach connects them in another way."""
        layers, x = [part.layer for part in self.parts], self.padding(x)
        if self.is_connected:
            return self.module.connect(layers, x, self.problem.case)
        return reduce(lambda x, layer: layer(x), layers, x)

    def connect(self, inputs: List[Any], trained: Sequence[int]) -> Any:
        """As a function's, above."""
        case, holding = self.problem.case, self._holding()
        for held in holding:
            held.layer.trainable = bool(set(held.filters) & set(trained))
        names = list(self.rest)
        values = {name: self.problem.parameters[name] for name in names}
        rest = function_layer(
            lambda x, held: epilogue.apply(listed(x)[0], self.steps, case, dict(zip(names, held)), listed(x)[-1]),
            case,
            values,
        )

        def layers(inside: List[Any]) -> Any:
            x = self._wired(inside[0])
            return rest(single([x] + inside[1:])) if self.steps else x

        y = around(inputs, case, layers)
        return y, holding + ([Held(rest, list(self.rest.values()))] if self.steps else [])

    def _holding(self) -> List[Held]:
        case, found = self.problem.case, []
        for part in self.parts:
            values = [array(self.problem.filters[number], case) for number in part.filters]
            if part.bias is not None and "bias" in case.steps:
                values.append(array(self.problem.parameters["bias"][part.bias], case))
            found.append(Held(part.layer, values, part.filters))
        return found


def make_layer(approach: str, problem: Problem) -> Union[FunctionProgram, LayerProgram]:
    module = approaches.load(approach)
    return (LayerProgram if APPROACHES[approach].layer else FunctionProgram)(module, problem)


def turned(x: Any) -> Any:
    """The batch turned round."""
    return x[::-1]


def normalised(direction: Any, gain: Any, case: Case) -> Any:
    """A filter by its direction, and its length for each output or position."""
    rank = len(direction.shape)
    axes = [axis for axis in range(rank) if axis != normed_axis(case, rank)]
    return direction * (gain / tf.sqrt(tf.reduce_sum(tf.square(direction), axes, True)))


def padded(x: Any, case: Case) -> Any:
    """What EXPLICIT padding means, by an operation of its own."""
    zeros = [((size - 1) // 2,) * 2 for size in case.kernel]
    return tf.pad(x, [(0, 0), (0, 0)] + zeros if case.layout == "nchw" else [(0, 0)] + zeros + [(0, 0)])


def zero_padding(case: Case) -> Any:
    """The same as the Keras layer that people put before a convolution without padding."""
    zeros = tuple((size - 1) // 2 for size in case.kernel)
    return api("keras.layers.ZeroPadding2D")(zeros, dtype=layer_dtype(case))


def load(layers: List[Held]) -> None:
    """Give built layers their weights. Raise WrongShape where a layer made a filter of another shape."""
    for held in layers:
        made = [tuple(held_weight.shape) for held_weight in held.layer.weights]
        for values, shape_made in list(zip(held.values, made))[: len(held.filters)]:
            if shape_made != values.shape:
                text = "the layer's filter has the shape {}; in {} groups it would have {}"
                raise WrongShape(text.format(shape_made, held.layer.groups, values.shape))
        held.layer.set_weights(held.values)


def around(inputs: Sequence[Any], case: Case, layer: Callable[[List[Any]], Any], keras: bool = True) -> Any:
    """The layer between an operation before it and one after it; `keras`: these are layers of a model too."""
    if case.bare:
        return layer(list(inputs))

    def turn(x: Any) -> Any:
        return function_layer(lambda given, _: turned(given), case)(x) if keras else turned(x)

    return turn(layer([turn(x) for x in inputs]))


def _filter(number: int) -> str:
    return "filter_{}".format(number)


def listed(x: Any) -> List[Any]:
    return list(x) if isinstance(x, (list, tuple)) else [x]


def single(x: List[Any]) -> Any:
    """What a Keras layer is called with."""
    return x[0] if len(x) == 1 else list(x)
