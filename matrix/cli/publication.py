"""The verb that writes the pages."""

from __future__ import annotations

from pathlib import Path

import click

from matrix.base import paths
from matrix.base.errors import BadRecord
from matrix.base.text import plain
from matrix.site import build


@click.group()
def cli() -> None:
    """Holds the verb; `matrix/cli/main.py` is the command line."""


@cli.command()
@click.option("--reports", type=click.Path(path_type=Path), default=paths.REPORTS, help="Where the records are kept.")
@click.option("--output", type=click.Path(path_type=Path), default=paths.SITE, help="The folder that is replaced.")
def site(reports: Path, output: Path) -> None:
    """Write the pages from the records: static files, for any web server or to be opened from disk."""
    written = build.build(reports, output)
    click.echo(f"{written.files} files; open {written.folder / 'index.html'}")
    if written.left_out:
        faults = "\n".join(plain(fault) for fault in written.left_out)
        raise BadRecord(f"these records are left out:\n{faults}", "remove them, and run the matrix again")
