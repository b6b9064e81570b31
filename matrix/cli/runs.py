"""The verbs that make and judge records: `run`, `report`, `update` and what serves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import click
import msgspec
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from matrix import spine
from matrix.answers import bisect as bisect_
from matrix.base import paths
from matrix.base.errors import BadRecord, MachineError, Prevented
from matrix.base.ids import BACKENDS, Backend
from matrix.base.text import plain
from matrix.catalog import releases as catalog
from matrix.catalog.approaches import APPROACHES
from matrix.judge import history
from matrix.judge.verdicts import NEEDS, core_case
from matrix.plan import selection as plan_
from matrix.plan import shards
from matrix.plan.due import Estimate
from matrix.plan.selection import SETS, Selection, select_releases
from matrix.provision import bases as bases_
from matrix.provision import doctor as doctor_
from matrix.provision import engines
from matrix.record import folder
from matrix.record import seal as sealed
from matrix.record.records import Record
from matrix.record.store import EngineName
from matrix.report import support_table
from matrix.report.report import Summary
from matrix.run import merge as merge_
from matrix.run.progress import by_question, in_words
from matrix.speed import speed_merge
from matrix.suite import catalog as suite
from matrix.update import refresh as update_

console = Console(soft_wrap=True)

RELEASES = f"A release: 2.15.1, a minor: 2.15, a range: 2.5..2.9, or {', '.join(SETS)}. May be repeated."
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


@click.group()
def cli() -> None:
    """Holds the verbs; `matrix/cli/main.py` is the command line."""


@cli.command()
@_chosen
@click.option("--approach", "approaches", multiple=True, type=click.Choice(list(APPROACHES)), help=LOOK)
@click.option("--mode", "modes", multiple=True, type=click.Choice(list(suite.MODES)), help="Likewise.")
@click.option("--check", "checks", multiple=True, type=click.Choice(list(suite.CHECKS)), help="Likewise.")
@click.option("--engine", type=click.Choice(sorted(engines.ENGINES)), help="The first that answers, by default.")
@click.option("--reports", type=click.Path(path_type=Path), default=paths.REPORTS, help="Where the records are kept.")
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
        _say(f"the table: {reports / 'SUPPORT.md'}; to judge the records anew: nox -s report")
    if only_plan or not (prepared.due or part or folder.behind(reports).exists()):
        return
    done = spine.carry_out(prepared, reports, console)
    for record in done.unwritten:
        _say(f"not recorded: {in_words(record)}")
        for line in by_question(record):
            _say(f"  {line}")
    if part:
        _say(f"the shard's records: {part.folder}; to put shards together: python -m matrix merge")
    else:
        _tell_summary(spine.refresh(reports), reports)
    _complain_of_the_machine(done.prevented)


@cli.command()
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
@click.option("--reports", type=click.Path(path_type=Path), default=paths.REPORTS, help="Where the records are kept.")
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
    made = shards.plan(plan_.plan(catalog.load(), selection, "docker"), number, shards.seconds_of(reports))
    if github_output:
        with github_output.open("ab") as stream:
            stream.write(b"plan=" + shards.encode(made) + b"\n")
    if as_json:
        click.echo(shards.encode(made))
    else:
        _tell_shards(made)


@cli.command()
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--plan",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What `plan --json` said: runs that no shard brought are shown as not run.",
)
@click.option("--reports", type=click.Path(path_type=Path), default=paths.REPORTS, help="Where they are put together.")
def merge(folders: tuple[Path, ...], file: Path | None, reports: Path) -> None:
    """Put the records of shards together, each DIR a shard's folder or one of such folders, and judge them."""
    planned = shards.read(file) if file else None
    with folder.holding(reports):
        timed = speed_merge.choose(folders, reports)
        merged = merge_.merge(folders, reports, planned)
        speed_merge.write(timed, reports)
    _tell_merged(merged)
    _say(f"{timed.found} speed files, {len(timed.better)} of them new or better than before")
    _tell_summary(spine.refresh(reports), reports)
    if faults := (*merged.faults, *timed.faults):
        raise BadRecord("\n  ".join(["these are no records, and were left out:", *map(str, faults)]))


