"""The published answers, for the verbs that are answered from them."""

from __future__ import annotations

from pathlib import Path

from matrix.answers import published_answers
from matrix.cli.printing import tell


def current(reports: Path) -> published_answers.Index:
    """Say on standard error where the published answers are out of date, and are computed anew."""
    index, is_current = published_answers.load(reports)
    if not is_current:
        told = f"{published_answers.NAME} is not up to date: it is computed now; `nox -s report` writes it anew"
        tell(told, err=True)
    return index
