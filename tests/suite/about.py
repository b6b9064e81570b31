"""What this environment is, as TensorFlow and the interpreter themselves say it."""

import os
import platform

from .catalog import Cell

# An ungrouped convolution in a graph: oneDNN takes it over wherever it is on.
CONTROL = Cell("nn-conv2d", "graph", "fusion", "g1-k3/none/f32/nhwc")
TF32_SINCE = 8.0  # compute capability: Ampere
CORES_A_WORKER = 4  # runs go side by side too


def python():
    return platform.python_version()


def packages():
    """Every installed distribution and its version."""
    try:
        from importlib import metadata
    except ImportError:  # Python before 3.8
        import pkg_resources

        return {found.project_name.lower(): found.version for found in pkg_resources.working_set}
    return {found.metadata["Name"].lower(): found.version for found in metadata.distributions()}


def onednn(control):
    """Whether oneDNN's operations are on, by the operations that TensorFlow ran for the control; None if unknown.

    `IsMklEnabled` is not asked: before 2.9 it tells how the wheel was built, not what TF_ENABLE_ONEDNN_OPTS chose.
    """
    ops = control.get("fusion", {}).get("ops")
    return any(op.startswith("_Mkl") for op in ops) if ops else None


def device(onednn_isa):
    """The GPUs that TensorFlow finds and whether it may use TF32 on them, and the instructions that oneDNN uses, as far
    as there are. In a worker: see runtime.gpus.
    """
    from . import runtime

    gpus = list(runtime.gpus())
    found = {"gpus": gpus, "tf32": runtime.tf32()} if gpus else {}
    return dict(found, onednn_isa=onednn_isa) if onednn_isa else found


def rounds_to_tf32(gpus, allowed):
    """Whether a convolution's float32 inputs lose bits. `allowed`: what TensorFlow says; None before 2.4, where it says
    nothing and its CUDA does not know TF32.
    """
    told = [text.partition("compute capability: ")[2] for text in gpus]
    capable = any(float(capability) >= TF32_SINCE for capability in told if capability)
    return bool(allowed) and capable and os.environ.get("NVIDIA_TF32_OVERRIDE") != "0"


def told(control):
    """What the worker of the control said of its device."""
    return {key: control[key] for key in ("gpus", "tf32", "onednn_isa") if key in control}


def workers():
    """How many workers go side by side. On a GPU most of the time goes into compiling and choosing kernels."""
    from . import runtime

    return max(1, len(os.sched_getaffinity(0)) // CORES_A_WORKER) if runtime.is_for_gpu() else 1


def build_info(tf):
    """TensorFlow's own description of its build; None where it gives none (before 2.3)."""
    try:
        told = tf.sysconfig.get_build_info()
    except AttributeError:
        return None
    return {key: _plain(value) for key, value in sorted(dict(told).items())}


def _plain(value):
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return str(value)
