"""A network as a call: its grouped convolutions written by an approach, all others as everybody has them."""

from typing import Any, Dict, List, Tuple

import numpy as np
import tensorflow as tf

from ..problem import Problem
from ..programs import Program, make_program
from . import layers
from .layers import Point
from .problems import INPUT_GRADIENT, OUTPUT, pose, pose_dense


class Network:
    """A network's convolutions, each followed by bias and ReLU. Every approach has the same numbers."""

    def __init__(self, point: Point, approach: str) -> None:
        chain, written = layers.NETWORKS[point.layer], layers.replaced(point.layer)
        self.programs: List[Program] = []
        for number, layer in enumerate(chain):
            # One image has the filters of any number of them.
            one = point._replace(layer="{}/{}".format(point.layer, number), batch=1)
            if number not in written:
                name = "depthwise" if 1 < layer.groups == layer.cin else "nn-conv2d"
                posed = pose(one, name)
            elif approach == "dense":
                name, posed = "nn-conv2d", pose_dense(one)
            else:
                name, posed = approach, pose(one, approach)
            self.programs.append(make_program(name, _scaled(posed, layer)))
        self.x = _draw(point.batch, chain[0].size, chain[0].cin)
        self.cotangent = _draw(point.batch, chain[-1].out, chain[-1].cout)

    def __call__(self, x: Any) -> Tuple[Any, List[Any]]:
        """The output, and the filters."""
        filters: List[Any] = []
        for program in self.programs:
            weights = program.inside()
            filters += program.filters([x], weights)
            x = program([x], weights)
        return x, filters

    def forward(self, x: Any) -> List[Any]:
        return [self(x)[0]]

    def train(self, x: Any, cotangent: Any) -> List[Any]:
        """The output, and the gradients of sum(output * cotangent) by the input and by each filter."""
        y, filters = self(x)
        return [y] + tf.gradients([y], [x] + filters, grad_ys=[cotangent])


def make(point: Point, variant: str) -> Tuple[Any, Any]:
    """The call in a graph, and what makes of its answer arrays by what they are. Filter gradients are computed and not
    judged: what is wrong with one shows in the layers before it.
    """
    network = Network(point, variant)
    inputs = [tf.constant(network.x)]
    if point.direction == "forward":
        traced = tf.function(network.forward, autograph=False)
    else:
        traced = tf.function(network.train, autograph=False)
        inputs.append(tf.constant(network.cotangent))
    return lambda: traced(*inputs), _answers


def _answers(values: List[Any]) -> Dict[str, Any]:
    return {name: None if value is None else value.numpy() for name, value in zip((OUTPUT, INPUT_GRADIENT), values)}


def _scaled(posed: Problem, layer: layers.Layer) -> Problem:
    """Keep the feature maps about as large from layer to layer (He et al. 2015); filters were drawn from -1 to 1.
    What a network does not need takes no memory, so that it is not counted as its own.
    """
    scale = np.sqrt(6.0 / (layer.kernel**2 * layer.cin / layer.groups))
    filters = [(values * scale).astype(np.float32) for values in posed.filters]
    return posed._replace(x=np.broadcast_to(np.float32(0), posed.x.shape), cotangent=None, filters=filters)


def _draw(*shape: int) -> Any:
    count, size, channels = shape
    drawn = np.random.RandomState(count).uniform(-1.0, 1.0, (count, size, size, channels))
    return drawn.astype(np.float32)
