"""Model files are read without TensorFlow: real ones, ones made by hand, and ones that mean harm."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import h5py
import pytest

from matrix.answers.model import flatbuffer, graph, keras, protobuf, reader
from matrix.answers.model.layers import MOST_LAYERS, Unreadable, work

MODELS = Path(__file__).parents[1] / "data" / "models"
# What was saved, in three formats: by Keras 2.15 as archive, frozen, and converted.
UNET = {
    "dw_relu6": ("depthwise", (3, 3), 16, 16, 16, (32, 32)),
    "up": ("transpose", (2, 2), 1, 32, 16, (32, 32)),
    "as_depthwise": ("conv", (5, 5), 16, 16, 16, (64, 64)),
}


def told(layer):
    return layer.operation, layer.kernel, layer.groups, layer.cin, layer.cout, layer.size


def conv(name="conv", before="input", kind="Conv2D", **config):
    fields = {"name": name, "filters": 16, "kernel_size": [3, 3], "groups": 4, "padding": "same", **config}
    return {"class_name": kind, "name": name, "config": fields, "inbound_nodes": [[[before, 0, 0, {}]]]}


def layer(kind, name, *before, **config):
    nodes = [[[one, 0, 0, {}] for one in before]]
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}


def start(shape=(None, 8, 8, 16)):
    config = {"name": "input", "batch_input_shape": list(shape)}
    return {"class_name": "InputLayer", "name": "input", "config": config, "inbound_nodes": []}


def functional(*entries):
    return {"class_name": "Functional", "config": {"name": "model", "layers": [start(), *entries]}}


def read(*entries):
    return keras.read(functional(*entries), {}, "Keras archive")


@pytest.mark.parametrize("name", ["unet.keras", "unet.pb", "unet.tflite"])
def test_a_real_model_is_told_alike_in_every_format(name):
    found = reader.read(str(MODELS / name))
    by_name = {one.name.split("/")[1 if "/" in one.name else 0]: told(one) for one in found.layers}
    assert UNET["dw_relu6"] in by_name.values() and UNET["as_depthwise"] in by_name.values()
    assert {one.operation for one in found.layers} >= {"depthwise", "transpose", "conv"}
    assert not found.unread


def test_what_follows_a_layer_is_told_in_its_order():
    found = {one.name: one.after for one in reader.read(str(MODELS / "unet.keras")).layers}
    assert found["dw_relu6"] == ("bias", "relu6") and found["as_depthwise"] == ("bias", "elu")
    frozen = {one.name: one.after for one in reader.read(str(MODELS / "unet.pb")).layers}
    assert frozen["unet/dw_relu6"] == ("bias", "relu6")


def test_hdf5_of_keras_2():
    plain, swish = reader.read(str(MODELS / "seq.h5")).layers
    assert told(plain) == ("conv", (3, 3), 4, 8, 16, (16, 16)) and plain.after == ()
    assert told(swish) == ("conv", (1, 3), 2, 16, 16, (8, 8)) and swish.after == ("bias", "swish")
    assert swish.padding == "valid" and swish.written == "keras"


def test_a_saved_model_is_read_from_its_signature_and_each_convolution_once():
    found = reader.read(str(MODELS / "seq.saved"))
    assert [(one.name, one.groups, one.size) for one in found.layers] == [
        ("seq/plain", 4, (16, 16)), ("seq/swish13", 2, (8, 8)),
    ]  # fmt: skip
    # Keras 2.15 has XLA compile each grouped convolution by itself; what follows stays outside.
    assert all(one.compiled for one in found.layers)


def test_a_residual_batch_norm_and_dropout_are_followed():
    found = read(
        conv(use_bias=False), layer("BatchNormalization", "bn", "conv"), layer("Dropout", "drop", "bn"),
        layer("Add", "add", "drop", "input"), layer("ReLU", "relu", "add", max_value=6.0),
    )  # fmt: skip
    assert found.layers[0].after == ("bn", "add", "relu6")


def test_what_two_layers_take_is_followed_by_neither():
    found = read(conv(), layer("Activation", "one", "conv", activation="relu"), layer("ReLU", "two", "conv"))
    assert found.layers[0].after == ("bias",)


def test_nested_models_and_wrappers_are_looked_into():
    inner = functional(conv("deep"))
    inner["config"]["name"] = "inner"
    inner |= {"name": "inner", "inbound_nodes": [[["input", 0, 0, {}]]]}
    wrapped = layer("TimeDistributed", "wrapped", "inner", layer=conv("each"))
    assert [one.name for one in read(inner, wrapped).layers] == ["inner/deep", "wrapped/each"]


def test_the_shapes_that_keras_3_tells_are_taken():
    entry = conv(groups=2) | {"build_config": {"input_shape": [None, 5, 7, 8]}}
    (found,) = read(entry).layers
    assert told(found) == ("conv", (3, 3), 2, 8, 16, (5, 7))


def test_without_shapes_the_weights_tell_the_channels():
    broken = layer("Mystery", "mystery", "input")
    found = keras.read(functional(broken, conv(before="mystery")), {"/conv/conv/kernel:0": [3, 3, 4, 16]}, "HDF5")
    assert (found.layers[0].cin, found.layers[0].size) == (16, (None, None))
    assert found.unread == ["Mystery, no layer of Keras: what it computes is unknown: mystery"]


def test_an_ordinary_convolution_is_counted_and_no_more():
    found = read(conv(groups=1), conv("other", groups=1))
    assert (found.layers, found.others) == ([], 2)


def test_a_lambda_is_named_and_its_code_left_alone(tmp_path):
    code = {"class_name": "__lambda__", "config": {"code": "4wAAAAA=", "defaults": None}}
    found = read(layer("Lambda", "evil", "input", function=code), conv(before="evil"))
    assert found.unread == ["Lambda, whose code is not looked at: evil"] and len(found.layers) == 1


@pytest.mark.parametrize(
    ("dtype", "told_as"),
    [
        ("float64", "f64"),
        ({"class_name": "Policy", "config": {"name": "mixed_float16"}}, "mf16"),
        ({"class_name": "DTypePolicy", "config": {"name": "bfloat16"}}, "bf16"),
        (None, "f32"),
        ("int8", "int8"),
    ],
)
def test_dtypes(dtype, told_as):
    assert read(conv(dtype=dtype)).layers[0].dtype == told_as


def test_channels_first():
    (found,) = read(conv(data_format="channels_first")).layers
    assert (found.layout, found.cin, found.size) == ("nchw", 8, (8, 16))


def archive(tmp_path, **files):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name.replace("__", "."), data)
    return str(path)


def refused(path) -> str:
    with pytest.raises(Unreadable) as fault:
        reader.read(str(path))
    return str(fault.value)


def test_an_archive_that_unpacks_to_much_more_is_refused(tmp_path):
    assert "larger than 8 MiB" in refused(archive(tmp_path, config__json=b" " * (64 * 2**20)))


def test_an_archive_with_a_huge_directory_is_refused_before_it_is_read(tmp_path):
    path = archive(tmp_path, config__json=b"{}")
    data = bytearray(Path(path).read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 12 : end + 16] = (2**31).to_bytes(4, "little")
    Path(path).write_bytes(data)
    assert "more files than a model has" in refused(path)


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, "[" * 500 + "]" * 500, "1" * 6000, "nonsense"])
def test_a_description_that_is_deep_or_none_is_refused(deep, tmp_path):
    refused(archive(tmp_path, config__json=deep))


def test_models_within_models_end(tmp_path):
    description = conv()
    for _ in range(200):
        description = {"class_name": "Functional", "config": {"name": "m", "layers": [description]}}
    assert "nested too deeply" in refused(archive(tmp_path, config__json=json.dumps(description)))


def test_more_layers_than_any_model_has_are_refused(tmp_path):
    many = functional(*[layer("Dropout", f"d{n}", "input") for n in range(MOST_LAYERS)])
    assert f"more than {MOST_LAYERS} layers" in refused(archive(tmp_path, config__json=json.dumps(many)))


def test_names_cannot_steer_a_terminal():
    (found,) = read(conv("\x1b[2J\u202econv" + "x" * 10_000)).layers
    assert found.name.isascii() and found.name.isprintable() and len(found.name) < 100


@pytest.mark.parametrize(
    "entry",
    [
        conv(kernel_size="big"), conv(kernel_size=[3]), conv(groups=-4), conv(groups=10**30), conv(strides=[0, 1]),
        conv(filters=None), conv(groups=True),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_are_named_or_left_unknown(entry):
    found = read(entry)
    assert found.unread or found.others or found.layers[0].cout is None


def test_no_link_of_hdf5_is_followed_and_no_outside_data_read(tmp_path):
    secret, path = tmp_path / "secret.h5", tmp_path / "model.h5"
    with h5py.File(secret, "w") as made:
        made["conv/kernel"] = [[[[1.0]]]]
    (tmp_path / "secret.txt").write_bytes(b"0" * 1000)
    with h5py.File(path, "w") as made:
        made.attrs["model_config"] = json.dumps(functional(layer("Mystery", "m", "input"), conv(before="m")))
        group = made.create_group("model_weights")
        group["outside"] = h5py.ExternalLink(str(secret), "/")
        group["nowhere"] = h5py.SoftLink("/model_weights/nowhere")
        group["again"] = made["model_weights"]
        data = [(str(tmp_path / "secret.txt"), 0, 1000)]
        group.create_dataset("conv/kernel", (3, 3, 4, 16), dtype="u1", external=data)
    (found,) = reader.read(str(path)).layers
    assert found.cin == 16  # by the shape alone


@pytest.mark.parametrize("cut", [9, 100, 2000, 9000])
def test_a_broken_hdf5_file_is_refused(cut, tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes((MODELS / "seq.h5").read_bytes()[:cut])
    assert "HDF5" in refused(path)


def test_weights_alone_are_no_model(tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w") as made:
        made["conv/kernel"] = [1.0]
    assert "save the model, not its weights" in refused(tmp_path / "weights.h5")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"\x80\x04\x95" + b"pickled" * 9, "pickle"),
        (b"#!/usr/bin/env python\nimport os\n", "no Protocol Buffer"),
        (b"PK\x03\x04" + b"\0" * 100, "no whole archive"),
        (b"\x1c\0\0\0TFL3" + b"\xff" * 100, "leads out of it"),
        (b"\x0a\xff\xff\xff\xff\x0f" + b"\0" * 20, "cut off"),
    ],
)
def test_what_is_no_model_says_so(content, why, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(content)
    assert why in refused(path)


def test_neither_a_pipe_nor_an_empty_folder_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "no such file" in refused(tmp_path / "pipe")
    assert "no SavedModel" in refused(tmp_path)
    assert "no such file" in refused(tmp_path / "nothing")


def field(number: int, value: bytes | int) -> bytes:
    def varint(rest: int) -> bytes:
        out = b""
        while rest > 127:
            out, rest = out + bytes([rest & 127 | 128]), rest >> 7
        return out + bytes([rest])

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def node(name, op, *inputs, **attrs) -> bytes:
    pairs = (field(5, field(1, key.encode()) + field(2, value)) for key, value in attrs.items())
    return (
        field(1, name.encode())
        + field(2, op.encode())
        + b"".join(field(3, i.encode()) for i in inputs)
        + b"".join(pairs)
    )


def shape(*sizes) -> bytes:
    return b"".join(field(2, field(1, size % 2**64)) for size in sizes)


def variable(name, *sizes) -> bytes:
    return field(1, node(name, "VarHandleOp", shape=field(7, shape(*sizes))))


def image(*sizes) -> bytes:
    return field(1, node("x", "Placeholder", shape=field(7, shape(*sizes))))


def test_a_convolution_of_a_graph_by_hand():
    ones = field(1, b"".join(field(3, n) for n in (1, 2, 2, 1)))
    made = image(-1, 8, 8, 16) + variable("w", 3, 3, 4, 32) + field(1, node("read", "ReadVariableOp", "w"))
    made += field(1, node("a/Conv2D", "Conv2D", "x", "read", T=field(6, 19), strides=ones, padding=field(2, b"SAME")))
    made += field(1, node("a/BiasAdd", "BiasAdd", "a/Conv2D", "b")) + field(1, node("a/Relu", "Relu", "a/BiasAdd:0"))
    (found,) = graph.read_frozen(memoryview(made)).layers
    assert told(found) == ("conv", (3, 3), 4, 16, 32, (8, 8))
    assert (found.name, found.strides, found.dtype, found.after) == ("a", (2, 2), "f16", ("bias", "relu"))


def test_a_graph_that_runs_in_a_circle_ends():
    made = field(1, node("a", "Identity", "b")) + field(1, node("b", "Identity", "a", "^a"))
    assert graph.read_frozen(memoryview(made)).layers == []


def test_functions_that_call_themselves_and_each_other_end():
    def function(name, called):
        call = node("call", "PartitionedCall", f=field(10, field(1, called.encode())))
        return field(1, field(1, field(1, name.encode())) + field(3, call))

    library = field(2, function("one", "two") + function("two", "one") + function("self", "self"))
    start = node("start", "PartitionedCall", f=field(10, field(1, b"one")))
    other = node("other", "PartitionedCall", f=field(10, field(1, b"self")))
    assert graph.read_frozen(memoryview(field(1, start) + field(1, other) + library)).layers == []


def test_a_function_that_is_not_in_the_file_is_told():
    call = node("call", "StatefulPartitionedCall", f=field(10, field(1, b"gone")))
    assert graph.read_frozen(memoryview(field(1, call))).unread == ["the function is not in the file: gone"]


def test_a_file_of_endless_small_parts_is_given_up(monkeypatch):
    monkeypatch.setattr(work, "most", 1000)
    work.begin()
    with pytest.raises(Unreadable, match="more than 1000 parts"):
        protobuf.message(memoryview(field(7, 1) * 2000))


def test_a_list_that_says_it_is_longer_than_the_file_is_refused():
    # A table with one field, a list of 2**31 items.
    data = b"\x06\0\x08\0\x04\0" + b"\x06\0\0\0" + b"\x04\0\0\0" + b"\0\0\0\x80" + b"\0" * 8
    with pytest.raises(Unreadable, match="2147483648 items"):
        flatbuffer.Table(memoryview(data), 6).tables(0, 100)


def test_zip_faults_of_every_kind_are_refused(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("config.json", json.dumps(functional(conv())) * 20)
    data = stream.getvalue()
    for place in range(30, 80):
        (tmp_path / "model.keras").write_bytes(data[:place] + b"\xff" + data[place + 1 :])
        refused(tmp_path / "model.keras")
