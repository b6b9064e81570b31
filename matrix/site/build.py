"""Builds the published pages: static files from the records alone, for any web server or to be opened from disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from matrix.answers import published_answers
from matrix.base import paths
from matrix.base.errors import BadUsage
from matrix.base.files import cannot_write
from matrix.judge import statements
from matrix.judge import support as support_json
from matrix.site import (
    advice_data,
    compare_page,
    downloads,
    error_page,
    front_page,
    parquet,
    question_form,
    speed_pages,
)
from matrix.site.content import Content, load
from matrix.site.pages import compose

STATIC = Path(__file__).parent / "static"
# A folder that holds this file is taken for an older site, which may be replaced.
MARK = "data/badge.json"


@dataclass(frozen=True, kw_only=True)
class Site:
    """A site that was written. `files` counts its files; `left_out` names the records that could not be read."""

    folder: Path
    files: int
    left_out: tuple[str, ...]


def build(reports: Path, folder: Path) -> Site:
    """Replace the site in `folder` as a whole. Raise BadUsage where something else lies there, MachineError where the
    disk refuses.
    """
    with _writing(folder):
        new = _begun(folder)  # before the records are judged: that takes long
    content = load(reports)
    with _writing(folder):
        count = _replace(content, new, folder)
    return Site(folder=folder, files=count, left_out=tuple(str(fault) for fault in content.faults))


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise cannot_write(folder, fault) from fault


def _begun(folder: Path) -> Path:
    """Return an empty folder beside `folder`, to be put in its place."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARK).is_file())):
        raise BadUsage(f"{folder} holds something else than a site", "name another folder: --output FOLDER")
    new = folder.with_name(f".{folder.name}.new")
    if new.exists():
        shutil.rmtree(new)
    new.mkdir(parents=True)
    return new


def _replace(content: Content, new: Path, folder: Path) -> int:
    shutil.copytree(STATIC, new / "static")
    count = 0
    for path, data in files(content):
        target = new / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        count += 1
    if folder.exists():
        shutil.rmtree(folder)
    new.rename(folder)
    return count


def files(content: Content) -> Iterator[tuple[str, bytes]]:
    """Yield every file but the static ones: its path below the site's root, and its content."""
    for path, text in compose(content):
        yield path, text.encode()
    yield from downloads.tables(content)
    yield from downloads.observations(content.records)
    yield parquet.observations(content.records)
    yield from speed_pages.files(content)
    yield downloads.badge(content)
    yield downloads.script("outcomes", compare_page.outcomes(content))
    yield "data/front.js", question_form.script(content)
    yield "data/table.js", front_page.script(content)
    yield from advice_data.files(content)
    yield downloads.script("explain", error_page.explanations(content.index))
    yield downloads.compressed("statements.json", statements.encode(content.statements))
    yield downloads.compressed("answers.json", published_answers.encode(content.index))
    yield downloads.compressed("support.json", support_json.encode(content.support))
    for schema in sorted(paths.SCHEMAS.glob("*.json")):
        yield f"schema/{schema.name}", schema.read_bytes()
