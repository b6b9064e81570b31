"""The pages of docs/ that explain the method, as HTML; HTML inside their Markdown stays text."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markupsafe import Markup

from matrix.base import paths

DOCS = ("reading", "method", "speed", "glossary")
# Links to files of the project, which the site does not have: only their names are shown.
LINK = re.compile(r"\[([^\]]*)\]\((?!https?://|#)[^)]*\)")


def method() -> dict[str, Markup]:
    """Return the parts, each by the id that links to it use."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    texts = {name: (paths.DOCS / f"{name}.md").read_text(encoding="utf-8") for name in DOCS}
    return {name: Markup(markdown.render(LINK.sub(r"\1", text))) for name, text in texts.items()}  # noqa: S704 - no HTML
