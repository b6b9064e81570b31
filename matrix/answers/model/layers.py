"""What a reader finds in a model file: its convolutions, and what it could not read."""

import string
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

# A model that has more is none that people write.
MOST_LAYERS, MOST_NODES, MOST_DEPTH = 20_000, 400_000, 60
PRINTABLE = frozenset(string.ascii_letters + string.digits + string.punctuation + " ")
# TensorFlow's names of data types, as `tf.as_dtype` and Keras write them, and those of the records.
DTYPES = {"float32": "f32", "float64": "f64", "float16": "f16", "bfloat16": "bf16"}
# In mixed precision weights are float32, and the kernels are those of the half type: its cells stand for a policy that
# was not observed.
COMPUTED = {"mf16": "f16", "mbf16": "bf16"}
# The names that activations have in files, as the suite writes them.
ACTIVATIONS = {"relu": "relu", "relu6": "relu6", "elu": "elu", "leaky_relu": "leaky_relu", "leakyrelu": "leaky_relu"}


class Unreadable(Exception):
    """The file is no model, is broken, or is larger or deeper than any model; the text says which."""


class Work:
    """Counts what is looked at in a file, so that no file takes for ever: its parts may be tiny, or stand for many."""

    most, done = 30_000_000, 0

    def begin(self) -> None:
        self.done = 0

    def spend(self, count: int = 1) -> None:
        self.done += count
        if self.done > self.most:
            raise Unreadable("it has more than {} parts".format(self.most))


work = Work()


class Layer(NamedTuple):
    """A grouped, depthwise, separable or transposed convolution.

    `after`: what follows it, as the suite's epilogues name it: bias, bn, add (a residual), an activation. `size`: of
    its input. `written`: as what it will be executed; `compiled`: by XLA, as the file says. A number that the file does
    not tell is None.
    """

    name: str
    operation: str  # conv, depthwise, separable or transpose
    rank: int
    kernel: Tuple[int, ...]
    strides: Tuple[int, ...]
    dilation: Tuple[int, ...]
    padding: str
    cin: Optional[int]
    cout: Optional[int]
    groups: Optional[int]
    size: Tuple[Optional[int], ...]
    dtype: str
    layout: str
    after: Tuple[str, ...]
    written: str  # keras, graph or tflite
    compiled: bool = False


class Reading(NamedTuple):
    """`others`: the number of convolutions without groups. `unread`: what was met and not understood, in words."""

    form: str
    layers: List[Layer]
    others: int
    unread: List[str]


def clean(text: object, limit: int = 90) -> str:
    """Return printable ASCII only: a name from a file must not steer a terminal."""
    shown = "".join(c if c in PRINTABLE else "?" for c in str(text)[: 4 * limit])
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def whole(value: object, most: int = 1 << 24) -> Optional[int]:
    """Return the number if it is one that a convolution can have."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most else None


def is_wanted(operation: str, groups: Optional[int]) -> bool:
    """Say whether it is more than an ordinary convolution; where the groups are not told, it may be."""
    return operation != "conv" or groups != 1


def counted(unread: Dict[str, List[str]]) -> List[str]:
    """Tell each kind of what was not read once, with how often and where first."""
    told = []
    for what, names in sorted(unread.items()):
        more = " and {} more".format(len(names) - 1) if len(names) > 1 else ""
        told.append("{}: {}{}".format(clean(what, 120), clean(names[0], 60), more))
    return told


def spread(value: object, rank: int) -> Optional[Tuple[int, ...]]:
    """Return a number for each spatial dimension, from one number or from a list of them."""
    values: Sequence[object] = value if isinstance(value, (list, tuple)) else [value] * rank
    sizes = [whole(one) for one in values]
    return tuple(one for one in sizes if one) if len(sizes) == rank and all(sizes) else None
