"""`probe.pyz check MODEL`: each convolution of a model as the published records predict it, and as it comes out here.

The model is read and not loaded: nothing that its file says is executed. Each layer is built anew from its description,
with its own channels, kernel, groups and dtype and what follows it, on a small image with weights of the suite's own.
"""

import argparse
import json
import os
import sys

from model import layers, prediction, reader

# The checks, and what a person calls them.
CHECKS = [("forward", "forward"), ("gradient", "gradient")]
# An image of this size shows what one of the model's size would: kernels are chosen by other things.
SIZE = 8
CELL = ("approach", "mode", "check", "case")
WORDS = {"yes": "works", "no": "fails", "open": "open"}
OPEN = ("skipped", "not observed")


def main(arguments, published, probe):
    """`probe`: the program itself, which observes cells. Return the exit status."""
    parser = argparse.ArgumentParser(prog="probe.pyz check", description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a .keras, .h5, .pb or .tflite file, or the folder of a SavedModel")
    parser.add_argument("--seconds", type=float, default=120, help="end after this long (%(default)g)")
    parser.add_argument("--json", action="store_true", help="tell it as JSON, for programs")
    options = parser.parse_args(arguments)
    try:
        reading = reader.read(options.model)
    except layers.Unreadable as fault:
        print("{}: {}".format(layers.clean(options.model), fault), file=sys.stderr)
        return 2
    from suite import catalog

    kinds = _kinds(reading.layers, catalog)
    cells = [cell for kind in kinds for cell in kind["cells"]]
    if not cells:
        return _tell_nothing(reading, kinds, options)
    os.environ["PROBE_LAYERS"] = json.dumps({kind["id"]: kind["fields"] for kind in kinds if kind["fields"]})
    about, observations = probe.observe(cells, options.seconds)
    if "tensorflow" not in about:
        print(about.get("not_imported", "TensorFlow was not imported: python -c 'import tensorflow'"), file=sys.stderr)
        return 1
    release, profile = probe.row_of(published, about)
    said = published["model_rows"].get(release, {}).get(profile, "")
    row = dict(zip((tuple(cell.split("/", 3)) for cell in published["model_cells"]), said))
    outcomes = {cell: published["letters"][letter] for cell, letter in row.items()}
    run = prediction.Run(outcomes, prediction.Vocabulary(catalog.EPILOGUES, catalog.parse_case))
    seen = {"/".join(one[name] for name in CELL): one for one in observations}
    answers = [_answer(kind, run, seen) for kind in kinds]
    found = {
        "model": layers.clean(options.model),
        "form": reading.form,
        "release": about["tensorflow"],
        "onednn": about.get("onednn"),
        "predicted_by": "{} {}".format(release, profile),
        "layers": answers,
        "ordinary": reading.others,
        "not_read": reading.unread,
    }
    if options.json:
        print(json.dumps(found, indent=2, sort_keys=True))
    else:
        _tell(found)
    return 0


def _tell_nothing(reading, kinds, options):
    """A model of which no layer can be executed alone: TensorFlow is not even imported."""
    names = [name for kind in kinds for name in kind["names"]]
    found = {
        "model": layers.clean(options.model),
        "layers": names,
        "ordinary": reading.others,
        "not_read": reading.unread,
    }
    if options.json:
        print(json.dumps(found, indent=2, sort_keys=True))
        return 0
    text = "No grouped, depthwise, separable or transposed convolution that could be executed alone; {} ordinary ones."
    print(text.format(reading.others))
    for kind in kinds:
        print("{} was not executed: {}".format(kind["names"][0], kind["why"]))
    for what in reading.unread:
        print("Not read: {}".format(what))
    return 0


def _kinds(found, catalog):
    """Put layers together that differ in name and size alone, each with the cells that execute it."""
    alike = {}
    for layer in found:
        alike.setdefault(layer._replace(name="", size=()), []).append(layer)
    kinds = []
    for number, same in enumerate(alike.values()):
        layer = same[0]
        if layer.dtype not in catalog.DTYPES and layer.dtype in layers.COMPUTED:
            layer = layer._replace(dtype=layers.COMPUTED[layer.dtype])
        fields, why = _fields(layer, catalog)
        names = [one for one in prediction.approaches(layer) if one in catalog.APPROACHES]
        mode = prediction.mode(layer)
        names = [one for one in names if mode in catalog.APPROACHES[one].modes]
        steps = prediction.epilogues(layer.after, "forward", prediction.Vocabulary(catalog.EPILOGUES, None))
        kind = {"layer": layer, "names": [one.name for one in same], "id": "layer-{}".format(number), "mode": mode}
        if fields and not names:
            fields, why = None, "the suite has no such approach in {}".format(mode)
        case = "/".join((kind["id"], steps[0], layer.dtype, layer.layout))
        checks = [check for check, _ in CHECKS if fields and (check == "forward" or mode in catalog.CORE_MODES)]
        cells = ["/".join((names[0], mode, check, case)) for check in checks]
        kinds.append(dict(kind, fields=fields, why=why, cells=cells))
    return kinds


def _fields(layer, catalog):
    """Return the fields of a case that is the layer; or None, and why there is none."""
    if layer.groups is None or not layer.cin or not layer.cout:
        return None, "the file does not tell its channels"
    if layer.operation == "transpose" and layer.groups == 1:
        return None, "it has no groups"
    if layer.dtype not in catalog.DTYPES:
        return None, "the suite computes in {}, not in {}".format(", ".join(catalog.DTYPES), layer.dtype)
    uneven = layer.cout % layer.groups and layer.operation != "separable"
    if layer.padding not in {"same", "valid"} or len(set(layer.dilation)) > 1 or uneven:
        return None, "the suite has no such padding, dilation or number of outputs"
    two = {name: (values * 2)[:2] for name, values in (("kernel", layer.kernel), ("strides", layer.strides))}
    fields = {"groups": layer.groups, "cin": layer.cin, "cout": layer.cout, "n": 1, "kernel": two["kernel"]}
    if "strides" in catalog.Case._fields:
        fields["strides"] = two["strides"]
    elif len(set(layer.strides)) > 1:
        return None, "the suite has no unequal strides"
    else:
        fields["stride"] = layer.strides[0]
    sizes = list(layer.size) + [None, None]
    for name, size, kernel in zip(("h", "w"), (sizes * 2)[:2], two["kernel"]):
        reach = (kernel - 1) * layer.dilation[0] + 1 if layer.padding == "valid" else 1
        fields[name] = max(reach, min(size or SIZE, SIZE))
    return dict(fields, dilation=layer.dilation[0], padding=layer.padding.upper()), ""


def _answer(kind, run, seen):
    """What was predicted and what came out, check by check; `agrees` is None where either is open."""
    layer = kind["layer"]
    answer = {"names": kind["names"], "what": _what(layer), "why": kind["why"], "checks": {}}
    for check, _ in CHECKS:
        predicted = prediction.predict(layer, check, kind["mode"], run)
        cell = next((cell for cell in kind["cells"] if cell.split("/")[2] == check), None)
        one = seen.get(cell)
        here = "open" if one is None or one["outcome"] in OPEN else "yes" if one["outcome"] == "pass" else "no"
        agrees = None if "open" in (predicted.answer, here) else predicted.answer == here
        told = {"predicted": predicted.answer, "here": here, "agrees": agrees, "cells": predicted.cells}
        if one and here == "no":
            told["outcome"] = one["outcome"]
            told["error"] = one["error"]["message"] if "error" in one else one.get("reason", "")
        answer["checks"][check] = dict(told, open=predicted.why)
    return answer


def _what(layer):
    parts = [layer.operation, "x".join(map(str, layer.kernel))]
    parts += ["/{}".format(layer.strides[0])] * (max(layer.strides) > 1)
    parts += ["{}->{}".format(layer.cin, layer.cout), "g{}".format(layer.groups)]
    return " ".join(parts + ["+".join(layer.after)] * bool(layer.after))


def _tell(found):
    rows = [(one, one["checks"]["forward"], one["checks"]["gradient"]) for one in found["layers"]]
    counts = {}
    for check, name in CHECKS:
        told = [(len(one["names"]), one["checks"][check]) for one in found["layers"]]
        compared = [(count, each["agrees"]) for count, each in told if each["agrees"] is not None]
        counts[name] = (sum(count for count, agrees in compared if agrees), sum(count for count, _ in compared))
    total = sum(len(one["names"]) for one in found["layers"])
    failing = [one["names"][0] for one, forward, _ in rows if forward["here"] == "no"]
    state = {True: "on", False: "off", None: "not to be seen"}[found["onednn"]]
    where = "TensorFlow {}, oneDNN {}".format(found["release"], state)
    if failing:
        failed = sum(len(one["names"]) for one, forward, _ in rows if forward["here"] == "no")
        print("{} of {} layers fail here ({}), e.g. {}".format(failed, total, where, failing[0]))
    else:
        ran = sum(len(one["names"]) for one, forward, _ in rows if forward["here"] == "yes")
        print("{} of {} layers were executed here and work ({})".format(ran, total, where))
    for name, (same, compared) in counts.items():
        print("{}: {} of {} layers came out as predicted by {}".format(name, same, compared, found["predicted_by"]))
    print("\n{:>6}  {:44}{:>13}{:>15}".format("layers", "what", "forward", "gradient"))
    for one, forward, gradient in rows:
        told = ["{}/{}".format(WORDS[each["predicted"]], WORDS[each["here"]]) for each in (forward, gradient)]
        print("{:>6}  {:44}{:>13}{:>15}".format(len(one["names"]), one["what"][:43], *told))
    print("predicted/here; open: no record speaks of it, or it was not executed")
    for one, forward, gradient in rows:
        for each in (forward, gradient):
            if each["agrees"] is False:
                told = "{}: predicted {}, here {}: {}"
                words = WORDS[each["predicted"]], WORDS[each["here"]], each.get("error", "")[:200]
                print(told.format(one["names"][0], *words))
        if one["why"]:
            print("{} was not executed: {}".format(one["names"][0], one["why"]))
    for what in found["not_read"]:
        print("Not read: {}".format(what))
