"""The verb that compares: `diff`."""

from __future__ import annotations

from pathlib import Path

import click

from matrix.answers import diff as diff_
from matrix.catalog import releases
from matrix.cli.options import asked_for, give, json_option, processor_options, published_option
from matrix.judge import processors


@click.command()
@click.argument("before")
@click.argument("after")
@click.option("--only", multiple=True, help="Keep to this release, backend, profile, host class or engine; repeatable.")
@processor_options
@published_option
@json_option
@click.option("--markdown", "as_markdown", is_flag=True, help="The differences alone, as a list in Markdown.")
def diff(
    before: str, after: str, only: tuple[str, ...], here: bool, name: str | None, cpu_flags: str | None, reports: Path,
    as_json: bool, as_markdown: bool,
) -> None:  # fmt: skip
    """Compare two releases, profiles, engines, host classes or folders of records; only like is compared with like.

    The tables of two kept months, of a month and a folder, or of two support.json: `diff 2026-10 reports`.
    """
    if processor := asked_for(name, cpu_flags, here=here):
        only = (*only, processors.nearest(processor.host_class, [one.name for one in (reports / "runs").iterdir()])[0])
    found = diff_.diff(reports, before, after, releases.load(), only)
    give(found, as_json=as_json, lines=diff_.markdown(found) if as_markdown else diff_.lines(found))
