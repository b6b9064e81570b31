"""One console, and the summary that follows a change of the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from matrix.base.errors import BadRecord
from matrix.base.text import plain
from matrix.judge.verdicts import NEEDS
from matrix.plan.selection import SETS
from matrix.report import support_table
from matrix.report.report import Summary

console = Console(soft_wrap=True)
RELEASES = f"A release: 2.15.1, a minor: 2.15, a range: 2.5..2.9, or {', '.join(SETS)}. May be repeated."


def say(*lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False)


def tell_summary(summary: Summary, reports: Path) -> None:
    for short in summary.shorts:
        say(f"\n{short.backend}, host class {short.host_class}; * is what the release does there when nothing is set")
        console.print(_table(short))
        if short.unobserved:
            say(f"tried and not observed there: {', '.join(short.unobserved)}")
    say(*summary.headline, *summary.marks)
    say(f"the whole table: {reports / 'SUPPORT.md'}; what a word means and the ways round stand in its notes")
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
