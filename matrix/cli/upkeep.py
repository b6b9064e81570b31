"""The verbs that look after the machine and the catalog."""

from __future__ import annotations

import click

from matrix.base.errors import MachineError
from matrix.base.ids import BACKENDS, Backend
from matrix.catalog import releases as catalog
from matrix.cli.terminal import RELEASES, say
from matrix.plan.selection import select_releases
from matrix.provision import base_images, engines
from matrix.provision import doctor as doctor_
from matrix.update import refresh as update_


@click.command()
@click.option("--ready", type=click.Choice(BACKENDS), help="Fail where this machine cannot run this backend now.")
def doctor(ready: Backend | None) -> None:
    """List what this machine has and lacks for the matrix, and how to get what is missing."""
    findings = list(doctor_.ready(ready) if ready else doctor_.examine())
    for finding in findings:
        say(f"{'ok     ' if finding.ok else 'missing'} {finding.what}")
        if finding.cure:
            say(f"        {finding.cure}")
    if ready and not all(finding.ok for finding in findings):
        raise MachineError(f"this machine is not ready for {ready}", "mend what is missing above, then try again")


@click.command()
@click.argument("releases", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Ask the index, say what would change, and write nothing.")
def update(releases: tuple[str, ...], dry_run: bool) -> None:
    """Ask the package index for new releases, and lock the packages of every target again.

    With RELEASES, only of their targets.
    """
    update_.update(releases, say=say, dry_run=dry_run)


@click.command()
@click.option("--release", "releases", multiple=True, default=["landmarks"], show_default=True, help=RELEASES)
@click.option("--backend", "backends", multiple=True, default=["cpu"], type=click.Choice(BACKENDS), show_default=True)
def bases(releases: tuple[str, ...], backends: tuple[Backend, ...]) -> None:
    """Make base images from Debian's archive, for a Docker Engine that reaches no registry."""
    chosen = select_releases(catalog.load(), releases)
    targets = [release.target(backend) for release in chosen for backend in backends if backend in release.wheels]
    base_images.make_for(targets, say)


@click.command()
@click.option("--dry-run", is_flag=True, help="Say how much would be removed, and remove nothing.")
def clean(dry_run: bool) -> None:
    """Remove environments, images and working files; records and reports stay."""
    usable = [engine for engine in engines.ENGINES.values() if engine.trouble() is None]
    freed = sum(engine.clean(dry_run=dry_run) for engine in usable)
    say(f"{freed / 2**30:.1f} GiB {'at most would be ' if dry_run else ''}removed")
