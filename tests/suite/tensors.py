"""Between the reference's float64 arrays, channels last, and TensorFlow's tensors in the case's dtype and layout."""

from typing import Any, List, Optional

import numpy as np
import tensorflow as tf

from .catalog import Case

DTYPES = {"f64": tf.float64, "f32": tf.float32, "f16": tf.float16, "bf16": tf.bfloat16}


def data_format(case: Case) -> str:
    return case.layout.upper()


def channel_axis(case: Case, rank: int = 4) -> int:
    return 1 if case.layout == "nchw" else rank - 1


def array(values: Any, case: Case) -> Any:
    """In the case's dtype, the layout as it is."""
    return values.astype(DTYPES[case.dtype].as_numpy_dtype)


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
    sizes: List[Optional[int]] = list(feature_map(values, case).shape)
    if case.dynamic_hw:
        first = 2 if case.layout == "nchw" else 1
        sizes[first : first + len(sizes) - 2] = [None] * (len(sizes) - 2)
    if case.dynamic_batch:
        sizes[0] = None
    return sizes if batch else sizes[1:]
