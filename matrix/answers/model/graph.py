"""Reads TensorFlow graphs: a frozen GraphDef, or a SavedModel's graph with its functions.

A SavedModel's functions are followed from its signatures, so that each convolution is met as it is executed, and not
again in the functions that are there for training. Shapes are those that the file tells, or follow from the input's.
"""

import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from . import shapes
from .layers import ACTIVATIONS, MOST_DEPTH, MOST_NODES, Layer, Reading, Unreadable, clean, counted, is_wanted
from .protobuf import Message, message, number, numbers, parts, text
from .shapes import Shape

# DataType
DTYPES = {1: "f32", 2: "f64", 14: "bf16", 19: "f16", 3: "int32", 4: "uint8", 6: "int8", 11: "qint8", 12: "quint8"}
CONVOLUTIONS = {
    "Conv2D": "conv", "_FusedConv2D": "conv", "Conv3D": "conv", "Conv": "conv",
    "DepthwiseConv2dNative": "depthwise", "_FusedDepthwiseConv2dNative": "depthwise",
    "Conv2DBackpropInput": "transpose", "Conv3DBackpropInputV2": "transpose",
}  # fmt: skip
STEPS = dict({name.title().replace("_", ""): step for name, step in ACTIVATIONS.items()}, BiasAdd="bias")
PASSED = {"Identity", "StopGradient", "Squeeze", "Dropout"}
MOST_CONSTANT = 64
# What Keras and tf.nn name the nodes within a layer.
WITHIN = {*CONVOLUTIONS, "Conv1D", "depthwise", "conv2d_transpose", "conv3d_transpose", "PartitionedCall",
          "StatefulPartitionedCall", "convolution"}  # fmt: skip


class Node(NamedTuple):
    name: str
    op: str
    inputs: List[str]
    attrs: Dict[str, memoryview]

    def attr(self, name: str) -> Message:
        return message(self.attrs[name]) if name in self.attrs else {}


class Function(NamedTuple):
    """`arguments` in order; `returned`: the nodes that its outputs come from. The main graph has no arguments."""

    nodes: Dict[str, Node]
    arguments: List[str]
    returned: List[str]
    compiled: bool


class Call(NamedTuple):
    """A function as it is called: the shapes of its arguments, and the name of the node that calls it."""

    function: Function
    shapes: List[Shape]
    compiled: bool
    caller: str
    after: Tuple[str, ...]
    depth: int


def read_frozen(data: memoryview) -> Reading:
    graph = message(data)
    main = _main(graph)
    if not main.nodes:
        raise Unreadable("it holds no graph")
    return _Walk("GraphDef", _library(graph)).read(main)


def read_saved(data: memoryview) -> Reading:
    """Follow the first meta graph from its signatures; where it has none, read all of it."""
    graphs = parts(message(data), 2)
    if not graphs:
        raise Unreadable("it holds no graph")
    meta = message(graphs[0])
    definition = message(parts(meta, 2)[0]) if parts(meta, 2) else {}
    main, returned = _main(definition), []
    for entry in parts(meta, 5):
        for signature in parts(message(entry), 2):
            for output in parts(message(signature), 2):
                returned += [_source(text(message(info), 1)) for info in parts(message(output), 2)]
    wanted = [name for name in returned if name in main.nodes]
    return _Walk("SavedModel", _library(definition)).read(main._replace(returned=wanted))


