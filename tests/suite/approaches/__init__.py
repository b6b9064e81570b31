"""Every approach as TensorFlow code: one file an approach, named by its id. A file holds one of:

- `convolution(x, filters, case)`: the output without the epilogue;
- `whole(x, filters, case, weights, residual)`: the output with the epilogue, where that is no step of its own;
- `parts(case)`: the Keras layers, as a list of Part. They form a row unless the file has `connect(layers, x, case)`.
"""

import importlib
from typing import Any, NamedTuple, Optional, Tuple

from ..catalog import APPROACHES


class Part(NamedTuple):
    """A Keras layer; the numbers of the filters that it holds; which of the bias's channels it adds, if any."""

    layer: Any
    filters: Tuple[int, ...] = (0,)
    bias: Optional[slice] = None


def load(approach: str) -> Any:
    """The module of an approach."""
    return MODULES[approach]


# All are imported at once: what a forked worker imported would be imported anew in each.
MODULES = {name: importlib.import_module("{}.{}".format(__name__, name.replace("-", "_"))) for name in APPROACHES}
