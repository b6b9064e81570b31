"""The verb that compares: `diff`."""

from __future__ import annotations

from pathlib import Path

import click

from matrix.answers import diff as diff_
from matrix.catalog import releases
from matrix.cli.options import give, json_option, published_option


@click.command()
@click.argument("before")
@click.argument("after")
@click.option("--only", multiple=True, help="Keep to this release, backend, profile, host class or engine; repeatable.")
@published_option
@json_option
@click.option("--markdown", "as_markdown", is_flag=True, help="The differences alone, as a list in Markdown.")
def diff(before: str, after: str, only: tuple[str, ...], reports: Path, as_json: bool, as_markdown: bool) -> None:
    """Compare two releases, profiles, engines, host classes or folders of records; only like is compared with like.

    The tables of two kept months, of a month and a folder, or of two support.json: `diff 2026-10 reports`.
    """
    found = diff_.diff(reports, before, after, releases.load(), only)
    give(found, as_json=as_json, lines=diff_.markdown(found) if as_markdown else diff_.lines(found))