class _Walk:
    """Follows calls, and gathers the convolutions. Each function is read once, where it is called first."""

    def __init__(self, form: str, library: Dict[str, Message]) -> None:
        self.form, self.library = form, library
        self.layers: List[Layer] = []
        self.others = 0
        self.unread: Dict[str, List[str]] = {}
        self.met: Set[str] = set()

    def read(self, main: Function) -> Reading:
        self.follow(Call(main, [], False, "", (), 0))
        return Reading(self.form, self.layers, self.others, counted(self.unread))

    def follow(self, call: Call) -> List[Shape]:
        """Return the shapes of the outputs."""
        if call.depth > MOST_DEPTH:
            raise Unreadable("its functions call each other more than {} deep".format(MOST_DEPTH))
        function = call.function
        order = _order(function)
        users: Dict[str, List[Node]] = {}
        for node in order:
            for before in {_source(one) for one in node.inputs if not one.startswith("^")}:
                users.setdefault(before, []).append(node)
        known: Dict[str, List[Shape]] = {name: [shape] for name, shape in zip(function.arguments, call.shapes)}
        for node in order:
            given = [_shape(known, one) for one in node.inputs if not one.startswith("^")]
            after = _after(node, users, known)
            known[node.name] = self.called(node, given, after, call) or _told(node) or shapes.infer(
                node.op, given, _constants(node, function), node.attr
            )  # fmt: skip
            if node.op in CONVOLUTIONS:
                self.take(node, given, known[node.name][0], after, call)
        return [_shape(known, one) for one in function.returned]

    def called(self, node: Node, given: List[Shape], after: Tuple[str, ...], call: Call) -> List[Shape]:
        """Read the functions that a node calls; return the shapes of its outputs if it does nothing else."""
        found: List[Shape] = []
        names = [node.op] if node.op in self.library else []
        for attr in node.attrs:
            names.extend(text(message(function), 1) for function in parts(node.attr(attr), 10))
        for name in names:
            if name in self.library and name not in self.met:
                self.met.add(name)
                function = _function(self.library[name])
                passed = given if node.op.endswith("PartitionedCall") or name == node.op else []
                compiled = call.compiled or function.compiled or bool(number(node.attr("_XlaMustCompile"), 5))
                found = self.follow(Call(function, passed, compiled, node.name, after, call.depth + 1))
            elif name not in self.library:
                self.unread.setdefault("the function is not in the file", []).append(name)
        return found if any(found) and len(names) == 1 else []

    def take(self, node: Node, given: List[Shape], out: Shape, after: Tuple[str, ...], call: Call) -> None:
        layer = _layer(node, given, out, after, call)
        if layer is None:
            self.unread.setdefault("{}: the shape of its filter is not told".format(node.op), []).append(node.name)
        elif is_wanted(layer.operation, layer.groups):
            self.layers.append(layer)
        else:
            self.others += 1


def _layer(node: Node, given: List[Shape], out: Shape, after: Tuple[str, ...], call: Call) -> Optional[Layer]:
    operation = CONVOLUTIONS[node.op]
    rank = 3 if "3D" in node.op else 2
    place = 2 if operation == "transpose" else 0
    image = given[place] if len(given) > place else None
    weights = given[1] if len(given) > 1 else None
    if weights is None or len(weights) != rank + 2 or None in weights:
        return None
    first = text(node.attr("data_format"), 2).startswith("NC")
    kernel = tuple(size for size in weights[:rank] if size)
    pixels: Tuple[Optional[int], ...] = (None,) * rank
    cin: Optional[int] = None
    cout: Optional[int] = None
    groups: Optional[int] = None
    if image is not None and len(image) == rank + 2:
        cin, pixels = (image[1], tuple(image[2:])) if first else (image[-1], tuple(image[1:-1]))
    if out is not None and len(out) == rank + 2:
        cout = out[1] if first else out[-1]
    last_in, last_out = weights[rank] or 1, weights[rank + 1] or 1
    if operation == "depthwise":
        cin, groups, cout = last_in, last_in, last_in * last_out
    elif operation == "transpose":
        cin, groups = last_out, cout // last_in if cout else None
    else:
        groups, cout = cin // last_in if cin else None, last_out
    fused = [STEPS.get(bytes(one).decode("utf-8", "replace"), "unknown") for one in _strings(node, "fused_ops")]
    name = _shortened(node.name)
    if call.compiled and call.caller and "/" not in node.name:
        name, after = _shortened(call.caller), call.after
    before = call.function.nodes.get(_source(node.inputs[0])) if node.inputs else None
    if before is not None and before.op == "ExpandDims" and kernel[0] == 1 and pixels[0] == 1:
        rank, kernel, pixels = 1, kernel[1:], pixels[1:]  # a sequence that was made an image of height 1
    dtype = number(node.attr("T"), 6)
    return Layer(
        name=clean(name), operation=operation, rank=rank, kernel=kernel, strides=_moved(node, "strides", rank, first),
        dilation=_moved(node, "dilations", rank, first), padding=text(node.attr("padding"), 2).lower() or "unknown",
        cin=cin, cout=cout, groups=groups, size=pixels, dtype=DTYPES.get(dtype, "type {}".format(dtype)),
        layout="nchw" if first else "nhwc", after=tuple(fused) + after, written="graph", compiled=call.compiled,
    )  # fmt: skip


