"""Markdown from templates: whatever a template inserts stays text, unless the template itself calls it safe."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from matrix.base.markdown import escape


def render(template: str, **context: object) -> str:
    return _environment.get_template(template).render(**context)


_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=False,  # noqa: S701 - that is for HTML; here `finalize` escapes
    finalize=lambda value: value if isinstance(value, Markup) else escape(str(value)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
