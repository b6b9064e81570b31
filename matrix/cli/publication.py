"""The verbs that write, keep and seal what is published."""

from __future__ import annotations

from pathlib import Path

import click

from matrix import spine
from matrix.base import paths
from matrix.cli.options import reports_option
from matrix.cli.terminal import refuse_broken, say, tell_summary
from matrix.judge import history
from matrix.record import folder
from matrix.record import seal as sealed
from matrix.site import build


@click.command()
@reports_option
@click.option("--output", type=click.Path(path_type=Path), default=paths.SITE, help="The folder to replace.")
def site(reports: Path, output: Path) -> None:
    """Write the pages from the records: static files, for any web server or to be opened from disk."""
    written = build.build(reports, output)
    say(f"{written.files} files; open {written.folder / 'index.html'}")
    refuse_broken(written.left_out)


@click.command()
@reports_option
def report(reports: Path) -> None:
    """Judge the records again, and write SUPPORT.md, the other reports and the README's table."""
    tell_summary(spine.refresh(reports), reports)


@click.command()
@reports_option
def keep(reports: Path) -> None:
    """Keep this month's table, so that `diff` can compare it with a later one."""
    say(f"kept: {history.keep(reports)}; there are {', '.join(history.months(reports))}")


@click.command()
@reports_option
def seal(reports: Path) -> None:
    """Write SHA256SUMS, the list of all published files, to be attested.

    `sha256sum --check` reads the list too.
    """
    say(f"sealed: {sealed.seal(reports, folder.readme(reports))}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--repository", metavar="OWNER/NAME", help="Ask GitHub too whether this repository's workflow made them.",
              envvar="MATRIX_REPOSITORY", show_envvar=True)  # fmt: skip
def verify(file: Path, repository: str | None) -> None:
    """Check published files against FILE, their SHA256SUMS, and who made that list.

    Who made it is asked only with --repository.
    """
    say(f"{sealed.check(file)} files are those of {file}")
    if repository:
        say(f"attested {sealed.attested(file, repository)} times by {sealed.WORKFLOW} of {repository}")