@cli.command()
@click.option("--reports", type=click.Path(path_type=Path), default=paths.REPORTS, help="Where the records are kept.")
def report(reports: Path) -> None:
    """Judge the records anew: support.json, SUPPORT.md and the README's table."""
    _tell_summary(spine.refresh(reports), reports)


@cli.command()
@click.option("--reports", type=click.Path(path_type=Path), default=paths.REPORTS, help="Where the table is.")
def keep(reports: Path) -> None:
    """Keep this month's table, so that `diff` can compare it with a later one."""
    _say(f"kept: {history.keep(reports)}; there are {', '.join(history.months(reports))}")


@cli.command()
@click.option("--reports", type=click.Path(path_type=Path), default=paths.REPORTS, help="What is published.")
def seal(reports: Path) -> None:
    """Write SHA256SUMS of everything that is published, to be attested; `sha256sum --check` reads it too."""
    _say(f"sealed: {sealed.seal(reports, folder.readme(reports))}")


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--repository", metavar="OWNER/NAME", help="Ask GitHub as well whether its workflow published them.",
              envvar="MATRIX_REPOSITORY", show_envvar=True)  # fmt: skip
def verify(file: Path, repository: str | None) -> None:
    """Check published files against their SHA256SUMS, and that against GitHub's attestation of it."""
    _say(f"{sealed.check(file)} files are those of {file}")
    if repository:
        _say(f"attested {sealed.attested(file, repository)} times by {sealed.WORKFLOW} of {repository}")


@cli.command()
@click.option("--ready", type=click.Choice(BACKENDS), help="Fail where this machine cannot run this backend now.")
def doctor(ready: Backend | None) -> None:
    """What this machine has and lacks for the matrix, each missing piece with its cure."""
    findings = list(doctor_.ready(ready) if ready else doctor_.examine())
    for finding in findings:
        _say(
            f"{'ok     ' if finding.ok else 'missing'} {finding.what}"
            + (f"\n        {finding.cure}" if finding.cure else "")
        )
    if ready and not all(finding.ok for finding in findings):
        raise MachineError(f"this machine is not ready for {ready}", "mend what is missing above, then try again")


@cli.command()
@click.argument("releases", nargs=-1)
def update(releases: tuple[str, ...]) -> None:
    """Ask the package index for releases, and lock every target anew, or those of RELEASES."""
    update_.update(releases, say=_say)


@cli.command()
@click.option("--release", "releases", multiple=True, default=["landmarks"], show_default=True, help=RELEASES)
@click.option("--backend", "backends", multiple=True, default=["cpu"], type=click.Choice(BACKENDS), show_default=True)
def bases(releases: tuple[str, ...], backends: tuple[Backend, ...]) -> None:
    """Make the images that targets are built on from Debian's archive, where no registry can be reached."""
    chosen = select_releases(catalog.load(), releases)
    targets = [release.target(backend) for release in chosen for backend in backends if backend in release.wheels]
    bases_.make_for(targets, _say)


@cli.command()
@click.option("--approach", required=True, type=click.Choice(list(APPROACHES)))
@click.option("--check", required=True, type=click.Choice(list(suite.CHECKS)))
@click.option("--mode", type=click.Choice(list(suite.MODES)), default="graph", show_default=True)
@click.option("--profile", default="default", show_default=True, help="Of matrix/data/profiles.toml.")
@click.option("--case", help="The approach's base with bias and ReLU, by default.")
@click.option("--no-runs", is_flag=True, help="By the records alone.")
@click.option("--reports", type=click.Path(path_type=Path), default=paths.REPORTS, help="Where the records are kept.")
@click.option("--json", "as_json", is_flag=True, help="As JSON; what is being tried goes to standard error.")
@click.argument("good")
@click.argument("bad")
def bisect(
    approach: str,
    check: str,
    mode: str,
    profile: str,
    case: str | None,
    no_runs: bool,
    reports: Path,
    as_json: bool,
    good: str,
    bad: str,
) -> None:
    """Between which two builds from GOOD to BAD a cell changed: by the records, then by trying what lies between."""
    chosen = plan_.select_profiles(catalog.load(), [profile])[0]
    question = bisect_.Question(cell=(approach, mode, check, case or core_case(approach)), profile=chosen)
    found = bisect_.by_records(question, good, bad, reports)
    say = partial(click.echo, err=True) if as_json else _say
    for line in bisect_.told(question, found):
        say(plain(line, limit=500))
    narrowed = None if no_runs else bisect_.Trial(question=question, found=found, say=say).narrowed()
    for line in bisect_.told(question, narrowed) if narrowed else ():
        say(plain(line, limit=500))
    if as_json:
        answer = bisect_.Answer(cell="/".join(question.cell), profile=profile, by_records=found, narrowed=narrowed)
        click.echo(msgspec.json.format(msgspec.json.encode(answer)))


