"""The verb `diff`, in a module of its own: it reads tables as well, by all that writes them."""

from __future__ import annotations

from pathlib import Path

import click

from matrix.answers import diff as diff_
from matrix.catalog import releases
from matrix.cli.questions import give, json_option, reports_option


@click.group()
def cli() -> None:
    """Holds the verb; `matrix/cli/main.py` is the command line."""


@cli.command()
@click.argument("before")
@click.argument("after")
@click.option("--only", multiple=True, help="Keep to this release, backend, profile, host class or engine; repeatable.")
@reports_option
@json_option
@click.option("--markdown", "as_markdown", is_flag=True, help="The differences alone, as a list in Markdown.")
def diff(before: str, after: str, only: tuple[str, ...], reports: Path, as_json: bool, as_markdown: bool) -> None:
    """What two releases, profiles, engines or folders of records do differently; only like with like is compared.

    Of two kept months, a month and a folder, or two support.json, what their tables say differently:
    `diff 2026-10 reports`.
    """
    found = diff_.diff(reports, before, after, releases.load(), only)
    give(found, as_json=as_json, lines=diff_.markdown(found) if as_markdown else diff_.told(found))
