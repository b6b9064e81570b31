"""Which kernels a build has for the operations of a convolution: known without a device, and no proof that they run."""

from typing import Any, Dict, List

import tensorflow as tf

OPS = (
    "Conv",
    "Conv2D",
    "Conv2DBackpropFilter",
    "Conv2DBackpropInput",
    "Conv3D",
    "Conv3DBackpropFilterV2",
    "Conv3DBackpropInputV2",
    "DepthwiseConv2dNative",
    "DepthwiseConv2dNativeBackpropFilter",
    "DepthwiseConv2dNativeBackpropInput",
    "FusedBatchNormGradV3",
    "FusedBatchNormV3",
    "_FusedBatchNormEx",
    "_FusedConv2D",
    "_FusedDepthwiseConv2dNative",
)
DEVICES = ("CPU", "GPU")


def kernels() -> Dict[str, Dict[str, List[str]]]:
    """Operation -> device -> dtypes; what a build has no kernel of is left out. Raise ImportError before 1.12."""
    found = {op: {device: _dtypes(op, device) for device in DEVICES} for op in OPS}
    return {
        op: {device: dtypes for device, dtypes in on.items() if dtypes} for op, on in found.items() if any(on.values())
    }


def _dtypes(op: str, device: str) -> List[str]:
    names = {
        tf.as_dtype(dtype).name
        for kernel in _registered(op)
        if kernel.device_type == device
        for constraint in kernel.constraint
        if constraint.name == "T"
        for dtype in constraint.allowed_values.list.type
    }
    return sorted(names)


def _registered(op: str) -> Any:
    from tensorflow.python.framework import kernels as registry

    return registry.get_registered_kernels_for_op(op).kernel
