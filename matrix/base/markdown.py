"""Escapes text that is put into Markdown and must be shown as it is."""

from __future__ import annotations

import re

from matrix.base.text import plain

MEANS_SOMETHING = re.compile(r"[\\`*_{}\[\]<>#|~!&$^]")
# `1.`, `-` and `+` begin a list only at the start of a line; bare addresses become links by themselves.
BEGINS_A_LIST = re.compile(r"^([-+]|\d{1,9}[.)])(?=\s|$)")
BECOMES_A_LINK = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)


def escape(text: str) -> str:
    """`text` on one line, for a paragraph, a footnote or a cell of a table."""
    shown = MEANS_SOMETHING.sub(r"\\\g<0>", plain(text, limit=2000)).replace("@", " at ")
    shown = BEGINS_A_LIST.sub(lambda match: f"{match[0][:-1]}\\{match[0][-1]}", shown)
    return BECOMES_A_LINK.sub(r"\\\g<0>", shown)
