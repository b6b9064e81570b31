"""An approach and an epilogue put together as a person would write them, from input to output.

Make a program inside the graph and session that it is to run in, where there are such.
"""

from functools import lru_cache
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Union

import tensorflow as tf

from . import epilogue
from .approaches import FUNCTIONS, LAYERS, WHOLE
from .reference import Problem
from .runtime import Absent, api
from .tensors import DTYPES, array, channel_axis, constant, shape


class HoldingLayer(NamedTuple):
    """A Keras layer, and the weights that it is to hold in its own order: filters by number, then the bias if any."""

    layer: Any
    filters: Dict[int, Any]
    bias: List[Any]


class WrongShape(Exception):
    """TensorFlow took the request without a word and made something of another shape."""


class FunctionProgram:
    """A function of input and filters. The filters are constants, or variables where the case says so."""

    def __init__(self, compute: Callable[[Any, List[Any]], Any], problem: Problem) -> None:
        self.compute, self.problem = compute, problem
        self.holds_variables = problem.case.variable
        held = problem.filters if problem.case.variable else []
        self.variables = [tf.Variable(array(values, problem.case)) for values in held]

    @property
    def held(self) -> List[Any]:
        """What a module must hold to be saved with its variables."""
        return self.variables

    def filters(self) -> List[Any]:
        """What to differentiate by; constants are made anew at every call, in the graph of the caller."""
        return self.variables or [constant(values, self.problem.case) for values in self.problem.filters]

    def __call__(self, x: Any, filters: List[Any]) -> Any:
        return self.compute(x, filters)

    def layers(self, trained: Sequence[int]) -> List[HoldingLayer]:
        """The program as one layer of a Keras model, with the filters of these numbers as weights."""
        case, filters = self.problem.case, self.problem.filters

        def compute(x: Any, weights: List[Any]) -> Any:
            held = dict(zip(trained, weights))
            return self.compute(x, [held[i] if i in held else constant(filters[i], case) for i in range(len(filters))])

        layer = _function_layer()(compute, [filters[i].shape for i in trained], dtype=DTYPES[case.dtype].name)
        return [HoldingLayer(layer, {i: array(filters[i], case) for i in trained}, [])]


class LayerProgram:
    """Keras layers, which hold their filters in variables. The last one adds the bias, and the rest follows it."""

    holds_variables = True
    variables = ()  # of the program's own; Keras looks after the layers'

    def __init__(self, make: Callable[..., List[Any]], problem: Problem) -> None:
        self.problem = problem
        self.steps = tuple(step for step in problem.case.steps if step != "bias")
        self.made = make(problem.case)
        for layer in self.made:  # each sees the input's channels: a depthwise layer here keeps their number
            layer.build(tf.TensorShape(self._expected()))
        load(self._holding())

    @property
    def held(self) -> List[Any]:
        """As a function's, above."""
        return self.made

    def _expected(self) -> List[Any]:
        """The input's shape as the layers are made for it: misuse gives them another."""
        sizes = shape(self.problem.x, self.problem.case)
        sizes[channel_axis(self.problem.case, len(sizes))] = self.problem.case.cin
        return sizes

    def filters(self) -> List[Any]:
        return [layer.trainable_weights[0] for layer in self.made]

    def __call__(self, x: Any, filters: List[Any]) -> Any:
        for layer in self.made:
            x = layer(x)
        return self._finish(x, [])

    def layers(self, trained: Sequence[int]) -> List[HoldingLayer]:
        holding = self._holding()
        for number, held in enumerate(holding):
            held.layer.trainable = number in trained
        if not self.steps:
            return holding
        rest = _function_layer()(self._finish, [], dtype=DTYPES[self.problem.case.dtype].name)
        return holding + [HoldingLayer(rest, {}, [])]

    def _finish(self, y: Any, _: List[Any]) -> Any:
        return epilogue.apply(y, self.steps, self.problem.case, self.problem.parameters)

    def _holding(self) -> List[HoldingLayer]:
        case, last = self.problem.case, len(self.made) - 1
        bias = [array(self.problem.parameters["bias"], case)] if "bias" in case.steps else []
        return [
            HoldingLayer(layer, {number: array(self.problem.filters[number], case)}, bias if number == last else [])
            for number, layer in enumerate(self.made)
        ]


Program = Union[FunctionProgram, LayerProgram]


def make_program(approach: str, problem: Problem) -> Program:
    case, parameters = problem.case, problem.parameters
    if approach in LAYERS:
        return LayerProgram(LAYERS[approach], problem)
    if approach in WHOLE:
        return FunctionProgram(lambda x, filters: WHOLE[approach](x, filters, case, parameters), problem)

    def compute(x: Any, filters: List[Any]) -> Any:
        return epilogue.apply(FUNCTIONS[approach](x, filters, case), case.steps, case, parameters)

    return FunctionProgram(compute, problem)


def load(layers: List[HoldingLayer]) -> None:
    """Give built layers their weights. Raise WrongShape where a layer made a filter of another shape."""
    for layer, filters, bias in layers:
        made = [tuple(weight.shape) for weight in layer.weights]
        for values, shape_made in zip(filters.values(), made):
            if shape_made != values.shape:
                text = "the layer's filter has the shape {}; in {} groups it would have {}"
                raise WrongShape(text.format(shape_made, layer.groups, values.shape))
        layer.set_weights(list(filters.values()) + bias)


@lru_cache(maxsize=None)
def _function_layer() -> Any:
    """The class is made on demand: 1.0 has no Keras to inherit from."""
    try:
        do_not_convert = api("autograph.experimental.do_not_convert")
    except Absent:
        do_not_convert = lambda function: function  # noqa: E731

    # the methods have no annotations: Keras looks at their arguments, in 1.4 by a function that refuses annotations
    class FunctionLayer(api("keras.layers.Layer")):
        """A function of input and weights."""

        def __init__(self, compute, weight_shapes, **options):
            super().__init__(**options)
            self.compute, self.weight_shapes = do_not_convert(compute), weight_shapes

        def build(self, input_shape):
            self.held = [
                self.add_weight(name="filter_{}".format(index), shape=sizes, initializer=tf.zeros_initializer())
                for index, sizes in enumerate(self.weight_shapes)
            ]
            super().build(input_shape)

        def call(self, x):
            return self.compute(x, self.held)

    return FunctionLayer
