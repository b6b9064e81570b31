"""The verb that measures speed, in a module of its own: statistics take half a second to import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from matrix import spine
from matrix.base import paths
from matrix.base.errors import MachineError
from matrix.base.ids import BACKENDS, Backend
from matrix.base.text import plain
from matrix.cli.options import reports_option
from matrix.cli.terminal import RELEASES, console, say
from matrix.plan.selection import Selection
from matrix.provision import engines
from matrix.record import folder
from matrix.record.speed_records import Depth
from matrix.record.store import EngineName
from matrix.report.speed_tables import summary
from matrix.speed import speed_runs
from matrix.speed.comparisons import DEPTHS
from matrix.speed.speed_runs import PEERS, Asked, Outcome, Session

DEPTH = "quick: 3 points, a minute; default: 14, about 5 minutes; full: all layers and modes."


@click.command()
@click.option("--release", "releases", multiple=True, help=RELEASES)
@click.option("--profile", "profiles", multiple=True, help="By default oneDNN on and off, where it can be switched.")
@click.option("--backend", type=click.Choice(BACKENDS), default="cpu", show_default=True)
@click.option("--peer", "peers", multiple=True, type=click.Choice(PEERS), help="Another library. May be repeated.")
@click.option("--depth", type=click.Choice(DEPTHS), default="default", show_default=True, help=DEPTH)
@click.option("--engine", type=click.Choice(sorted(engines.ENGINES)), help="The first that answers, by default.")
@reports_option
@click.option(
    "--again", is_flag=True, help="Measure also what is current: that something became slower needs two runs."
)
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done, and do nothing.")
def speed(
    releases: tuple[str, ...],
    profiles: tuple[str, ...],
    backend: Backend,
    peers: tuple[str, ...],
    depth: Depth,
    engine: EngineName | None,
    reports: Path,
    again: bool,
    only_plan: bool,
) -> None:
    """Time the ways of writing it, one run after the other; nothing else should run on the machine meanwhile."""
    selection = Selection(releases=releases, backends=(backend,), profiles=profiles)
    asked = Asked(selection=selection, peers=peers, depth=depth, engine=engine, again=again)
    session = speed_runs.prepare(asked, reports)
    say(*_planned(session))
    if only_plan or not (session.due or folder.behind(reports).exists()):
        return
    outcome = speed_runs.carry_out(session, reports, console)
    spine.refresh(reports)
    _tell(outcome, reports)


def _planned(session: Session) -> Iterator[str]:
    yield f"engine {session.engine} ({session.engine_why}), depth {session.asked.depth}"
    for subject in session.due:
        yield f"  due      {subject.run}"
    for made in session.current:
        yield f"  current  {made.run} ({made.started[:10]}, {made.depth})"
    told = session.estimate
    builds = f"to be installed: {told.environments}; " if told.environments else ""
    time = f"{builds}about {max(1, round(told.seconds / 60))} min" if session.due else "nothing to do"
    yield f"due: {len(session.due)}, current: {len(session.current)}; {time}"


def _tell(outcome: Outcome, reports: Path) -> None:
    for made in (*outcome.made, *outcome.unpublished):
        say("", *summary(made))
    say("", *(f"{made.run}: not published, since what stands there is deeper" for made in outcome.unpublished))
    say(f"the whole of it: {reports / 'SUPPORT.md'}; the samples: {speed_runs.WORK}")
    if outcome.failed:
        told = "\n  ".join(plain(f"{run}: {why}", limit=500) for run, why in outcome.failed)
        raise MachineError(f"these were not measured:\n  {told}", f"what they said: {paths.LOGS}")
