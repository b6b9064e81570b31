"""The console, and the summary that follows a change of the table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from matrix.base.errors import BadRecord
from matrix.base.text import plain, visible
from matrix.judge.verdicts import NEEDS
from matrix.plan.selection import SETS
from matrix.report.report import Summary

console = Console(soft_wrap=True)
RELEASES = f"A release: 2.15.1, a minor: 2.15, a range: 2.5..2.9, or {', '.join(SETS)}. May be repeated."


def say(*lines: str) -> None:
    for line in lines:
        console.print(visible(line), markup=False, highlight=False)


def tell_summary(summary: Summary, reports: Path) -> None:
    """Raise BadRecord, after all else is told, where records could not be read.

    The short tables fit a terminal of 80 columns: they leave to the notes what fails only in part.
    """
    for short in summary.shorts:
        say(f"\n{short.backend}, {', '.join(short.host_classes)}; * is what the first does when nothing is set")
        heads = [Column("approach", no_wrap=True), Column("oneDNN", no_wrap=True), Column("TensorFlow", min_width=11)]
        table = Table(*heads, *(need.removeprefix("infer-") for need in NEEDS), box=SIMPLE, padding=(0, 1, 0, 0))
        for row in (one for main in short.rows for one in (main, *main.otherwise)):
            spans = []
            for first, *more in row.spans:
                both = f"{first.release} to {more[-1].release}" if more else first.release
                spans.append(both + "*" * first.by_default)
            answers = (f"some {said.partition(':')[0]}" if ":" in said else said for said in row.answers.values())
            classes = "\n".join(f" {name.partition('-')[2]}" for name in row.host_classes)
            name = row.approach if row in short.rows else classes
            table.add_row(*map(Text, (name, row.onednn, ", ".join(spans), *answers)))
        console.print(table)
        if short.unobserved:
            say(f"tried and not observed there: {', '.join(short.unobserved)}")
    say(*summary.headline, *summary.marks)
    say(f"the whole table: {reports / 'SUPPORT.md'}; its notes say what a word means, and name the workarounds")
    refuse_broken(summary.faults)


def refuse_broken(faults: Iterable[object]) -> None:
    """Raise BadRecord where there is any fault."""
    if broken := "\n".join(plain(str(fault)) for fault in faults):
        raise BadRecord(f"these records are left out:\n{broken}", "remove them, and run the matrix again")
