"""reports/answers.json (`answers/1`): what every error means, where it holds, and what the records say of every claim.

A question must be answered at once, and reading all records takes seconds. The file has a digest of the records and
rules that it was computed from; where they have changed, it is not used, and everything is computed anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from matrix.answers import claim_decisions
from matrix.answers.claim_decisions import Decided
from matrix.answers.error_answers import Answers, ErrorAnswer, Place, Unnamed, error_answers
from matrix.base import files, paths
from matrix.base.structs import Strict
from matrix.catalog import claims, known_errors
from matrix.record import records
from matrix.record.records import Record

NAME = "answers.json"
MAX_INDEX = 64 * 1024 * 1024
# What decides, besides the records, what the file says.
CODE = (
    "answers/claim_decisions.py", "answers/error_answers.py", "answers/workarounds.py", "catalog/claims.py",
    "catalog/known_errors.py", "judge/verdicts.py",
)  # fmt: skip
RULES = (
    paths.DATA / "known_errors.toml",
    paths.DATA / "claims.toml",
    paths.SUITE / "catalog.py",
    *(paths.ROOT / "matrix" / name for name in CODE),
)


class Index(Strict, frozen=True, kw_only=True, tag_field="format", tag="answers/1"):
    """`sha256` is of the records and rules that everything else was computed from."""

    sha256: str
    places: list[Place]
    errors: list[ErrorAnswer]
    unnamed: list[Unnamed]
    claims: list[Decided]

    @property
    def answers(self) -> Answers:
        return Answers(places=self.places, errors=self.errors, unnamed=self.unnamed)


def build(reports: Path, made: Sequence[Record]) -> Index:
    """`made` are the records under `reports` that could be read."""
    answers = error_answers(made, known_errors.load())
    return Index(
        sha256=digest(reports),
        places=answers.places,
        errors=answers.errors,
        unnamed=answers.unnamed,
        claims=claim_decisions.decide(claims.load(), made),
    )


def encode(index: Index) -> bytes:
    return files.encode(index)


def load(reports: Path) -> tuple[Index, bool]:
    """Return the published answers and True; where they are not current, answers computed anew and False."""
    file = reports / NAME
    if file.is_file() and file.stat().st_size <= MAX_INDEX:
        try:
            index = msgspec.json.decode(file.read_bytes(), type=Index)
        except (msgspec.DecodeError, UnicodeDecodeError):
            index = None
        if index and index.sha256 == digest(reports):
            return index, True
    made, _ = records.readable(reports)
    return build(reports, made), False


def digest(reports: Path) -> str:
    whole = hashlib.sha256()
    for file in (*RULES, *records.files(reports)):
        whole.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()
