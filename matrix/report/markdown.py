"""Markdown from templates: whatever a template inserts stays text, unless the template itself calls it safe."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from matrix.base.text import plain

MEANS_SOMETHING = re.compile(r"[\\`*_{}\[\]<>#|~!&$^]")
# `1.`, `-` and `+` begin a list only at the start; bare addresses become links by themselves
BEGINS_A_LIST = re.compile(r"^([-+]|\d{1,9}[.)])(?=\s|$)")
BECOMES_A_LINK = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)


def escape(text: str) -> str:
    """`text` as one line that shows just itself, in a paragraph, a footnote or a table's cell."""
    shown = MEANS_SOMETHING.sub(r"\\\g<0>", plain(text, limit=2000)).replace("@", " at ")
    return BECOMES_A_LINK.sub(r"\\\g<0>", BEGINS_A_LIST.sub(_escape_last, shown))


def render(template: str, **context: object) -> str:
    return _environment.get_template(template).render(**context)


def _escape_last(match: re.Match[str]) -> str:
    return f"{match[0][:-1]}\\{match[0][-1]}"


def _finalize(value: object) -> str:
    return value if isinstance(value, Markup) else escape(str(value))


_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=False,  # noqa: S701 - that is for HTML; here `finalize` escapes
    finalize=_finalize,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
