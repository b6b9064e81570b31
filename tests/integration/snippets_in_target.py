"""Runs inside a target: executes programs as they are printed, each in a process of its own, and says how far `y` is
from the float64 reference. Standard input has a JSON list of [id, program, form, rank, case].
"""

import json
import os
import sys

import numpy as np
import tensorflow as tf
from suite import reference
from suite.catalog import Case


def values(tensors):
    if all(hasattr(one, "numpy") or isinstance(one, np.ndarray) for one in tensors):
        return [np.asarray(one.numpy() if hasattr(one, "numpy") else one) for one in tensors]
    with tf.compat.v1.Session() as session:
        return session.run(tensors)


def error(program, form, rank, case):
    """Return the relative error, as a multiple of what is tolerated."""
    held = {}
    exec(compile(program, "program", "exec"), held)
    names = [name for name in ("w", "pointwise") if name in held]
    x, y, *filters = values([held["x"], held["y"]] + [held[name] for name in names])
    if not names:
        filters = [weight for weight in held["layer"].get_weights() if weight.ndim > 1]
        if form == "grouped":  # a layer a group has a filter a group
            filters = [np.concatenate(filters, axis=-1)]
        assert all((weight == 0).all() for weight in held["layer"].get_weights() if weight.ndim == 1)
    nchw = case.layout == "nchw"
    x, y = [np.moveaxis(np.float64(one), 1, -1) if nchw else np.float64(one) for one in (x, y)]
    operation = reference.linear(form, rank, case)
    filters = [np.float64(one).reshape(size) for one, size in zip(filters, operation.filter_shapes)]  # noqa: B905 - Python 3.8
    want = operation.forward(x, filters)
    assert want.shape == y.shape, (want.shape, y.shape)
    if "mend" in held and not nchw:
        replaced(held, case)
    return reference.relative_error(y, want) / reference.tolerance(case.dtype, operation.reductions[0])


def replaced(held, case):
    """A model whose layer is replaced has the weights of the old one, and works."""
    old = tf.keras.layers.Conv2D(
        case.cout, case.kernel, groups=case.groups, strides=case.strides, padding=case.padding.lower(),
        dilation_rate=case.dilation, activation="relu", bias_initializer="ones",
    )  # fmt: skip
    model = tf.keras.Sequential([tf.keras.layers.Input((case.h, case.w, case.cin)), old])
    mended = held["mend"](model)
    assert type(mended.layers[-1]) is held["GroupedConv2D"]
    for before, after in zip(model.get_weights(), mended.get_weights()):  # noqa: B905 - Python 3.8
        assert (before == after).all()
    x = np.random.RandomState(0).uniform(-1, 1, (2, case.h, case.w, case.cin))
    y = np.float64(mended.predict(np.float32(x)))
    kernel, bias = [np.float64(one) for one in model.get_weights()]
    want = np.maximum(reference.linear("grouped", 2, case._replace(n=2)).forward(x, [kernel]) + bias, 0)
    assert reference.relative_error(y, want) < 1e-5


def main():
    for name, program, form, rank, fields in json.load(sys.stdin):
        case = Case(**{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()})
        told_end, tell_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)  # what a program prints is not the answer
            try:
                told = error(program, form, rank, case)
            except BaseException as fault:  # noqa: BLE001 - whatever a program does is its outcome
                told = (type(fault).__name__ + ": " + str(fault))[-6000:]
            os.write(tell_end, json.dumps(told).encode())
            os._exit(0)
        os.close(tell_end)
        with os.fdopen(told_end) as told:
            text = told.read()
        os.waitpid(child, 0)
        sys.stdout.write(json.dumps([name, json.loads(text) if text else "it crashed"]) + "\n")


main()
