"""The verbs that answer questions from the published records, each within half a second."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from matrix.answers import contributed, lookup, probe_build, terminal
from matrix.answers import published as index
from matrix.answers import show as show_
from matrix.answers.advise import MODES, WISHES, Asked, Wish
from matrix.answers.advise import advise as advise_
from matrix.answers.explain import explain as explain_
from matrix.answers.lookup import Machine
from matrix.answers.reproduction import script
from matrix.base.errors import BadUsage
from matrix.base.ids import BACKENDS, Backend
from matrix.catalog import known_errors, releases
from matrix.catalog.approaches import APPROACHES
from matrix.cli.options import give, json_option, reports_option
from matrix.judge.notes import causes
from matrix.record.records import Mode
from matrix.suite import catalog as suite

MAX_TEXT = 1_000_000

release_option = click.option("--release", required=True, help="A TensorFlow, as 2.8 or 2.8.4.")
backend_option = click.option("--backend", type=click.Choice(BACKENDS), default="cpu", show_default=True)


@click.command()
@click.argument("text", required=False)
@click.option("--release", help="The TensorFlow that gave it, as 2.8 or 2.8.4.")
@click.option("--backend", type=click.Choice(BACKENDS))
@reports_option
@json_option
def explain(text: str | None, release: str | None, backend: Backend | None, reports: Path, as_json: bool) -> None:
    """What an error TEXT means, where it holds and what goes round it; a whole traceback on standard input will do."""
    told = text if text is not None else sys.stdin.read(MAX_TEXT)
    if not told.strip():
        raise BadUsage("there is no text to explain", 'give it as in: explain "Fused conv implementation does not ..."')
    explanation = explain_(told, _published(reports).answers, release=release, backend=backend)
    give(explanation, as_json=as_json, lines=terminal.explained(explanation, releases.load()))


@click.command()
@release_option
@backend_option
@click.option("--need", "wish", required=True, type=click.Choice(WISHES))
@click.option(
    "--mode", "modes", multiple=True, type=click.Choice(list(suite.MODES)), help="All that count, by default."
)
@click.option("--dtype", type=click.Choice(suite.DTYPES), default="f32", show_default=True)
@click.option("--groups", type=click.IntRange(min=1), help="How many; 4 are measured most.")
@click.option("--this-machine", "here", is_flag=True, help="Of the processor that this runs on.")
@click.option("--cpu-flags", help="Of a processor with these flags of /proc/cpuinfo: avx2,fma,avx512f.")
@reports_option
@json_option
def advise(
    release: str,
    backend: Backend,
    wish: Wish,
    modes: tuple[Mode, ...],
    dtype: str,
    groups: int | None,
    here: bool,
    cpu_flags: str | None,
    reports: Path,
    as_json: bool,
) -> None:
    """What to write on a release so that it infers or trains: in order, with the code and the variable to set."""
    machine = Machine.here() if here else Machine.with_flags(cpu_flags.split(",")) if cpu_flags else None
    asked = Asked(wish=wish, modes=list(modes or MODES[wish]), dtype=dtype, groups=groups)
    known, data = causes(known_errors.load()), releases.load()
    advice = advise_(lookup.load(reports, release, backend, machine), asked, data, known, machine)
    give(advice, as_json=as_json, lines=terminal.advised(advice, data))


@click.command()
@release_option
@click.option("--approach", required=True, type=click.Choice(list(APPROACHES)))
@backend_option
@click.option("--profile", help="Of matrix/data/profiles.toml; all, by default.")
@click.option("--cell", default="*", help="Only mode/check/case like this: 'graph/forward/g4-k3/bias_relu/*'.")
@click.option("--script", "as_script", is_flag=True, help="A script that makes the first of the failing cells happen.")
@reports_option
@json_option
def show(
    release: str,
    approach: str,
    backend: Backend,
    profile: str | None,
    cell: str,
    as_script: bool,
    reports: Path,
    as_json: bool,
) -> None:
    """What was recorded of an approach on a release: cells, evidence, a script that reproduces one."""
    loaded = lookup.load(reports, release, backend)
    showing = show_.show(loaded, approach, cell, causes(known_errors.load()))
    if as_script:
        click.echo(script(show_.reproduction(showing, releases.load(), profile)), nl=False)
        return
    chosen = [one for one in showing.shown if profile in {None, one.profile}]
    give(msgspec.structs.replace(showing, shown=chosen), as_json=as_json, lines=show_.lines(showing))


@click.command()
@reports_option
@json_option
def claims(reports: Path, as_json: bool) -> None:
    """What is commonly said of grouped and fused convolution, and what the records say to it."""
    published = _published(reports)
    give(published.claims, as_json=as_json, lines=terminal.claimed(published.claims))


@click.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default=Path("probe.pyz"), show_default=True)
@reports_option
@json_option
def probe(output: Path, reports: Path, as_json: bool) -> None:
    """Build one file that tells where a machine stands: any Python from 3.6 with TensorFlow and NumPy runs it."""
    built = probe_build.build(reports, output)
    give(built, as_json=as_json, lines=[f"run it where your TensorFlow is: python {output}"])


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--take", is_flag=True, help="Put it below reports/contributed/, if it is sound.")
@reports_option
@json_option
def contribute(file: Path, take: bool, reports: Path, as_json: bool) -> None:
    """Check the record that a probe made, and tell how it compares with ours."""
    contribution = contributed.read(file)
    ours = lookup.load(reports, contribution.header.release, "cpu")
    compared = contributed.against(contribution, list(ours.judged_runs))
    if take:
        taken = contributed.take(reports, contribution, file)
        compared = msgspec.structs.replace(compared, taken=str(taken))
    give(compared, as_json=as_json, lines=contributed.told(compared))


def _published(reports: Path) -> index.Index:
    published, current = index.load(reports)
    if not current:
        click.echo(f"{index.NAME} is not of these records: computed anew; `nox -s report` renews it", err=True)
    return published
