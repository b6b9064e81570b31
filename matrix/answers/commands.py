"""The verbs that answer questions from the published records, each within half a second."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from matrix import catalog, paths
from matrix.answers import index, words
from matrix.answers.explain import explain as explain_
from matrix.errors import BadUsage
from matrix.ids import BACKENDS, Backend

MAX_TEXT = 1_000_000

reports_option = click.option(
    "--reports", type=click.Path(path_type=Path), default=paths.REPORTS, help="Where the records are kept."
)
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON, with everything that the answer rests on.")


@click.group()
def cli() -> None:
    """Holds the verbs; `matrix/__main__.py` is the command line."""


@cli.command()
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
    answers, current = index.load(reports)
    if not current:
        click.echo("errors.json is not of these records: computed anew; `nox -s report` renews it", err=True)
    explanation = explain_(told, answers, release=release, backend=backend)
    _answer(explanation, as_json=as_json, lines=words.explained(explanation, catalog.load()))


def _answer(answer: msgspec.Struct, *, as_json: bool, lines: Iterable[str]) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer)))
        return
    for line in lines:
        click.echo(line)
