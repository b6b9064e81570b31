"""The verbs that make records, on one machine or on many: `run`, `plan`, `merge`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click

from matrix import spine
from matrix.base.errors import BadRecord, Prevented
from matrix.base.ids import BACKENDS, Backend, EngineName
from matrix.base.text import plain
from matrix.catalog import releases as catalog
from matrix.catalog.approaches import APPROACHES
from matrix.cli.options import reports_option
from matrix.cli.terminal import RELEASES, console, say, tell_summary
from matrix.plan import shards
from matrix.plan.due import Estimate
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection
from matrix.provision import engines
from matrix.record import folder
from matrix.record.records import Record
from matrix.run import merge as merge_
from matrix.run.progress import by_question, in_words
from matrix.speed import speed_merge
from matrix.suite import catalog as suite

LOOK = "Observe only these cells, and show what came of them; only whole runs are recorded."


def _chosen(command: Callable[..., None]) -> Callable[..., None]:
    """The options that select runs; shards are made of the same ones everywhere, from the same variables."""
    for option in (
        click.option("--profile", "profiles", multiple=True, help="Of matrix/data/profiles.toml; all by default."),
        click.option("--backend", "backends", multiple=True, default=["cpu"], type=click.Choice(BACKENDS),
                     show_default=True, envvar="MATRIX_BACKENDS", show_envvar=True),
        click.option("--release", "releases", multiple=True, default=["landmarks"], show_default=True, help=RELEASES,
                     envvar="MATRIX_RELEASES", show_envvar=True),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@_chosen
@click.option("--approach", "approaches", multiple=True, type=click.Choice(list(APPROACHES)), help=LOOK)
@click.option("--mode", "modes", multiple=True, type=click.Choice(list(suite.MODES)), help="Likewise.")
@click.option("--check", "checks", multiple=True, type=click.Choice(list(suite.CHECKS)), help="Likewise.")
@click.option("--engine", type=click.Choice(sorted(engines.ENGINES)), help="The first that answers, by default.")
@reports_option
@click.option("--again", is_flag=True, help="Make runs again whose records are current.")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--emulate", metavar="PROCESSOR", default="", help="The core, on one of matrix/data/emulators.toml.")
@click.option("--shard", metavar="I/N", help="Only the I-th of N shards, and into a folder of its own; see `plan`.")
@click.option("--into", type=click.Path(path_type=Path), help="The shard's folder.  [default: shards/I-of-N]")
def run(
    releases: tuple[str, ...],
    backends: tuple[str, ...],
    profiles: tuple[str, ...],
    approaches: tuple[str, ...],
    modes: tuple[str, ...],
    checks: tuple[str, ...],
    engine: EngineName | None,
    reports: Path,
    again: bool,
    only_plan: bool,
    emulate: str,
    shard: str | None,
    into: Path | None,
) -> None:
    """Make the runs that are due, record them, refresh the table."""
    selection = Selection(
        releases=releases,
        backends=_in_order(backends),
        profiles=profiles,
        approaches=approaches,
        modes=modes,
        checks=checks,
        emulator=emulate,
    )
    part = shards.parse(shard, into) if shard else None
    prepared = spine.prepare(selection, engine, reports, again=again, shard=part)
    _tell_plan(prepared, whole=only_plan)
    if not prepared.due and not part:
        say(f"the table: {reports / 'SUPPORT.md'}; to judge the records anew: nox -s report")
    if only_plan or not (prepared.due or part or folder.behind(reports).exists()):
        return
    done = spine.carry_out(prepared, reports, console)
    for record in done.unwritten:
        say(f"not recorded: {in_words(record)}")
        for line in by_question(record):
            say(f"  {line}")
    if part:
        say(f"the shard's records: {part.folder}; to put shards together: python -m matrix merge")
    else:
        tell_summary(spine.refresh(reports), reports)
    _complain_of_the_machine(done.prevented)


@click.command()
@_chosen
@click.option(
    "--shards",
    "number",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    envvar="MATRIX_SHARDS",
    show_envvar=True,
    help="How many machines share the work; each makes one with `run --shard I/N`.",
)
@reports_option
@click.option("--json", "as_json", is_flag=True, help="For programs: plan/1, with a job matrix for each backend.")
@click.option("--github-output", type=click.Path(path_type=Path), help="Append `plan=JSON` to this file as well.")
def plan(
    releases: tuple[str, ...],
    backends: tuple[str, ...],
    profiles: tuple[str, ...],
    number: int,
    reports: Path,
    as_json: bool,
    github_output: Path | None,
) -> None:
    """Divide the runs into shards, by what they were recorded to take; all of them, also those that are current."""
    selection = Selection(releases=releases, backends=_in_order(backends), profiles=profiles)
    made = shards.plan(plan_runs(catalog.load(), selection, "docker"), number, shards.seconds_of(reports))
    if github_output:
        with github_output.open("ab") as stream:
            stream.write(b"plan=" + shards.encode(made) + b"\n")
    if as_json:
        click.echo(shards.encode(made))
    else:
        _tell_shards(made)


@click.command()
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--plan",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What `plan --json` said: runs that no shard brought are shown as not run.",
)
@reports_option
def merge(folders: tuple[Path, ...], file: Path | None, reports: Path) -> None:
    """Put the records of shards together, each DIR a shard's folder or one of such folders, and judge them."""
    planned = shards.read(file) if file else None
    with folder.holding(reports):
        timed = speed_merge.choose(folders, reports)
        merged = merge_.merge(folders, reports, planned)
        speed_merge.write(timed, reports)
    _tell_merged(merged)
    say(f"{timed.found} speed files, {len(timed.better)} of them new or better than before")
    tell_summary(spine.refresh(reports), reports)
    if faults := (*merged.faults, *timed.faults):
        raise BadRecord("\n  ".join(["these are no records, and were left out:", *map(str, faults)]))


