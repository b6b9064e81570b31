"""HTML from templates. Whatever a template inserts stays text: it is escaped, and cannot turn the reading direction."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from matrix.base.ids import Backend
from matrix.base.text import plain

LONGEST = 4_000
BACKEND_NAMES: dict[Backend, str] = {"cpu": "CPU", "cuda": "CUDA", "rocm": "ROCm"}


def render(template: str, path: str, **context: object) -> str:
    """Return the page at `path` below the site's root; its links are relative, so that it can be opened from disk."""
    return _environment.get_template(template).render(path=path, root="../" * path.count("/"), **context)


def text(value: object) -> object:
    """Make a text one line without invisible characters; what a template marked as safe stays as it is."""
    if isinstance(value, str) and not isinstance(value, Markup) and not value.isprintable():
        return plain(value, LONGEST)
    return value


@lru_cache(maxsize=10_000)
def grid_cell(classes: str, word: str, rel_err: float | None, remark: int | None) -> Markup:
    """Draw a cell of a grid; `remark` is the number of its remark. The same few cells come a hundred thousand times, so
    they are without the end tag, which HTML lets one leave out.
    """
    error = f' <small title="relative error">{rel_err:.1e}</small>' if rel_err is not None else ""
    number = f"<sup>{remark}</sup>" if remark else ""
    start = Markup('<td class="{}">').format(classes) if classes else Markup("<td>")
    return start + word + Markup(error + number)  # noqa: S704 - numbers


def code(value: str) -> Markup:
    """Keep the lines of a program of our own. What it quotes of a record is one line already."""
    return escape(value)


def lines(value: str) -> Markup:
    """Keep the lines of a text as lines of HTML."""
    return Markup("<br>").join(value.splitlines())


def anchor(backend: str, profile: str, host_class: str) -> str:
    """Return the id of a run's section on the page of a release and approach."""
    return f"{backend}-{profile}-on-{host_class}"


def cell_path(release: str, approach: str) -> str:
    return f"tf/{release}/{approach}.html"


def run_path(host_class: str, engine: str, run: str, ending: str = "html") -> str:
    return f"runs/{host_class}/{engine}/{run}.{ending}"


_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    finalize=text,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_environment.globals.update(
    anchor=anchor,
    backends=BACKEND_NAMES,
    cell_path=cell_path,
    run_path=run_path,
)
_environment.filters.update(code=code, lines=lines, url=quote)
