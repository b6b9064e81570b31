"""Between the reference's float64 arrays, channels last, and TensorFlow's tensors in the case's dtype and layout."""

from typing import Any, List, NamedTuple, Optional, Sequence, Union

import numpy as np
import tensorflow as tf

from .cases import Case
from .problem import Problem
from .runtime import first_api

# What a program computes in. Under a policy of mixed precision its input and weights are float32 all the same.
DTYPES = {
    "f64": tf.float64,
    "f32": tf.float32,
    "f16": tf.float16,
    "bf16": tf.bfloat16,
    "mf16": tf.float16,
    "mbf16": tf.bfloat16,
}
NORM = ("scale", "offset", "mean", "variance")
POLICIES = {"mf16": "mixed_float16", "mbf16": "mixed_bfloat16"}


def dtype(case: Case) -> Any:
    """Of input and weights."""
    return tf.float32 if case.dtype in POLICIES else DTYPES[case.dtype]


def layer_dtype(case: Case) -> Any:
    """What Keras' layers are told: a dtype's name, or a policy."""
    if case.dtype not in POLICIES:
        return DTYPES[case.dtype].name
    policy = first_api("keras.mixed_precision.Policy", "keras.mixed_precision.experimental.Policy")
    return policy(POLICIES[case.dtype])


def data_format(case: Case) -> str:
    return case.layout.upper()


def channel_axis(case: Case, rank: int = 4) -> int:
    return 1 if case.layout == "nchw" else rank - 1


def per_dimension(values: Union[int, Sequence[int]], case: Case, other: int = 1) -> List[int]:
    """Strides, dilations or zeros over all four dimensions; `other` is that of batch and channels."""
    height, width = (values, values) if isinstance(values, int) else values
    return [other, other, height, width] if case.layout == "nchw" else [other, height, width, other]


def sizes_of(x: Any) -> List[Any]:
    """Each size as a number where the program knows it, else as a tensor."""
    return [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape.as_list())]


def array(values: Any, case: Case) -> Any:
    """In the dtype of input and weights, the layout as it is."""
    return values.astype(dtype(case).as_numpy_dtype)


def weight(name: str, values: Any, case: Case) -> Any:
    """A weight as an array. Those of batch norm are float32 beside half types, as the fused operation wants them."""
    if name in NORM and case.dtype != "f64":
        return values.astype(np.float32)
    return array(values, case)


def constant(values: Any, case: Case) -> Any:
    return tf.constant(array(values, case))


def feature_map(values: Any, case: Case) -> Any:
    """An input, an output or a cotangent, in the case's dtype and layout."""
    return array(np.moveaxis(values, -1, 1) if case.layout == "nchw" else values, case)


def channels_last(values: Any, case: Case) -> Any:
    """What TensorFlow answered, as the reference has it; None stays None."""
    if values is None:
        return None
    values = np.asarray(values, np.float64)
    return np.moveaxis(values, 1, -1) if case.layout == "nchw" else values


def shape(values: Any, case: Case, batch: bool = True) -> List[Optional[int]]:
    """The shape of a feature map that the program is told: None where the case leaves it open."""
    sizes: List[Optional[int]] = list(values.shape)
    if case.layout == "nchw":
        sizes.insert(1, sizes.pop())
    if case.dynamic_hw:
        first = 2 if case.layout == "nchw" else 1
        sizes[first : first + len(sizes) - 2] = [None] * (len(sizes) - 2)
    if case.dynamic_batch:
        sizes[0] = None
    return sizes if batch else sizes[1:]


class Given(NamedTuple):
    """An input of a program: its array, and the shape that the program is told."""

    name: str
    array: Any
    shape: List[Optional[int]]


def given(problem: Problem) -> List[Given]:
    """A filter for each sample is given as it is; all other inputs are feature maps."""
    case = problem.case
    return [
        Given(name, array(values, case), list(values.shape))
        if name == "filters"
        else Given(name, feature_map(values, case), shape(values, case))
        for name, values in problem.inputs.items()
    ]
