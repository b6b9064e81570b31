"""reports/errors.json (`errors/1`): what every error means and where it holds, computed once, when the table is.

A question must be answered at once, and reading all records takes seconds. The file says by a digest what it was
computed from; where that has changed it is not believed, and everything is computed anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from matrix import known_errors, paths, records
from matrix.answers.explain import Answers, error_answers
from matrix.known_errors import KnownError
from matrix.records import Record

NAME = "errors.json"
MAX_INDEX = 64 * 1024 * 1024
# what decides, besides the records, what the file says
CODE = ("answers/explain.py", "answers/ways.py", "known_errors.py", "verdicts.py")
RULES = (
    paths.DATA / "known_errors.toml",
    paths.SUITE / "catalog.py",
    *(paths.ROOT / "matrix" / name for name in CODE),
)


class Index(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format", tag="errors/1"):
    """`sha256` is of the records and rules that the answers were computed from."""

    sha256: str
    answers: Answers


def build(reports: Path, made: Iterable[Record], known: Sequence[KnownError]) -> bytes:
    """The file's content. `made` are the records under `reports` that could be read."""
    index = Index(sha256=digest(reports), answers=error_answers(made, known))
    return msgspec.json.format(msgspec.json.encode(index, order="sorted"), indent=1) + b"\n"


def load(reports: Path) -> tuple[Answers, bool]:
    """The answers, and whether the published file was current; if not, they are computed anew from the records."""
    file = reports / NAME
    if file.is_file() and file.stat().st_size <= MAX_INDEX:
        try:
            index = msgspec.json.decode(file.read_bytes(), type=Index)
        except (msgspec.DecodeError, UnicodeDecodeError):
            index = None
        if index and index.sha256 == digest(reports):
            return index.answers, True
    return error_answers(records.readable(reports)[0], known_errors.load()), False


def digest(reports: Path) -> str:
    whole = hashlib.sha256()
    for file in (*RULES, *records.files(reports)):
        whole.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()
