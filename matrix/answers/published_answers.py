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
from matrix.answers.answer_data import Answers
from matrix.answers.claim_decisions import Decided
from matrix.answers.error_answers import error_answers, settings, timings
from matrix.base import files, paths
from matrix.catalog import claims, clues, known_errors, questions, releases
from matrix.record import records, speed_records
from matrix.record.records import Record

NAME = "answers.json"
MAX_INDEX = 64 * 1024 * 1024
# What decides, besides the records, what the file says.
CODE = (
    "answers/claim_decisions.py", "answers/error_answers.py", "answers/workarounds.py", "catalog/claims.py",
    "catalog/known_errors.py", "catalog/patterns.py", "judge/settings.py", "judge/verdicts.py",
)  # fmt: skip
RULES = (
    *(paths.DATA / f"{name}.toml" for name in ("known_errors", "readings", "claims", "clues", "questions", "profiles")),
    paths.SUITE / "catalog.py",
    *(paths.ROOT / "matrix" / name for name in CODE),
)


class Index(Answers, frozen=True, kw_only=True, tag_field="format", tag="answers/1"):
    """`sha256` is of the records and rules that everything else was computed from."""

    sha256: str
    claims: list[Decided]


def build(reports: Path, made: Sequence[Record]) -> Index:
    """`made` are the records under `reports` that could be read."""
    timed, _ = speed_records.readable(reports)
    answers = msgspec.structs.asdict(error_answers(made, known_errors.load()))
    answers |= {
        "timings": timings(speed_records.preferred(timed).values()),
        "settings": settings(releases.load()),
        "clues": list(clues.load()),
        "questions": list(questions.load()),
    }
    return Index(sha256=digest(reports), claims=claim_decisions.decide(claims.load(), made), **answers)


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
    for file in (*RULES, *records.files(reports), *speed_records.files_below(reports)):
        whole.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()
