"""Verbs that answer questions from the published records: what was recorded, what is claimed, what a machine says."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from matrix.answers import claim_decisions, contribution_comparison, release_records, upstream_issue
from matrix.answers import show as show_
from matrix.answers.probe import pack
from matrix.answers.reproduction import script
from matrix.answers.situation import profile_of
from matrix.base.ids import Backend
from matrix.catalog import known_errors, releases
from matrix.catalog.approaches import APPROACHES
from matrix.cli import index
from matrix.cli.options import (
    asked_for,
    backend_option,
    give,
    json_option,
    processor_options,
    published_option,
    release_option,
    setting_option,
)  # fmt: skip
from matrix.cli.printing import tell
from matrix.judge.notes import causes
from matrix.record import contribution, records


@click.command()
@release_option
@click.option("--approach", required=True, type=click.Choice(list(APPROACHES)))
@backend_option
@click.option("--cell", default="*", help="Only cells like this, mode/check/case: 'graph/forward/g4-k3/bias_relu/*'.")
@click.option("--script", "as_script", is_flag=True, help="Write a script that reproduces the first failing cell.")
@click.option("--issue", "as_issue", is_flag=True, help="Write a bug report of that cell, for TensorFlow.")
@processor_options
@setting_option
@published_option
@json_option
def show(
    release: str, approach: str, backend: Backend, cell: str, as_script: bool, as_issue: bool, here: bool,
    name: str | None, cpu_flags: str | None, setting: str, reports: Path, as_json: bool,
) -> None:  # fmt: skip
    """Show what was recorded of an approach on a release: cells, evidence, a script that reproduces a cell."""
    recorded = release_records.load(reports, release, backend, asked_for(name, cpu_flags, here=here))
    profiles = releases.load_profiles()
    showing = show_.show(recorded, approach, cell, profile_of(setting, profiles.values()), causes(known_errors.load()))
    if as_script:
        tell(script(show_.reproduction(showing, profiles)).rstrip("\n"))
        return
    if as_issue:
        made, _ = records.readable(reports)
        tell(*upstream_issue.lines(show_.reproduction(showing, profiles), made, backend))
        return
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
