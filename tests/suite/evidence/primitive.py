"""A convolution as the library that executed it tells it."""

from typing import NamedTuple, Tuple


class Primitive(NamedTuple):
    """`implementation`: the kernel, or the function that was called. `inputs`: channels over all groups. `post_ops`:
    the steps inside besides a bias, in the library's words.
    """

    library: str  # oneDNN, cuDNN, MIOpen
    implementation: str
    groups: int
    inputs: int
    post_ops: Tuple[str, ...] = ()
