"""Options that several verbs share, and how an answer is given. Imports little: questions are answered at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from matrix.base import paths
from matrix.cli.printing import tell, tell_json
from matrix.record import published

# For verbs that answer, and for verbs that write: an installed package keeps what it brings apart from what it writes.
published_option = click.option(
    "--reports", type=click.Path(path_type=Path), default=published.folder, help="Where the records are kept."
)
reports_option = click.option(
    "--reports", type=click.Path(path_type=Path), default=paths.REPORTS, help="Where the records are kept."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, with the evidence.")


def give(answer: object, *, as_json: bool, lines: Iterable[str]) -> None:
    if as_json:
        tell_json(answer)
    else:
        tell(*lines)
