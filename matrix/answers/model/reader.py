"""Reads a model file, whichever it is by its content, without TensorFlow."""

import lzma
import mmap
import os
import struct
import zipfile
import zlib

from . import graph, hdf5, keras, tflite
from .layers import Reading, Unreadable, clean, work

HDF5, ZIP, LITE = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"TFL3"
# A GraphDef is capped by Protocol Buffers themselves at 2 GiB, and a FlatBuffer by its offsets.
MOST_BYTES = 2 * 2**30
MOST_DESCRIPTION, MOST_DIRECTORY = 8 * 2**20, 4 * 2**20

# What a broken archive makes Python's library raise, and one that is encrypted or compressed in a rare way.
FAULTS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, EOFError, ValueError)


def read(path: str) -> Reading:
    """Raise Unreadable where it is no model, or one that this project does not read."""
    work.begin()
    try:
        return _read(path)
    except OSError as fault:
        raise Unreadable("it cannot be read: {}".format(fault.strerror or fault))


def _read(path: str) -> Reading:
    if os.path.isdir(path):
        inside = os.path.join(path, "saved_model.pb")
        if not os.path.isfile(inside):
            raise Unreadable("the folder holds no saved_model.pb, so that it is no SavedModel")
        return _mapped(inside, saved=True)
    if not os.path.isfile(path):
        raise Unreadable("there is no such file or folder")
    with open(path, "rb") as stream:
        start = stream.read(8)
    if start == HDF5:
        found = hdf5.read(path)
        return keras.read(keras.parse(found["config"]), found["weights"], "Keras HDF5")
    if start.startswith(ZIP):
        return keras.read(keras.parse(_description(path)), {}, "Keras archive")
    if start[:1] in {b"{", b"\x80"}:
        raise Unreadable("it is JSON or a pickle; give the model file that Keras or TensorFlow saved")
    return _mapped(path, saved=os.path.basename(path) == "saved_model.pb")


def _mapped(path: str, *, saved: bool) -> Reading:
    """Map the file rather than read it: its weights are passed over."""
    size = os.path.getsize(path)
    if not 8 < size <= MOST_BYTES:
        raise Unreadable("it is empty" if size <= 8 else "it is larger than {} GiB".format(MOST_BYTES // 2**30))
    with open(path, "rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    # It is unmapped with the last view of it, which a fault's traceback may still hold.
    data = memoryview(mapped)
    if mapped[4:8] == LITE:
        return tflite.read(data)
    return graph.read_saved(data) if saved else graph.read_frozen(data)


def _description(path: str) -> str:
    """Return config.json of a `.keras` archive. The archive's directory is capped before it is read."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, os.path.getsize(path) - 65_557))
            tail = stream.read()
        end = tail.rfind(b"PK\x05\x06")
        if end < 0 or len(tail) < end + 22 or struct.unpack_from("<I", tail, end + 12)[0] > MOST_DIRECTORY:
            raise Unreadable("it is no whole archive, or one of more files than a model has")
        with zipfile.ZipFile(path) as archive, archive.open("config.json") as entry:
            text = entry.read(MOST_DESCRIPTION + 1)
    except KeyError:
        raise Unreadable("the archive holds no config.json, so that it is no Keras model")
    except FAULTS as fault:
        raise Unreadable("it is no archive that can be read: {}".format(clean(fault, 120)))
    if len(text) > MOST_DESCRIPTION:
        raise Unreadable("its description is larger than {} MiB".format(MOST_DESCRIPTION // 2**20))
    return text.decode("utf-8", "replace")