def _moved(node: Node, attr: str, rank: int, first: bool) -> Tuple[int, ...]:
    """Return strides or dilations of the last dimensions of an image."""
    lists = parts(node.attr(attr), 1)
    values = numbers(message(lists[0]), 3) if lists else []
    spatial = values[2:] if first else values[1:-1]
    return tuple(spatial[-rank:]) if len(spatial) >= rank else (1,) * rank


def _shortened(name: str) -> str:
    """Return the name of the layer that the node stands in."""
    while "/" in name and name.rsplit("/", 1)[1] in WITHIN:
        name = name.rsplit("/", 1)[0]
    return name


def _after(node: Node, users: Dict[str, List[Node]], known: Dict[str, List[Shape]]) -> Tuple[str, ...]:
    """Return what is done with the node's output, as long as one node alone takes it."""
    steps: List[str] = []
    for _ in range(8):
        taken = users.get(node.name, [])
        if len(taken) != 1:
            break
        (after,) = taken
        if after.op in STEPS:
            steps.append(STEPS[after.op])
        elif after.op.startswith("FusedBatchNorm"):
            steps.append("bn_training" if number(after.attr("is_training"), 5) else "bn")
        elif after.op in {"Add", "AddV2"} and all(_is_image(known, one) for one in after.inputs[:2]):
            steps.append("add")
        elif after.op not in PASSED:
            break
        node = after
    return tuple(steps)


def _is_image(known: Dict[str, List[Shape]], given: str) -> bool:
    """Say whether it may be a feature map: a residual is one, a bias is not. The node before has no shape yet."""
    shape = _shape(known, given)
    return shape is None or len(shape) > 2


def _order(function: Function) -> List[Node]:
    """Return the nodes that the outputs need, each behind its inputs; all nodes where no output is named."""
    done: Dict[str, Node] = {}
    opened: Set[str] = set()
    names = [_source(name) for name in function.returned] or list(function.nodes)
    for name in names:
        waiting = [(name, False)]
        while waiting:
            one, ready = waiting.pop()
            node = function.nodes.get(one)
            if node is None or one in done:
                continue
            if ready:
                done[one] = node
            elif one not in opened:  # a loop of a graph of TensorFlow 1 comes back to where it began
                opened.add(one)
                waiting.append((one, True))
                waiting.extend((_source(given), False) for given in reversed(node.inputs))
    return list(done.values())


def _source(name: str) -> str:
    """Return the node of `^node`, `node:0` or `node:output:0`."""
    return name.lstrip("^").split(":", 1)[0]


def _shape(known: Dict[str, List[Shape]], name: str) -> Shape:
    found = known.get(_source(name), [])
    last = name.rsplit(":", 1)[-1]
    place = int(last) if ":" in name and last.isdigit() and len(last) < 6 else 0
    return found[place] if place < len(found) else None


def _told(node: Node) -> List[Shape]:
    """Return the shapes of the outputs as the file tells them; a variable stands for what it holds."""
    if node.op in {"VarHandleOp", "VariableV2", "Placeholder"}:
        return [_dimensions(one) for one in parts(node.attr("shape"), 7)]
    if node.op == "Const":
        tensors = parts(node.attr("value"), 8)
        return [_dimensions(one) for one in parts(message(tensors[0]), 2)] if tensors else []
    if node.op == "ReadVariableOp":
        return []
    told = []
    for listed in parts(node.attr("_output_shapes"), 1):
        told += [_dimensions(one) for one in parts(message(listed), 7)]
    return told if any(told) else []


