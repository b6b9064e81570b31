"""The verb that measures speed, in a module of its own: the statistics take half a second to import."""

from __future__ import annotations

import os
from pathlib import Path

import click

from matrix import spine
from matrix.base import paths
from matrix.base.errors import BadUsage, MachineError
from matrix.base.ids import BACKENDS, Backend, EngineName
from matrix.base.text import plain
from matrix.cli.options import reports_option
from matrix.cli.terminal import RELEASES, console, say
from matrix.plan.selection import Selection
from matrix.provision import engines
from matrix.record import folder
from matrix.record.speed_records import Depth
from matrix.report.speed_tables import summary
from matrix.speed import speed_runs
from matrix.speed.comparisons import DEPTHS
from matrix.speed.speed_runs import PEERS, Asked

DEPTH = (
    "quick: 3 points, a minute; default: 14, about 5 minutes; full: all layers and modes;"
    " half: three layers in f16 and bf16; network: ShuffleNet, one image; networks: five networks, one image and eight."
)
THREADS = "Of each process; `all`: as many as there are cores. Each has files of its own."
AGAIN = "Measure current runs again too; only a second run confirms that something became slower."


@click.command()
@click.option("--release", "releases", multiple=True, help=RELEASES)
@click.option("--profile", "profiles", multiple=True, help="By default oneDNN on and off, where it can be switched.")
@click.option("--backend", type=click.Choice(BACKENDS), default="cpu", show_default=True)
@click.option("--peer", "peers", multiple=True, type=click.Choice(PEERS), help="Another library. May be repeated.")
@click.option("--depth", type=click.Choice(DEPTHS), default="default", show_default=True, help=DEPTH)
@click.option("--threads", type=click.Choice(("1", "all")), default="1", show_default=True, help=THREADS)
@click.option("--engine", type=click.Choice(sorted(engines.ENGINES)), help="By default the first that can be used.")
@reports_option
@click.option("--again", is_flag=True, help=AGAIN)
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done, and do nothing.")
def speed(
    releases: tuple[str, ...], profiles: tuple[str, ...], backend: Backend, peers: tuple[str, ...], depth: Depth,
    threads: str, engine: EngineName | None, reports: Path, again: bool, only_plan: bool,
) -> None:  # fmt: skip
    """Time the approaches, one run after the other; nothing else should run on the machine meanwhile."""
    selection = Selection(releases=releases, backends=(backend,), profiles=profiles)
    cores = len(os.sched_getaffinity(0)) if threads == "all" else 1
    if threads == "all" and cores == 1:
        raise BadUsage("this machine has one core: all threads are one", "leave out --threads")
    asked = Asked(selection=selection, peers=peers, depth=depth, threads=cores, engine=engine, again=again)
    session = speed_runs.prepare(asked, reports)
    say(f"engine {session.engine} ({session.engine_why}), depth {depth}, threads {cores}")
    say(*(f"  due      {subject.run}" for subject in session.due))
    say(*(f"  current  {made.run} ({made.started[:10]}, {made.depth})" for made in session.current))
    time = "nothing to do"
    if session.due:
        builds = f"to be installed: {session.estimate.environments}; " if session.estimate.environments else ""
        time = f"{builds}about {max(1, round(session.estimate.seconds / 60))} min"
    say(f"due: {len(session.due)}, current: {len(session.current)}; {time}")
    if only_plan or not (session.due or folder.behind(reports).exists()):
        return
    outcome = speed_runs.carry_out(session, reports, console)
    spine.refresh(reports)
    for made in (*outcome.made, *outcome.unpublished):
        say("", *summary(made))
    say("", *(f"{made.run}: not published, since a deeper run stands there" for made in outcome.unpublished))
    say(f"all of it: {reports / 'SUPPORT.md'}; the samples: {speed_runs.WORK}")
    if outcome.failed:
        failures = "\n  ".join(plain(f"{run}: {why}", limit=500) for run, why in outcome.failed)
        raise MachineError(f"these were not measured:\n  {failures}", f"their logs: {paths.LOGS}")
