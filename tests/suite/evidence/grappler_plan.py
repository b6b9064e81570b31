"""What Grappler would make of a graph on a device that is not there: it is told of a cluster with a virtual one.

It stops before the passes that come after Grappler. oneDNN's is one, so that what the CPU runs is not known from here.
"""

from typing import Any, Dict

from tensorflow.core.protobuf import config_pb2, device_properties_pb2, meta_graph_pb2
from tensorflow.python.grappler import cluster, tf_optimizer

PLACE = "/job:localhost/replica:0/task:0/device:{}:0"
# what describes any device; all else stands in its environment, as TensorFlow has it for the devices that it finds
PROPERTIES = ("type", "vendor", "model")


def optimize(graph: Any, fetch: str, device: Dict[str, str]) -> Any:
    """The optimized graph, for an output that is fetched: a convolution itself would be kept as it is.

    Its input is a placeholder, for what is constant would be folded away.
    """
    place = PLACE.format(device["type"])
    request = meta_graph_pb2.MetaGraphDef(graph_def=graph)
    request.collection_def["train_op"].node_list.value.append(fetch)
    for node in request.graph_def.node:
        node.device = place
    options = config_pb2.ConfigProto()
    options.graph_options.rewrite_options.min_graph_nodes = -1  # else graphs of fewer than four nodes stay as they are
    return tf_optimizer.OptimizeGraph(options, request, verbose=False, cluster=_cluster(device, place))


def _cluster(device: Dict[str, str], place: str) -> Any:
    properties = device_properties_pb2.DeviceProperties(
        environment={key: value for key, value in device.items() if key not in PROPERTIES},
        **{key: device[key] for key in PROPERTIES if key in device},
    )
    return cluster.Cluster(devices=[device_properties_pb2.NamedDevice(name=place, properties=properties)])