@cli.command()
def clean() -> None:
    """Remove the environments and working files; records and reports stay."""
    freed = sum(engine.clean() for engine in engines.ENGINES.values() if engine.trouble() is None)
    _say(f"{freed / 2**30:.1f} GiB removed")


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
        _say(
            f"{shard.name:>7} {shard.backend:4}  {len(shard.runs):3} runs of {targets} targets, {_time(shard.seconds)}"
        )
    runs = sum(len(shard.runs) for shard in made.every())
    _say(f"{runs} runs, {_time(sum(shard.seconds for shard in made.every()))}, where one goes after the other")
    for shard in made.too_long():
        _say(f"GitHub would end shard {shard.name} on a runner of its own: it takes more than 6 h")


def _tell_merged(merged: merge_.Merged) -> None:
    _say(f"{merged.found} records in {merged.folders} folders, {len(merged.written)} of them new or better than before")
    for one in merged.absent:
        _say(f"  not run: {one.made.header.run}: {one.made.header.reason}")
    for shard in merged.unplaced:
        _say(f"  shard {shard.name}: no record of {shard.backend} came; its {len(shard.runs)} runs stay as they are")


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{max(1, round(seconds / 60))} min"


def _tell_plan(prepared: spine.Sweep, *, whole: bool) -> None:
    _say(f"engine {prepared.engine} ({prepared.engine_why})")
    if whole:
        for planned in prepared.due:
            _say(f"  due      {planned.run.id}")
        for record in prepared.current:
            _say(f"  current  {record.header.run} ({record.header.started[:10]})")
    _say(f"{len(prepared.due)} runs due, {len(prepared.current)} current: {_in_words(prepared.estimate)}")


def _tell_summary(summary: Summary, reports: Path) -> None:
    for short in summary.shorts:
        _say(f"\n{short.backend}, host class {short.host_class}; * is what the release does there when nothing is set")
        console.print(_table(short))
        if short.unobserved:
            _say(f"tried and not observed there: {', '.join(short.unobserved)}")
    for line in support_table.in_words(summary.headline):
        _say(line)
    for line in summary.marks:
        _say(line)
    _say(f"the whole table: {reports / 'SUPPORT.md'}; what a word means and the ways round stand in its notes")
    if summary.faults:
        faults = "\n".join(plain(str(fault)) for fault in summary.faults)
        raise BadRecord(f"these records are left out:\n{faults}", "remove them, and run the matrix again")


def _table(short: support_table.Short) -> Table:
    """Narrow enough for a terminal of 80 columns: what fails only in part is told by the notes."""
    heads = [Column("approach", no_wrap=True), Column("oneDNN", no_wrap=True), Column("TensorFlow", min_width=11)]
    needs = (need.removeprefix("infer-") for need in NEEDS)
    drawn = Table(*heads, *needs, box=SIMPLE, padding=(0, 1, 0, 0))
    for row in short.rows:
        seen = ", ".join(_span(span) for span in row.spans)
        answers = (f"some {said.partition(':')[0]}" if ":" in said else said for said in row.answers.values())
        drawn.add_row(*map(Text, (row.approach, row.onednn, seen, *answers)))
    return drawn


def _span(span: Sequence[support_table.Seen]) -> str:
    first, last = span[0], span[-1]
    both = first.release if first is last else f"{first.release} to {last.release}"
    return both + "*" * first.by_default


def _in_words(estimate: Estimate) -> str:
    if not estimate.runs:
        return "nothing to do (--again makes them all the same)"
    builds = f"{estimate.environments} environments to install (up to 0.6 GB of downloads each), "
    return f"{builds if estimate.environments else ''}about {max(1, round(estimate.seconds / 60))} min"


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False)
