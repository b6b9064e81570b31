"""Makes texts that come from elsewhere (records, error messages) safe to show."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def plain(text: str, limit: int = 300) -> str:
    """Return one line without control, formatting, private or unassigned characters: no escape sequence, no line break
    and no right-to-left override gets through. A longer text is cut and ends with three dots.
    """
    shown = text
    if not text.isprintable():  # which nearly every text is
        shown = "".join(character if unicodedata.category(character)[0] not in "CZ" else " " for character in text)
    line = " ".join(shown.split())
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."


def visible(text: str) -> str:
    """Return the text as a terminal may print it: its line breaks and its width stay, and nothing that a terminal acts
    on (escape sequences) or hides (right-to-left overrides).
    """
    return "".join(" " if is_hidden(character) else character for character in text)


def is_hidden(character: str) -> bool:
    """Say whether a terminal acts on the character or hides it, other than by ending the line."""
    return character != "\n" and (unicodedata.category(character)[0] == "C" or character in "\u2028\u2029")


def listed_below(head: str, lines: Sequence[str], most: int = 20) -> str:
    """Return `head` and below it the first `most` lines, each made plain and indented."""
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return "\n  ".join([head, *map(plain, lines[:most]), *more])
