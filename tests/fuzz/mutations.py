"""Damages real inputs: bytes, tokens, lines and JSON values, seeded, so that every input can be made again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random

TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*"|[A-Za-z_]+|-?[0-9][0-9.]*|[^\sA-Za-z0-9_"]')
# What breaks readers: other types, sizes, encodings, ends of lines, ways out of a folder, markup, near misses of ids.
STRINGS = (
    "", "\n", " ", "a\n", "\x00", "\ud800", "\u202etxt.exe", "\uff12", "0" * 5000, "9" * 19, "x" * 301, "x" * 70_000,
    "..", "../../../etc/passwd", "/etc/passwd", "x86-avx2/../..", "<script>alert(1)</script>", "| a | b |",
    "{{ 7 * 7 }}", "run/2", "stream/9", "tf2.8.4-py310-cpu+default\n", "tf2.9.3-py310-cpu+default",
    "tf99.9.9-py399-rocm", "2.8.4", "2..9", ">=", "==1.*.*", "--no-binary", "partial", "pass", "--help", "-", "[",
    "(?:a+)+", "\x1b[31m", "None", "e\u0301",
)  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**30, -0.0, 0.1, 1e308, [], {}, [[]], {"": None}, [0] * 300,
    *STRINGS,
)  # fmt: skip
RAW = (
    b"1e999",
    b"NaN",
    b"Infinity",
    b"[" * 2000,
    b'{"a":' * 2000,
    b"\xff\xfe",
    b"\xc0\x80",
    b"\xef\xbb\xbf",
    b"\\u0000",
    b"'",
)

# More than any reader takes.
TOO_MUCH = 10 * 2**20

Mutation = Callable[[Random, bytes], bytes]


def mutate(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """One to three damages. Half of them leave line 1 alone, so that what lies behind it is reached as well."""
    first, end, rest = data.partition(b"\n")
    head, body = (first + end, rest) if rest and random.random() < 0.6 else (b"", data)
    for _ in range(random.choice((1, 1, 2, 3))):
        mutation = random.choice(MUTATIONS)
        body = mutation(random, body)
    if random.random() < 0.05:
        body = _crossed(random, body, random.choice(others))
    if random.random() < 0.0003:
        body *= TOO_MUCH // (len(body) + 1)
    return head + body


def _bytes(random: Random, data: bytes) -> bytes:
    place = random.randint(0, len(data))
    length = random.choice((0, 1, 1, 2, 4, 32))
    return (
        data[:place]
        + random.choice((b"", random.randbytes(length), data[place : place + 8] * 2))
        + data[place + length :]
    )


def _token(random: Random, data: bytes) -> bytes:
    """Another token in the place of one, quoted where the first was."""
    start = random.randint(0, len(data))
    found = TOKEN.search(data, start) or TOKEN.search(data)
    if found is None:
        return random.choice(RAW)
    value = random.choice(VALUES)
    plain = str(value).encode("utf-8", "surrogatepass")
    new = random.choice((json.dumps(value).encode(), plain, random.choice(RAW)))
    return data[: found.start()] + new + data[found.end() :]


def _lines(random: Random, data: bytes) -> bytes:
    """A line less, a line twice, two lines in each other's place, or an end too early."""
    lines = data.splitlines(keepends=True) or [b""]
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            del lines[one]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            lines[one], lines[other] = lines[other], lines[one]
        case _:
            lines[one:] = [lines[one][: random.randint(0, len(lines[one]))]]
    return b"".join(lines)


def _json(random: Random, data: bytes) -> bytes:
    """Another value, key or absence somewhere in one line's object; a line that is none is left as it is."""
    lines = data.splitlines(keepends=True) or [b""]
    number = random.randrange(len(lines))
    try:
        tree = json.loads(lines[number])
    except (ValueError, RecursionError):
        return _token(random, data)
    lines[number] = json.dumps(_changed(random, tree), sort_keys=True).encode() + b"\n"
    return b"".join(lines)


def _changed(random: Random, tree: object) -> object:
    """The tree with one change at a random depth."""
    if isinstance(tree, dict) and tree and random.random() < 0.9:
        key = random.choice(list(tree))
        change = random.randrange(5)
        if change == 0:
            return {name: value for name, value in tree.items() if name != key}
        if change == 1:
            return tree | {random.choice(STRINGS): tree[key]}
        return tree | {key: _changed(random, tree[key])}
    if isinstance(tree, list) and tree and random.random() < 0.7:
        place = random.randrange(len(tree))
        return [*tree[:place], _changed(random, tree[place]), *tree[place + 1 :]]
    if isinstance(tree, str) and tree and random.random() < 0.4:
        place = random.randint(0, len(tree))
        return tree[:place] + random.choice(STRINGS) + tree[place:]
    return random.choice(VALUES)


def _crossed(random: Random, data: bytes, other: bytes) -> bytes:
    return data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]


MUTATIONS: tuple[Mutation, ...] = (_bytes, _token, _lines, _json, _json)
