"""The verbs that answer questions from the published records, each within half a second."""

from __future__ import annotations

import math
from pathlib import Path

import click
import msgspec

from matrix.answers import advise as advise_
from matrix.answers import claim_decisions, contribution_comparison, release_records, upstream_issue
from matrix.answers import show as show_
from matrix.answers.advise import MODES, WISHES, Asked, Wish
from matrix.answers.probe import pack
from matrix.answers.reproduction import script
from matrix.base.errors import BadUsage
from matrix.base.ids import BACKENDS, Backend
from matrix.catalog import known_errors, releases
from matrix.catalog.approaches import APPROACHES
from matrix.cli import index
from matrix.cli.options import asked_for, give, json_option, processor_options, published_option
from matrix.cli.printing import tell
from matrix.judge.notes import causes
from matrix.record import contribution
from matrix.record.records import Mode
from matrix.suite import catalog as suite
from matrix.suite.speed import layers as timed_layers

# More than any layer has: what is computed from it stays small.
SIZE = click.IntRange(min=1, max=100_000)
release_option = click.option("--release", required=True, help="A release of TensorFlow: 2.8 or 2.8.4.")
backend_option = click.option("--backend", type=click.Choice(BACKENDS), default="cpu", show_default=True)


@click.command()
@release_option
@backend_option
@click.option("--need", "wish", required=True, type=click.Choice(WISHES))
@click.option("--mode", "modes", multiple=True, type=click.Choice(list(suite.MODES)), help="By default all that count.")
@click.option("--dtype", type=click.Choice(suite.DTYPES), default="f32", show_default=True)
@click.option("--layout", type=click.Choice(suite.LAYOUTS), default="nhwc", show_default=True, help="Of your tensors.")
@click.option("--layer", "named", type=click.Choice(list(timed_layers.NAMED)), help="Your layer is like this one.")
@click.option("--groups", type=SIZE, help="Or: its number of groups,")
@click.option("--channels", type=SIZE, help="its channels, in and out,")
@click.option("--kernel", type=SIZE, help="the height and width of its kernel,")
@click.option("--size", type=SIZE, help="the height and width of its image,")
@click.option("--batch", type=SIZE, help="and how many images it takes at a time.")
@processor_options
@click.option("--code", type=click.Choice(["function", "layer"]), help="Print the best as a program alone: a function, "
              "or a Keras layer in place of Conv2D(groups=...).")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Print all that work, why others do not, and the cells.")
@published_option
@json_option
def advise(
    release: str, backend: Backend, wish: Wish, modes: tuple[Mode, ...], dtype: str, layout: str, named: str | None,
    groups: int | None, channels: int | None, kernel: int | None, size: int | None, batch: int | None, here: bool,
    name: str | None, cpu_flags: str | None, code: str | None, everything: bool, reports: Path, as_json: bool,
) -> None:  # fmt: skip
    """Say what to write on a release so that it infers or trains, the best first for your layer.

    The answer comes with the code and the variable to set.
    """
    processor = asked_for(name, cpu_flags, here=here)
    if named and (groups or channels or kernel or size):
        raise BadUsage("the layer is told twice", "give --layer, or its numbers")
    like = timed_layers.NAMED[named] if named else advise_.USUAL
    channels = channels or (8 * groups if groups else like.cin)
    asked = Asked(
        wish=wish,
        modes=list(modes or MODES[wish]),
        groups=groups or math.gcd(like.groups, channels),
        cin=channels,
        cout=like.cout if named else channels,
        kernel=kernel or like.kernel,
        size=size or like.size,
        batch=batch or 1,
        dtype=dtype,
        layout=layout,
        told=any((named, groups, channels != like.cin, kernel, size, batch)),
    )
    known, data = causes(known_errors.load()), releases.load()
    recorded = release_records.load(reports, release, backend, processor)
    advice = advise_.advise(recorded, asked, data, known, processor)
    if code:
        written = advise_.program(advice.best[0], asked, data, as_layer=code == "layer") if advice.best else ""
        if not written:
            raise BadUsage(f"there is no program of that as a {code}", "the same without --code says what there is")
        tell(written.rstrip("\n"))
        return
    give(advice, as_json=as_json, lines=advise_.lines(advice, data, everything=everything))


@click.command()
@release_option
@click.option("--approach", required=True, type=click.Choice(list(APPROACHES)))
@backend_option
@click.option("--profile", help="A profile of matrix/data/profiles.toml; by default all.")
@click.option("--cell", default="*", help="Only cells like this, mode/check/case: 'graph/forward/g4-k3/bias_relu/*'.")
@click.option("--script", "as_script", is_flag=True, help="Write a script that reproduces the first failing cell.")
@click.option("--issue", "as_issue", is_flag=True, help="Write a bug report of that cell, for TensorFlow.")
@processor_options
@published_option
@json_option
def show(
    release: str, approach: str, backend: Backend, profile: str | None, cell: str, as_script: bool, as_issue: bool,
    here: bool, name: str | None, cpu_flags: str | None, reports: Path, as_json: bool,
) -> None:  # fmt: skip
    """Show what was recorded of an approach on a release: cells, evidence, a script that reproduces a cell."""
    recorded = release_records.load(reports, release, backend, asked_for(name, cpu_flags, here=here))
    showing = show_.show(recorded, approach, cell, causes(known_errors.load()))
    if as_script:
        tell(script(show_.reproduction(showing, releases.load(), profile)).rstrip("\n"))
        return
    if as_issue:
        tell(*upstream_issue.lines(show_.reproduction(showing, releases.load(), profile), reports, backend))
        return
    chosen = [one for one in showing.shown if profile in {None, one.profile}]
    if not chosen:
        profiles = ", ".join(dict.fromkeys(one.profile for one in showing.shown))
        raise BadUsage(f"there is no record under {profile}", f"profiles with records there: {profiles}")
    showing = msgspec.structs.replace(showing, shown=chosen)
    give(showing, as_json=as_json, lines=show_.lines(showing))


@click.command()
@published_option
@json_option
def claims(reports: Path, as_json: bool) -> None:
    """List common claims about grouped and fused convolution, and what the records say."""
    published = index.current(reports)
    give(published.claims, as_json=as_json, lines=claim_decisions.lines(published.claims))


@click.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default=Path("probe.pyz"), show_default=True,
              help="The file to write.")  # fmt: skip
@published_option
@json_option
def probe(output: Path, reports: Path, as_json: bool) -> None:
    """Build one file that compares any machine with the records.

    It runs on Python 3.6 or newer, with TensorFlow and NumPy.
    """
    built = pack.build(reports, output)
    give(built, as_json=as_json, lines=[f"run it where your TensorFlow is: python {output}"])


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--take", is_flag=True, help="Put a sound record below reports/contributed/.")
@published_option
@json_option
def contribute(file: Path, take: bool, reports: Path, as_json: bool) -> None:
    """Check the record that a probe made, and compare it with the published records."""
    sent = contribution.read(file)
    ours = release_records.load(reports, sent.header.release, "cpu")
    compared = contribution_comparison.compare(sent, ours.judged_runs)
    if take:
        taken = contribution.take(reports, sent)
        compared = msgspec.structs.replace(compared, taken=str(taken))
    give(compared, as_json=as_json, lines=contribution_comparison.lines(compared))
