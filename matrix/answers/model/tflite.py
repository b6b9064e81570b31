"""Reads a TensorFlow Lite model: schema.fbs of TensorFlow names the fields, whose numbers never change."""

from typing import Dict, List, Tuple

from .flatbuffer import Table, unpack
from .layers import MOST_NODES, Layer, Reading, clean, is_wanted

# TensorType
DTYPES = {0: "f32", 1: "f16", 2: "int32", 3: "uint8", 4: "int64", 7: "int16", 9: "int8", 10: "f64", 18: "bf16"}
# BuiltinOperator
CONV, DEPTHWISE, TRANSPOSE, CONV_3D, CUSTOM, ADD = 3, 4, 67, 132, 32, 0
ACTIVATIONS = {1: "relu", 3: "relu6"}  # ActivationFunctionType, inside of an operator
OPERATORS = {19: "relu", 21: "relu6", 111: "elu", 98: "leaky_relu", ADD: "add"}  # on their own
PADDING = {0: "same", 1: "valid"}
# By operator: strides (w, h), dilation (w, h) and activation, as fields of its options.
OPTIONS = {CONV: ((1, 2), (4, 5), 3), DEPTHWISE: ((1, 2), (5, 6), 4), TRANSPOSE: ((1, 2), (), 3)}


def read(data: memoryview) -> Reading:
    model = Table(data, unpack(data, "<I", 0))
    codes = [max(entry.number(0, "<b"), entry.number(3)) for entry in model.tables(1, 4096)]
    layers: List[Layer] = []
    others, unread = 0, []
    for graph in model.tables(2, 1000):
        tensors, operators = graph.tables(0, MOST_NODES), graph.tables(3, MOST_NODES)
        users: Dict[int, List[int]] = {}
        for place, operator in enumerate(operators):
            for tensor in operator.numbers(1, 4096):
                users.setdefault(tensor, []).append(place)
        numbers = [operator.number(0, "<I") for operator in operators]
        kinds = [codes[one] if one < len(codes) else -1 for one in numbers]
        for place, (operator, kind) in enumerate(zip(operators, kinds)):
            if kind == CONV_3D:
                unread.append("CONV_3D: its groups are not read")
            if kind not in OPTIONS:
                continue
            found = _layer(operator, kind, tensors, _follow(place, operators, kinds, users))
            if found is None:
                unread.append("an operator without the inputs of a convolution, number {}".format(place))
            elif is_wanted(found.operation, found.groups):
                layers.append(found)
            else:
                others += 1
    if CUSTOM in codes:
        unread.append("custom operators, which only the program that registers them knows")
    return Reading("tflite", layers, others, list(dict.fromkeys(unread)))


def _layer(operator: Table, kind: int, tensors: List[Table], after: Tuple[str, ...]) -> "Layer | None":
    inputs, outputs = operator.numbers(1), operator.numbers(2)
    # A transposed convolution has the output's shape first, and its bias last.
    taken = inputs[2:0:-1] if kind == TRANSPOSE else inputs
    places = list(taken[:2]) + outputs[:1]
    if len(places) < 3 or not all(0 <= one < len(tensors) for one in places):
        return None
    shapes = [tensors[one].numbers(0) for one in places]
    options = operator.table(4)
    if any(len(shape) != 4 or min(shape) < 1 for shape in shapes) or options is None:
        return None
    (_, height, width, cin), weights, (_, _, _, cout) = shapes
    strides, dilation, activation = OPTIONS[kind]
    has_bias = len(inputs) > (3 if kind == TRANSPOSE else 2) and inputs[-1] >= 0
    inside = ACTIVATIONS.get(options.number(activation, "<b"))
    groups = {DEPTHWISE: cin, TRANSPOSE: 1}.get(kind, max(1, cin // weights[3]))
    return Layer(
        name=clean(tensors[outputs[0]].text(3).split(";")[0]),
        operation={CONV: "conv", DEPTHWISE: "depthwise", TRANSPOSE: "transpose"}[kind],
        rank=2,
        kernel=(weights[1], weights[2]),
        strides=tuple(options.number(field, default=1) for field in reversed(strides)),
        dilation=tuple(options.number(field, default=1) for field in reversed(dilation)) or (1, 1),
        padding=PADDING.get(options.number(0, "<b"), "explicit"),
        cin=cin,
        cout=cout,
        groups=groups,
        size=(height, width),
        dtype=DTYPES.get(tensors[places[0]].number(1, "<b"), "unknown"),
        layout="nhwc",
        after=("bias",) * has_bias + ((inside,) if inside else ()) + after,
        written="tflite",
    )


def _follow(place: int, operators: List[Table], kinds: List[int], users: Dict[int, List[int]]) -> Tuple[str, ...]:
    """Return what is done with the output, as long as one operator alone takes it."""
    steps: List[str] = []
    while len(steps) < 4:
        outputs = operators[place].numbers(2)
        after = users.get(outputs[0], []) if outputs else []
        if len(after) != 1 or kinds[after[0]] not in OPERATORS:
            break
        place = after[0]
        steps.append(OPERATORS[kinds[place]])
    return tuple(steps)
