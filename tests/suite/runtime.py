"""The TensorFlow of this process: its generation, its one thread a pool, and which of its names exist."""

import gc
import json
import os
import re
from functools import lru_cache
from typing import Any, Tuple

import tensorflow as tf

from . import about
from .catalog import Cell

RELEASE = tuple(int(number) for number in tf.__version__.split(".")[:2])
V1 = RELEASE < (2, 0)
# What a profile asks of TensorFlow 2's optimizer, as JSON: TensorFlow has no variable for it. `jit` is set_jit(True):
# XLA compiles what it can of any graph. The rest are experimental options.
OPTIMIZER = json.loads(os.environ.get("SUITE_OPTIMIZER", "{}"))
AUTO_CLUSTER = bool(OPTIMIZER.pop("jit", False))
# the 1.x API, under which sessions and a few operations live on
tf1 = tf if V1 else tf.compat.v1


class Absent(Exception):
    """What the cell asks for is not in this release."""


def api(name: str) -> Any:
    """`api("nn.leaky_relu")` is `tf.nn.leaky_relu`; raise Absent where this release has no such name."""
    found = tf
    for part in name.split("."):
        # 1.x fills some modules on first use and raises ImportError for what it cannot fill
        found = getattr(found, part, None)
        if found is None:
            raise Absent("no tf.{}".format(name))
    return found


def first_api(*names: str) -> Any:
    """The first of several names of one thing; raise Absent naming the first, which is today's."""
    for name in names[1:][::-1] + names[:1]:
        try:
            return api(name)
        except Absent as absent:
            missing = absent
    raise missing


def call(name: str, *arguments: Any, **options: Any) -> Any:
    """`call("nn.conv2d", x, dilations=2)`; raise Absent where this release's function has no such option."""
    try:
        return api(name)(*arguments, **options)
    except TypeError as error:
        unknown = re.search("unexpected keyword argument '(.*)'", str(error))
        if unknown is None or error.__traceback__.tb_next is not None:  # raised inside of TensorFlow
            raise
        raise Absent("no argument {} of tf.{}".format(unknown.group(1), name))


def start(eager: bool) -> None:
    """Call once in a fresh process, before the first operation; `eager` is what `lane` says of the process's cells."""
    if hasattr(gc, "freeze"):
        gc.freeze()  # TensorFlow's modules are a million objects that no collection need visit again
    if hasattr(tf, "debugging") and hasattr(tf.debugging, "disable_traceback_filtering"):
        # whole tracebacks tell TensorFlow's errors from the suite's own: see observe.py
        tf.debugging.disable_traceback_filtering()
    if not V1:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        if OPTIMIZER:
            tf.config.optimizer.set_experimental_options(OPTIMIZER)
        if AUTO_CLUSTER:
            tf.config.optimizer.set_jit(True)
    elif eager and hasattr(tf, "enable_eager_execution"):
        tf.enable_eager_execution(config=session_config())


def variable(values: Any) -> Any:
    """A variable as this release has it where it is asked for: eager execution on 1.x has another kind."""
    if V1 and getattr(tf, "executing_eagerly", lambda: False)():
        return first_api("contrib.eager.Variable")(values)
    return tf.Variable(values)


def session_config() -> Any:
    return tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)


def lane(cell: Cell) -> bool:
    """Cells of different lanes cannot share a process: on 1.x eager execution is switched on for a whole process."""
    return V1 and cell.mode == "eager"


@lru_cache(maxsize=None)
def gpus() -> Tuple[str, ...]:
    """The GPUs that TensorFlow itself finds. Only in a worker: a device that was opened cannot be forked."""
    if not is_for_gpu():
        return ()
    if V1:
        from tensorflow.python.client import device_lib

        told = [found.physical_device_desc for found in device_lib.list_local_devices() if found.device_type == "GPU"]
        return tuple(re.sub("device: [0-9]+, name: |pci bus id: [^,]*, ", "", text) for text in told)
    found = first_api("config.list_physical_devices", "config.experimental.list_physical_devices")("GPU")
    return tuple(_details(gpu) for gpu in found)


def _details(gpu: Any) -> str:
    try:
        details = api("config.experimental.get_device_details")(gpu)
    except Absent:
        return str(gpu.name)
    capability = ".".join(str(number) for number in details.get("compute_capability", ()))
    return str(details.get("device_name", gpu.name)) + (", compute capability: " + capability if capability else "")


def device() -> str:
    """What the programs of this process are to run on."""
    return "GPU" if gpus() else "CPU"


def tf32() -> Any:
    """Whether float32 may be rounded to 19 bits in convolutions on a GPU; None where this release cannot say."""
    try:
        return api("config.experimental.tensor_float_32_execution_enabled")()
    except Absent:
        return None


@lru_cache(maxsize=None)
def rounds_to_tf32() -> bool:
    """Whether float32 inputs of a convolution lose bits on the GPU of this process. Only in a worker: see gpus()."""
    return tf.test.is_built_with_cuda() and about.rounds_to_tf32(gpus(), tf32())


def printing() -> Tuple[int, ...]:
    """The descriptors that this build's libraries print on: MIOpen takes standard error."""
    return (1, 2) if _is_for_rocm() else (1,)


def is_for_gpu() -> bool:
    """Whether this build has kernels for a GPU; there need be none."""
    return bool(tf.test.is_built_with_cuda()) or _is_for_rocm()


def _is_for_rocm() -> bool:
    return bool(getattr(tf.test, "is_built_with_rocm", lambda: False)())
