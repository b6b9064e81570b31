"""The verbs that make records, on one machine or on many: `run`, `plan`, `merge`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from matrix import spine
from matrix.base.errors import BadRecord, Prevented
from matrix.base.ids import BACKENDS, MACHINES, Architecture, Backend, Depth, EngineName
from matrix.base.text import listed_below, plain
from matrix.catalog import releases as catalog
from matrix.catalog.approaches import APPROACHES
from matrix.cli.options import reports_option
from matrix.cli.printing import tell
from matrix.cli.terminal import RELEASES, console, say, tell_summary
from matrix.plan import shards
from matrix.plan.run_list import plan_runs
from matrix.plan.selection import Selection
from matrix.provision import engines
from matrix.record import folder, quarantine
from matrix.run.progress import by_question, in_words
from matrix.suite import catalog as suite

DEPTH = "; ".join(f"{name}: {what}" for name, what in suite.DEPTHS.items()) + "."
LOOK = "Observe only these cells, and show their outcomes; only whole runs are recorded."


def _chosen(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that select runs.

    Environment variables set them too, so that all machines cut their shards from the same runs.
    """
    for option in (
        click.option("--profile", "profiles", multiple=True, help="Of matrix/data/profiles.toml; by default all."),
        click.option("--backend", "backends", multiple=True, default=["cpu"], type=click.Choice(BACKENDS),
                     show_default=True, envvar="MATRIX_BACKENDS", show_envvar=True),
        click.option("--machine", "machines", multiple=True, type=click.Choice(MACHINES), envvar="MATRIX_MACHINES",
                     show_envvar=True, help="Processor architectures, to be shared by shards; by default this one's."),
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
@click.option("--engine", type=click.Choice(sorted(engines.ENGINES)), help="By default the first that can be used.")
@reports_option
@click.option("--depth", type=click.Choice(list(suite.DEPTHS)), default="core", show_default=True,
              envvar="MATRIX_DEPTH", show_envvar=True, help=DEPTH)  # fmt: skip
@click.option("--again", is_flag=True, help="Make runs with a current record again too.")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--emulate", metavar="PROCESSOR", default="", help="Run the core on a processor of matrix/data/emulators.toml."
)
@click.option("--shard", metavar="I/N", help="Make only the I-th of N shards, into a folder of its own; see `plan`.")
@click.option("--into", type=click.Path(path_type=Path), help="The shard's folder.  [default: shards/I-of-N]")
def run(
    releases: tuple[str, ...], backends: tuple[str, ...], machines: tuple[Architecture, ...],
    profiles: tuple[str, ...], approaches: tuple[str, ...],
    modes: tuple[str, ...], checks: tuple[str, ...], engine: EngineName | None, reports: Path, again: bool,
    depth: Depth, only_plan: bool, emulate: str, shard: str | None, into: Path | None,
) -> None:  # fmt: skip
    """Make the runs that are due, record them, and refresh the support table."""
    selection = Selection(releases=releases, backends=_in_order(backends), profiles=profiles, approaches=approaches,
                          modes=modes, checks=checks, emulator=emulate, depth=depth,
                          machines=machines)  # fmt: skip
    part = shards.parse(shard, into) if shard else None
    prepared = spine.prepare(selection, engine, reports, again=again, shard=part)
    _tell_plan(prepared, whole=only_plan)
    if not prepared.due and not part:
        say(f"the table: {reports / 'SUPPORT.md'}; to judge the records again: nox -s report")
    if only_plan or not (prepared.due or part or folder.behind(reports).exists()):
        return
    done = spine.carry_out(prepared, reports, console)
    for record in done.unwritten:
        say(f"not recorded: {in_words(record)}", *(f"  {line}" for line in by_question(record)))
    if part:
        say(f"the shard's records: {part.folder}; to put shards together: nox -s merge")
    else:
        tell_summary(spine.refresh(reports), reports)
    if done.without_python:
        reasons = dict.fromkeys(plain(record.header.reason or "") for record in done.without_python)
        say(f"{len(done.without_python)} runs were not made for want of a Python:", *(f"  {one}" for one in reasons))
    # after all else is told, so that whoever only looks at the exit status learns of it too
    if done.prevented:
        headers = [record.header for record in done.prevented]
        causes = [plain(f"{header.run}: {header.status}, {header.reason}") for header in headers]
        what = "\n  ".join([f"this machine prevented {len(causes)} runs", *causes])
        raise Prevented(what, "none of them counts against TensorFlow; the same command tries them again")


