"""The graphs that TensorFlow hands to its executors, after all of its optimizers, as nodes for rules.py."""

import re
from contextlib import contextmanager
from typing import Any, Dict, Iterable, Iterator, List, Optional

import tensorflow as tf

from . import Evidence
from .rules import Node


@contextmanager
def recorded(evidence: Evidence) -> Iterator[None]:
    """Record what runs inside, on TensorFlow 2. A tf.function shows its graphs at its first call only.

    TensorFlow keeps the graphs of what ran unrecorded, or failed, and hands them out with the next operation that runs
    recorded. Hence an operation before, to be rid of the past, and one after a failure, to get its graphs at all.
    """
    from tensorflow.python.eager import context

    recorder = context.context()
    recorder.enable_run_metadata()
    try:
        _run_an_operation()
        recorder.export_run_metadata()
        yield
    except Exception:
        _run_an_operation()
        raise
    finally:
        metadata = recorder.export_run_metadata()
        recorder.disable_run_metadata()
        for function in metadata.function_graphs if metadata else ():
            evidence.graphs.extend(function.partition_graphs)


def _run_an_operation() -> None:
    """One with a kernel: in 2.0 tf.identity copies its tensor, and what ran before showed up two cells later."""
    tf.negative(tf.constant(0.0))


def nodes(graphs: Iterable[Any], device: str) -> List[Node]:
    """Of all graphs, and of the functions where they call them; `device`: where they should run."""
    found: List[Node] = []
    for graph in graphs:
        functions = {function.signature.name: function for function in graph.library.function}
        found += _nodes(graph.node, functions, device, compiled=False)
    return found


def _nodes(body: Any, functions: Dict[str, Any], device: str, compiled: bool) -> List[Node]:
    found: List[Node] = []
    by_name = {node.name: node for node in body}
    for node in body:
        called = functions.get(node.attr["f"].func.name if "f" in node.attr else node.op)
        if called:
            found += _nodes(called.node_def, functions, device, compiled or called.attr["_XlaMustCompile"].b)
        else:
            fused = node.attr["fused_ops"].list.s if "fused_ops" in node.attr else ()
            channels = _filter_channels(node, by_name)
            placed = re.search(r"device:(\w+):", node.device)
            elsewhere = placed.group(1) if placed and placed.group(1) != device else ""
            found.append(Node(node.op, tuple(name.decode() for name in fused), channels, compiled, elsewhere))
    return found


def _filter_channels(node: Any, by_name: Dict[str, Any]) -> Optional[int]:
    """The input channels of a convolution's filter, where the filter is a constant of the graph."""
    if len(node.input) < 2:
        return None
    source = by_name.get(node.input[1].split(":")[0])
    while source is not None and source.op == "Identity":
        source = by_name.get(source.input[0].split(":")[0])
    if source is None or source.op != "Const":
        return None
    sizes = source.attr["value"].tensor.tensor_shape.dim
    return sizes[-2].size if len(sizes) > 2 else None
