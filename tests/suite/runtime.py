"""The TensorFlow of this process: its generation, its one thread a pool, and which of its names exist."""

import gc
import json
import os
import re
from typing import Any

import tensorflow as tf

from .catalog import Cell
from .evidence import onednn_verbose

RELEASE = tuple(int(number) for number in tf.__version__.split(".")[:2])
V1 = RELEASE < (2, 0)
# Options of TensorFlow 2's optimizer that a profile asks for, as JSON: TensorFlow has no variable for them.
OPTIMIZER = json.loads(os.environ.get("SUITE_OPTIMIZER", "{}"))
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
    onednn_verbose.ask()
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
    elif eager and hasattr(tf, "enable_eager_execution"):
        tf.enable_eager_execution(config=session_config())


def session_config() -> Any:
    return tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)


def lane(cell: Cell) -> bool:
    """Cells of different lanes cannot share a process: on 1.x eager execution is switched on for a whole process."""
    return V1 and cell.mode == "eager"