def _dimensions(shape: memoryview) -> Shape:
    found = message(shape)
    if number(found, 3):
        return None
    sizes = [number(message(one), 1) for one in parts(found, 2)[:8]]
    return [size if 0 < size < 1 << 31 else None for size in sizes]


def _constants(node: Node, function: Function) -> List[Optional[List[int]]]:
    """Return the values of inputs that are small constants of whole numbers."""
    return [_constant(function, given) for given in node.inputs if not given.startswith("^")]


def _constant(function: Function, name: str) -> Optional[List[int]]:
    """Return the values; in a list that was packed of several nodes, -1 stands for one that is no constant."""
    node = function.nodes.get(_source(name))
    if node is None or node.op != "Pack" or len(node.inputs) > 8:
        return _values(node)
    packed = [_values(function.nodes.get(_source(one))) for one in node.inputs]
    return [one[0] if one and len(one) == 1 else -1 for one in packed]


def _values(node: Optional[Node]) -> Optional[List[int]]:
    tensors = parts(node.attr("value"), 8) if node and node.op == "Const" else []
    if not tensors:
        return None
    tensor = message(tensors[0])
    if number(tensor, 1) != 3:  # DT_INT32
        return None
    content = parts(tensor, 4)
    if content and len(content[0]):
        raw = bytes(content[0][: 4 * MOST_CONSTANT])
        return [int(one) for one in struct.unpack("<{}i".format(len(raw) // 4), raw[: len(raw) // 4 * 4])]
    # A zero is left out, and a value that comes again to the end is written once.
    values = numbers(tensor, 7, MOST_CONSTANT) or [0]
    count = 1
    for size in (_dimensions(parts(tensor, 2)[0]) if parts(tensor, 2) else []) or []:
        count *= size or 0
    return values + values[-1:] * (min(count, MOST_CONSTANT) - len(values))


def _strings(node: Node, name: str) -> Iterator[memoryview]:
    for listed in parts(node.attr(name), 1):
        yield from parts(message(listed), 2)[:16]


def _main(graph: Message) -> Function:
    return Function(_nodes(parts(graph, 1)), [], [], False)


def _library(graph: Message) -> Dict[str, Message]:
    """Return the functions by name; what is in them is looked at where they are called."""
    found = {}
    for library in parts(graph, 2):
        for one in parts(message(library), 1):
            function = message(one)
            for signature in parts(function, 1)[:1]:
                found[text(message(signature), 1)] = function
    return found


def _function(raw: Message) -> Function:
    said = message(parts(raw, 1)[0])
    arguments = [text(message(argument), 1) for argument in parts(said, 2)]
    returned = {text(entry, 1): text(entry, 2) for entry in map(message, parts(raw, 4))}
    outputs = [text(message(output), 1) for output in parts(said, 3)]
    attrs = {text(entry, 1): entry for entry in map(message, parts(raw, 5))}
    compiled = any(number(message(value), 5) for value in parts(attrs.get("_XlaMustCompile", {}), 2))
    return Function(_nodes(parts(raw, 3)), arguments, [returned.get(one, "") for one in outputs], compiled)


def _nodes(raw: List[memoryview]) -> Dict[str, Node]:
    if len(raw) > MOST_NODES:
        raise Unreadable("it has {} nodes; more than {} are not read".format(len(raw), MOST_NODES))
    nodes = {}
    for one in raw:
        found = message(one)
        attrs = {}
        for entry in parts(found, 5):
            pair = message(entry)
            for value in parts(pair, 2)[-1:]:
                attrs[text(pair, 1)] = value
        inputs = [bytes(given[:4096]).decode("utf-8", "replace") for given in parts(found, 3)]
        nodes[text(found, 1)] = Node(text(found, 1), text(found, 2), inputs, attrs)
    return nodes
