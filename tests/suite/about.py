"""What this environment is, as TensorFlow and the interpreter themselves say it."""

import importlib
import platform

ONEDNN_SWITCHES = (
    # Where TensorFlow keeps the answer, newest first.
    "tensorflow.python.util._pywrap_util_port",
    "tensorflow.python._pywrap_util_port",
)


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


def onednn():
    """Whether TensorFlow says that oneDNN's operations are on; None where it has no word for it."""
    for name in ONEDNN_SWITCHES:
        try:
            return bool(importlib.import_module(name).IsMklEnabled())
        except (ImportError, AttributeError):
            continue
    return None


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