def _in_order(backends: Iterable[str]) -> tuple[Backend, ...]:
    return tuple(backend for backend in BACKENDS if backend in backends)


def _complain_of_the_machine(prevented: Sequence[Record]) -> None:
    """After all else is told, so that whoever only looks at the exit status learns of it too."""
    if prevented:
        told = (f"{record.header.run}: {record.header.status}, {record.header.reason}" for record in prevented)
        what = "\n  ".join([f"this machine prevented {len(prevented)} runs", *(plain(one) for one in told)])
        raise Prevented(what, "nothing of that counts against TensorFlow; the same command tries them again")


def _tell_shards(made: shards.Plan) -> None:
    for shard in made.every():
        targets = len({run.partition("+")[0] for run in shard.runs})
        say(f"{shard.name:>7} {shard.backend:4}  {len(shard.runs):3} runs of {targets} targets, {_time(shard.seconds)}")
    runs = sum(len(shard.runs) for shard in made.every())
    say(f"{runs} runs, {_time(sum(shard.seconds for shard in made.every()))}, where one goes after the other")
    for shard in made.too_long():
        say(f"GitHub would end shard {shard.name} on a runner of its own: it takes more than 6 h")


def _tell_merged(merged: merge_.Merged) -> None:
    say(f"{merged.found} records in {merged.folders} folders, {len(merged.written)} of them new or better than before")
    for one in merged.absent:
        say(f"  not run: {one.content.header.run}: {one.content.header.reason}")
    for shard in merged.unplaced:
        say(f"  shard {shard.name}: no record of {shard.backend} came; its {len(shard.runs)} runs stay as they are")


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{max(1, round(seconds / 60))} min"


def _tell_plan(prepared: spine.Sweep, *, whole: bool) -> None:
    say(f"engine {prepared.engine} ({prepared.engine_why})")
    if whole:
        for planned in prepared.due:
            say(f"  due      {planned.run.id}")
        for record in prepared.current:
            say(f"  current  {record.header.run} ({record.header.started[:10]})")
    say(f"{len(prepared.due)} runs due, {len(prepared.current)} current: {_in_words(prepared.estimate)}")


def _in_words(estimate: Estimate) -> str:
    if not estimate.runs:
        return "nothing to do (--again makes them all the same)"
    builds = f"{estimate.environments} environments to install (up to 0.6 GB of downloads each), "
    return f"{builds if estimate.environments else ''}about {max(1, round(estimate.seconds / 60))} min"
