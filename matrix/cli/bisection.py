"""The verb that looks for the build with which something changed. It installs and runs builds, unlike other answers."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from matrix.answers import bisect as bisect_
from matrix.answers import bisected
from matrix.base.errors import BadUsage
from matrix.base.text import plain, visible
from matrix.catalog import releases
from matrix.catalog.approaches import APPROACHES
from matrix.cli.options import published_option
from matrix.cli.printing import tell, tell_json
from matrix.judge.verdicts import core_case
from matrix.plan import selection as plan_
from matrix.suite import catalog as suite


@click.command()
@click.option("--approach", required=True, type=click.Choice(list(APPROACHES)))
@click.option("--check", required=True, type=click.Choice(list(suite.CHECKS)))
@click.option("--mode", type=click.Choice(list(suite.MODES)), default="graph", show_default=True)
@click.option("--profile", default="default", show_default=True, help="A profile of matrix/data/profiles.toml.")
@click.option("--case", help="By default the approach's base geometry with bias and ReLU.")
@click.option("--no-runs", is_flag=True, help="Look into the records only, and run nothing.")
@click.option("--yes", is_flag=True, help="Install builds without asking first.")
@published_option
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON; progress goes to standard error.")
@click.argument("good")
@click.argument("bad")
def bisect(
    approach: str, check: str, mode: str, profile: str, case: str | None, no_runs: bool, yes: bool, reports: Path,
    as_json: bool, good: str, bad: str,
) -> None:  # fmt: skip
    """Find the two builds between GOOD and BAD where a cell changed.

    The records are asked first; then the builds in between are installed and run, each halving what is left.
    """
    chosen = plan_.select_profiles(releases.load(), [profile])[0]
    question = bisect_.Question(cell=(approach, mode, check, case or core_case(approach)), profile=chosen)
    found = bisect_.by_records(question, good, bad, reports)
    say = partial(tell, err=as_json)
    for line in bisect_.lines(question, found):
        say(plain(line, limit=500))
    narrowed = None if no_runs else bisect_.by_trying(question, found, say, agreed=lambda what: yes or _agreed(what))
    for line in bisect_.lines(question, narrowed) if narrowed else ():
        say(plain(line, limit=500))
    answer = bisected.Answer(cell="/".join(question.cell), profile=profile, by_records=found, narrowed=narrowed)
    if narrowed:
        bisected.keep(answer)
    if as_json:
        tell_json(answer)


def _agreed(what: str) -> bool:
    """Ask on standard error. Raise BadUsage where nobody can answer."""
    if not sys.stdin.isatty():
        raise BadUsage(f"nobody is here to answer: {what}", "say --yes beforehand, or --no-runs")
    return click.confirm(visible(what), err=True)
