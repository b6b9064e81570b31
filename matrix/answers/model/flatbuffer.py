"""Reads FlatBuffers: tables with fields by number. Every offset is checked against the file's size."""

import struct
from typing import List, Optional

from .layers import Unreadable, work


class Table:
    """A table at a place in the file; a field is found through the table's own index of fields."""

    def __init__(self, data: memoryview, at: int) -> None:
        self.data, self.at = data, at
        self.index = at - unpack(data, "<i", at)

    def _field(self, number: int) -> Optional[int]:
        where = 4 + 2 * number
        if where + 2 > unpack(self.data, "<H", self.index):
            return None
        offset = unpack(self.data, "<H", self.index + where)
        return self.at + offset if offset else None

    def number(self, number: int, kind: str = "<i", default: int = 0) -> int:
        at = self._field(number)
        return default if at is None else unpack(self.data, kind, at)

    def table(self, number: int) -> Optional["Table"]:
        at = self._field(number)
        return None if at is None else Table(self.data, at + unpack(self.data, "<I", at))

    def tables(self, number: int, most: int) -> List["Table"]:
        return [Table(self.data, at + unpack(self.data, "<I", at)) for at in self._items(number, 4, most)]

    def numbers(self, number: int, most: int = 64) -> List[int]:
        return [unpack(self.data, "<i", at) for at in self._items(number, 4, most)]

    def text(self, number: int) -> str:
        at = self._field(number)
        if at is None:
            return ""
        at += unpack(self.data, "<I", at)
        size = min(unpack(self.data, "<I", at), 4096)
        return bytes(self.data[at + 4 : at + 4 + size]).decode("utf-8", "replace")

    def _items(self, number: int, size: int, most: int) -> List[int]:
        at = self._field(number)
        if at is None:
            return []
        at += unpack(self.data, "<I", at)
        count = unpack(self.data, "<I", at)
        if count > most:
            raise Unreadable("a list of it has {} items; more than {} are not read".format(count, most))
        work.spend(count)
        return [at + 4 + size * item for item in range(count)]


def unpack(data: memoryview, kind: str, at: int) -> int:
    if at < 0 or at + struct.calcsize(kind) > len(data):
        raise Unreadable("it is cut off, or an offset leads out of it")
    value: int = struct.unpack_from(kind, data, at)[0]
    return value
