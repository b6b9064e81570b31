"""How each mode executes a program on this generation of TensorFlow.

`FORWARD[mode](approach, problem, evidence)` answers the output as TensorFlow gave it. `GRADIENT[mode]` answers the
gradients of the input and of each filter, None for a gradient that there is not.
"""

from ..runtime import V1
from . import eager, function, keras_model, lite, saved_model, session

FORWARD = {
    "eager": eager.forward,
    "graph": session.forward if V1 else function.forward,
    "jit": session.jit_forward if V1 else function.jit_forward,
    "keras": keras_model.forward,
    "savedmodel": saved_model.forward,
    "tflite": lite.forward,
}
GRADIENT = {
    "eager": eager.gradient,
    "graph": session.gradient if V1 else function.gradient,
    "jit": session.jit_gradient if V1 else function.jit_gradient,
    "keras": keras_model.gradient,
}
