"""Patterns that mean the same in Python and in JavaScript, searched for in texts of any size and make.

A pattern may hold literal text, sets of ASCII characters, alternatives, groups with a name or without, and `?` or
`{m,n}` behind a single character or set, or `?` behind a group. `*`, `+`, repeated groups, \\d, \\w, \\s, \\b and the
dot are refused: they match different characters in the two languages, or take a hostile text's length squared.
matrix/site/static/explain.js has the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

_CHARACTER = r"[A-Za-z0-9 _,:;'\"<>=%&!@#~`/-]|\\[.()\[\]{}|*+?^$/]|\[\^?[A-Za-z0-9 _.,:;'\"<>=?/-]+\]"
_TIMES = r"\?|\{[0-9]{1,2},[0-9]{1,2}\}"
PATTERN = rf"^(?:(?:{_CHARACTER})(?:{_TIMES})?|\(\?:|\(\?<[a-z]+>|\)\??(?![?*+{{])|\|)+$"
# A group without groups in it; an alternative; what matches more than one text: a group's place, a set, a repetition.
_GROUP = re.compile(r"(?<!\\)\((?:\?(?:<[a-z]+>|:))?(?:[^()\\]|\\.)*\)\??")
_OR = re.compile(r"(?<!\\)\|")
_VARIABLE = re.compile(rf"\0|(?<!\\)\[[^\]]*\](?:{_TIMES})?|(?:\\.|[^\\])(?:{_TIMES})")
# How far a match may reach from its literal, and how much text is searched at once.
REACH, AT_ONCE = 500, 4_000
_WHOLE_WORD = re.compile(r"(?<=[^a-z0-9_])[a-z0-9_]+(?=[^a-z0-9_])")
_BETWEEN_WORDS = bytes(byte if chr(byte).isalnum() or chr(byte) == "_" else 32 for byte in range(128)) + b" " * 128
_PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\ufeff": " "})


def searched(text: str) -> str:
    """`text` on one line and in ASCII, as patterns expect it: line breaks and typographic quotes do not matter."""
    line = " ".join(text.translate(_PLAIN).split())
    return line.encode("ascii", "replace").decode("ascii")


@cache
def literal(pattern: str) -> str:
    """Return the longest text that every match of `pattern` holds, in small letters; "" where there is none."""
    flat, before = pattern, ""
    while flat != before:
        flat, before = _GROUP.sub("\0", flat), flat
    if _OR.search(flat):
        return ""
    return max((run.replace("\\", "") for run in _VARIABLE.split(flat)), key=len).lower()


@cache
def word(pattern: str) -> str:
    """Return the longest whole word of the literal, or "": a text without that word need not be searched."""
    return max(_WHOLE_WORD.findall(literal(pattern)), key=len, default="")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("(?<", "(?P<"), re.IGNORECASE | re.ASCII)


class Searched:
    """A text in which many patterns are looked for. Only around a pattern's literal is the pattern itself tried."""

    def __init__(self, text: str) -> None:
        self.text = searched(text)
        self.lowered = self.text.lower()
        self.words = {word.decode() for word in set(self.lowered.encode().translate(_BETWEEN_WORDS).split())}

    def find(self, pattern: str) -> re.Match[str] | None:
        """Return the first match; ASCII letters match in either case."""
        if (needed := word(pattern)) and needed not in self.words:
            return None
        wanted = literal(pattern)
        at = self.lowered.find(wanted)
        while at >= 0:
            start = max(0, at - REACH)
            if found := _compiled(pattern).search(self.text, start, at + AT_ONCE + REACH):
                return found
            at = self.lowered.find(wanted, at + AT_ONCE)
        return None

    def first(self, patterns: Iterable[str]) -> re.Match[str] | None:
        """Return the match of the first pattern that is found."""
        return next(filter(None, map(self.find, patterns)), None)
