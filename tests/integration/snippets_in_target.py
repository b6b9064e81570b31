"""Runs inside a target: executes programs as they are printed, and says how far `y` is from the float64 reference.

Standard input has a JSON list of [id, program, form, rank, case]. TensorFlow is imported once. Children forked from it
take some programs each; what a child does not come to, because a program ended it, is run in a child of its own.
"""

import json
import multiprocessing
import os
import re
import sys

import numpy as np
import tensorflow as tf
from suite import blocks, reference
from suite.catalog import Case

# So many programs a child: a first operation and a first compilation take longer than a fork.
SHARE = 8


def values(tensors):
    if all(hasattr(one, "numpy") or isinstance(one, np.ndarray) for one in tensors):
        return [np.asarray(one.numpy() if hasattr(one, "numpy") else one) for one in tensors]
    with tf.compat.v1.Session() as session:
        return session.run(tensors)


def error(program, form, rank, case):
    """Return the relative error, as a multiple of what is tolerated."""
    held = {}
    exec(compile(program, "program", "exec"), held)
    if case.block:
        return block_error(held["model"], form, rank, case)
    names = [name for name in ("w", "pointwise") if name in held]
    given = held["w"] if isinstance(held.get("w"), list) else [held[name] for name in names]
    x, y, *filters = values([held["x"], held["y"], *given])
    if not names:
        filters = [weight for weight in held["layer"].get_weights() if weight.ndim > 1]
        if form == "grouped":  # a layer a group has a filter a group
            filters = [np.concatenate(filters, axis=-1)]
        assert all((weight == 0).all() for weight in held["layer"].get_weights() if weight.ndim == 1)
    nchw = case.layout == "nchw"
    x, y = [np.moveaxis(np.float64(one), 1, -1) if nchw else np.float64(one) for one in (x, y)]
    operation = reference.linear(form, rank, case)
    sizes = [int(np.prod(size)) for size in operation.filter_shapes]
    assert [weight.size for weight in filters] == sizes, "the layer made a filter of another shape"
    filters = [np.float64(one).reshape(size) for one, size in zip(filters, operation.filter_shapes)]  # noqa: B905 - Python 3.8
    want = operation.forward(x, filters)
    assert want.shape == y.shape, (want.shape, y.shape)
    if "mend" in held and not nchw:
        replaced(held, case)
    return reference.relative_error(y, want) / reference.tolerance(case.dtype, operation.reductions[0])


# The classes of which an approach is made in a block, if not Keras' own.
OWN = ("GroupedConv2D", "Conv2DPerGroup", "MixedConvolution", "PositionalConvolution")


def block_error(model, form, rank, case):
    """The same of a model of a block, with weights that nobody would forget to set."""
    random = np.random.RandomState(0)
    waiting = {}
    for layer in sorted(model.layers, key=lambda one: int((re.findall(r"_(\d+)$", one.name) or [0])[0])):
        waiting.setdefault(type(layer).__name__, []).append(layer)
    steps, weights, filters, bias = blocks.rows(case), {}, {}, None
    linears = blocks.operations(steps.layers, form, rank)
    keras = "DepthwiseConv2D" if case.groups == case.cin and "DepthwiseConv2D" in waiting else "Conv2D"
    kinds = {
        "layer": next((name for name in OWN if name in waiting), keras), "depthwise": "DepthwiseConv2D",
        "pointwise": "Conv2D", "dense": "Dense", "bn": "BatchNormalization", "layer_norm": "LayerNormalization",
        "gain": "Scale",
    }  # fmt: skip
    for step in [step for row in steps for step in row]:
        if step.kind in kinds:
            layer = waiting[kinds[step.kind]].pop(0)
            low = 0.5 if step.kind in {"bn", "layer_norm", "gain"} else -0.5
            drawn = [random.uniform(low, low + 1, one.shape).astype(np.float32) for one in layer.get_weights()]
            if step.case and step.case.weight_norm:
                drawn[1] = np.float32(reference.gain(step.case))
            layer.set_weights(drawn)
            held = [one.astype(np.float64) for one in drawn]  # np.float64 makes a number of an array of one
            bias = np.concatenate([one for one in held if one.ndim == 1] or [np.zeros(0)])
        if step.case:
            found = held[:1] if step.case.weight_norm else [one for one in held if one.ndim > 1]
            shapes = linears[step.name].filter_shapes
            if len(found) > len(shapes):  # a layer a group has a filter a group
                found = [np.concatenate(found, axis=-1)]
            filters[step.name] = [one.reshape(size) for one, size in zip(found, shapes)]  # noqa: B905 - Python 3.8
        elif step.kind == "bias":
            weights[step.name + "_bias"] = bias
        else:
            for (name, size), one in zip(step.weights().items(), held):  # noqa: B905 - Python 3.8
                weights[step.name + "_" + name] = one.reshape(size)
    assert not any(waiting[name] for name in kinds.values() if name in waiting), "the block has other layers"
    x = np.float32(random.uniform(-1, 1, (case.n, *model.input_shape[1:])))
    want = blocks.compute(steps, np.float64(x), weights, filters, linears).y
    y = np.float64(model.predict(x))
    assert want.shape == y.shape, (want.shape, y.shape)
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)  # it trains
    products = sum(sum(one.reductions) for one in linears.values())
    products += sum(step.channels + step.size for row in steps for step in row if step.kind in blocks.MIXING)
    return reference.relative_error(y, want) / reference.tolerance(case.dtype, products)


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
    y = np.float64(mended(np.float32(x)).numpy())
    kernel, bias = [np.float64(one) for one in model.get_weights()]
    want = np.maximum(reference.linear("grouped", 2, case._replace(n=2)).forward(x, [kernel]) + bias, 0)
    assert reference.relative_error(y, want) < 1e-5


def tell(programs, told):
    """Write how each program ended to the descriptor, a line each."""
    os.dup2(2, 1)  # what a program prints is not the answer
    for name, program, form, rank, fields in programs:
        case = Case(**{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()})
        try:
            found = error(program, form, rank, case)
        except BaseException as fault:  # noqa: BLE001 - whatever a program does is its outcome
            found = (type(fault).__name__ + ": " + str(fault))[-6000:]
        os.write(told, (json.dumps([name, found]) + "\n").encode())


def start(programs):
    """Fork a child that tells of the programs; return where it tells, and its process id."""
    told, tell_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        tell(programs, tell_end)
        os._exit(0)
    os.close(tell_end)
    return told, child


def finish(told, child):
    with os.fdopen(told) as lines:
        found = dict(json.loads(line) for line in lines)
    os.waitpid(child, 0)
    return found


def main():
    programs = json.load(sys.stdin)
    waiting = [programs[at : at + SHARE] for at in range(0, len(programs), SHARE)]
    running = []
    while waiting or running:
        while waiting and len(running) < multiprocessing.cpu_count():
            running.append((waiting[0], start(waiting.pop(0))))
        share, child = running.pop(0)
        found = finish(*child)
        missing = [one for one in share if one[0] not in found]
        if len(share) == 1 and missing:
            found, missing = {share[0][0]: "it crashed"}, []
        waiting += [[one] for one in missing]
        for name, outcome in found.items():
            sys.stdout.write(json.dumps([name, outcome]) + "\n")


main()