def _tell_plan(prepared: spine.Sweep, *, whole: bool) -> None:
    say(f"engine {prepared.engine} ({prepared.engine_why})")
    if whole:
        say(*(f"  due      {planned.run.id}" for planned in prepared.due))
        say(*(f"  current  {made.header.run} ({made.header.started[:10]})" for made in prepared.current))
    estimate = prepared.estimate
    work = "nothing to do (--again makes them all the same)"
    if estimate.of:
        builds = f"{estimate.environments} environments to install (up to 0.6 GB of downloads each), "
        work = f"{builds if estimate.environments else ''}about {max(1, round(estimate.seconds / 60))} min"
    say(f"{len(prepared.due)} runs due, {len(prepared.current)} current: {work}")


@click.command()
@_chosen
@click.option("--shards", "number", type=click.IntRange(min=1), default=1, show_default=True, envvar="MATRIX_SHARDS",
              show_envvar=True, help="How many machines share the work; each makes one shard.")  # fmt: skip
@reports_option
@click.option("--json", "as_json", is_flag=True, help="For programs: plan/1, with a job matrix for each backend.")
@click.option("--github-output", type=click.Path(path_type=Path), help="Append `plan=JSON` to this file as well.")
def plan(
    releases: tuple[str, ...], backends: tuple[str, ...], machines: tuple[Architecture, ...],
    profiles: tuple[str, ...], number: int, reports: Path, as_json: bool, github_output: Path | None,
) -> None:  # fmt: skip
    """Divide the runs into shards that take equally long; each machine makes one with `run --shard I/N`.

    Recorded times tell how long a run takes. Runs with a current record are divided too.
    """
    selection = Selection(releases=releases, backends=_in_order(backends), profiles=profiles, machines=machines)
    made = shards.plan(plan_runs(catalog.load(), selection, "docker"), number, shards.seconds_of(reports))
    if github_output:
        with github_output.open("ab") as stream:
            stream.write(b"plan=" + shards.encode(made) + b"\n")
    if as_json:
        tell(shards.encode(made).decode())
        return
    every = list(made.every())
    for shard in every:
        targets = len({run.partition("+")[0] for run in shard.runs})
        say(f"{shard.name:>7} {shard.kind:4}  {len(shard.runs):3} runs of {targets} targets, {_time(shard.seconds)}")
    total = _time(sum(shard.seconds for shard in every))
    say(f"{sum(len(shard.runs) for shard in every)} runs, {total}, where one goes after the other")
    for shard in made.too_long():
        say(f"GitHub would end shard {shard.name} on a runner of its own: it takes more than 6 h")


@click.command()
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--plan", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="The output of `plan --json`: runs that no shard brought are shown as not run.")  # fmt: skip
@reports_option
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
def merge(folders: tuple[Path, ...], file: Path | None, reports: Path, dry_run: bool) -> None:
    """Put the records of shards together, and judge them.

    Each DIR is the folder of a shard, or a folder of such folders.
    """
    planned = shards.read(file) if file else None
    together = spine.merge(folders, reports, planned, dry_run=dry_run)
    merged, timed = together.records, together.timed
    say(f"{merged.found} records in {merged.folders} folders, {len(merged.better)} of them new or better than before")
    say(*(f"  not run: {one.content.header.run}: {one.content.header.reason}" for one in merged.absent))
    for shard in merged.unplaced:
        say(f"  shard {shard.name}: no record of {shard.kind} came; its {len(shard.runs)} runs stay as they are")
    say(f"{timed.found} speed files, {len(timed.better)} of them new or better than before")
    if not dry_run:
        tell_summary(spine.refresh(reports), reports)
    if together.faults:
        what = listed_below("these were not believed, and were left out:", [str(fault) for fault in together.faults])
        raise BadRecord(what, f"copies to look at: {quarantine.FOLDER}" if together.aside else "")


def _in_order(backends: Iterable[str]) -> tuple[Backend, ...]:
    return tuple(backend for backend in BACKENDS if backend in backends)


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{max(1, round(seconds / 60))} min"
