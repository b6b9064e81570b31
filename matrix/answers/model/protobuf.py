"""Reads Protocol Buffers' wire format: fields by number, without copying what nobody asks for.

Its bytes and TensorFlow's field numbers are promised never to change, so that no generated code is needed.
"""

from typing import Dict, Iterator, List, Tuple, Union

from .layers import Unreadable, work

Value = Union[int, memoryview]
Message = Dict[int, List[Value]]
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def fields(data: memoryview) -> Iterator[Tuple[int, Value]]:
    """Yield number and value of each field: a number, or the bytes of a text, message or packed list."""
    at, end = 0, len(data)
    while at < end:
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = varint(data, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = varint(data, at)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(kind, end + 1)
        if not number or at + size > end:
            raise Unreadable("it is cut off, or no Protocol Buffer")
        yield number, data[at : at + size]
        at += size


def varint(data: memoryview, at: int) -> Tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
        shift += 7
    raise Unreadable("it is cut off, or no Protocol Buffer")


def message(data: memoryview) -> Message:
    """Return all values of each field of a message."""
    found: Message = {}
    for number, value in fields(data):
        found.setdefault(number, []).append(value)
        work.spend()
    return found


def parts(found: Message, number: int) -> List[memoryview]:
    """Return the field's values that are bytes."""
    return [value for value in found.get(number, ()) if isinstance(value, memoryview)]


def text(found: Message, number: int) -> str:
    values = parts(found, number)
    return bytes(values[-1][:4096]).decode("utf-8", "replace") if values else ""


def number(found: Message, field: int) -> int:
    """Return a signed number; 0 where the field is missing."""
    values = [value for value in found.get(field, ()) if isinstance(value, int)]
    return signed(values[-1]) if values else 0


def numbers(found: Message, field: int, most: int = 64) -> List[int]:
    """Return a list of signed numbers, packed or not."""
    listed: List[int] = []
    for value in found.get(field, ()):
        if isinstance(value, int):
            listed.append(signed(value))
            continue
        at = 0
        while at < len(value) and len(listed) < most:
            one, at = varint(value, at)
            listed.append(signed(one))
    return listed[:most]


def signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
