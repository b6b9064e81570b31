"""Text that is put into Markdown and must stay text."""

from __future__ import annotations

import re

from matrix.base.text import plain

MEANS_SOMETHING = re.compile(r"[\\`*_{}\[\]<>#|~!&$^]")
# `1.`, `-` and `+` begin a list only at the start; bare addresses become links by themselves
BEGINS_A_LIST = re.compile(r"^([-+]|\d{1,9}[.)])(?=\s|$)")
BECOMES_A_LINK = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)


def escape(text: str) -> str:
    """`text` as one line that shows just itself, in a paragraph, a footnote or a table's cell."""
    shown = MEANS_SOMETHING.sub(r"\\\g<0>", plain(text, limit=2000)).replace("@", " at ")
    return BECOMES_A_LINK.sub(r"\\\g<0>", BEGINS_A_LIST.sub(lambda match: f"{match[0][:-1]}\\{match[0][-1]}", shown))
