"""What this environment is, as TensorFlow and the interpreter themselves say it."""

import platform

from .catalog import Cell

# An ungrouped convolution in a graph: oneDNN takes it over wherever it is on.
CONTROL = Cell("nn-conv2d", "graph", "fusion", "g1-k3/none/f32/nhwc")


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


def device():
    """The GPUs that TensorFlow finds, and whether it may use TF32 on them. In a worker: see runtime.gpus."""
    from . import runtime

    gpus = list(runtime.gpus())
    return {"gpus": gpus, "tf32": runtime.tf32()} if gpus else {}


def told(control):
    """What the worker of the control said of its device."""
    return {key: control[key] for key in ("gpus", "tf32") if key in control}


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
