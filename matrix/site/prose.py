"""The method as a page, from docs/: Markdown of our own, in which HTML stays text all the same."""

from __future__ import annotations

import re
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from matrix.base import paths

DOCS = ("reading.md", "method.md", "speed.md")
# Files of the project, which the pages do not have beside them: their links are shown as names.
LINK = re.compile(r"\[([^\]]*)\]\((?!https?://|#)[^)]*\)")


def method() -> dict[str, Markup]:
    """By the name that a link can have."""
    return {name.removesuffix(".md"): _html(paths.DOCS / name) for name in DOCS}


def _html(file: Path) -> Markup:
    text = LINK.sub(r"\1", file.read_text(encoding="utf-8"))
    return Markup(_markdown.render(text))  # noqa: S704 - the renderer escapes HTML, see `html` below


_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
