"""reports/answers.json (`answers/1`): what every error means, where it holds, and what the records say of every claim.

A question must be answered at once, and reading all records takes seconds. The file has a digest of the records and
rules that it was computed from; where they have changed, it is not used, and everything is computed anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from matrix.answers.answer_data import Answers, Decided
from matrix.base import files, paths
from matrix.record import published, records, speed_records
from matrix.record.records import Record

NAME = "answers.json"
ENDS = 8 * 1024
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
    """Compute the answers as a reader of the file gets them: the keys of every table are in order.

    `made` are the records under `reports` that could be read.
    """
    # Imported late: what judges records takes a tenth of a second to import, and published answers do without.
    from matrix.answers import claim_decisions  # noqa: PLC0415
    from matrix.answers.error_answers import error_answers, settings, timings  # noqa: PLC0415
    from matrix.catalog import claims, clues, known_errors, questions, releases  # noqa: PLC0415

    timed, _ = speed_records.readable(reports)
    answers = msgspec.structs.asdict(error_answers(made, known_errors.load()))
    answers |= {
        "timings": timings(speed_records.preferred(timed).values()),
        "settings": settings(releases.load()),
        "clues": list(clues.load()),
        "questions": list(questions.load()),
    }
    index = Index(sha256=digest(reports), claims=claim_decisions.decide(claims.load(), made), **answers)
    return msgspec.json.decode(encode(index), type=Index)


def encode(index: Index) -> bytes:
    return files.encode(index)


def load(reports: Path) -> tuple[Index, bool]:
    """Return the published answers and True; where they are not current, answers computed anew and False."""
    if index := current(reports):
        return index, True
    made, _ = records.readable(reports)
    return build(reports, made), False


def current(reports: Path) -> Index | None:
    """Return the published answers; None where they are missing, broken, or not of these records and rules."""
    file = reports / NAME
    if not file.is_file() or file.stat().st_size > MAX_INDEX:
        return None
    try:
        index = msgspec.json.decode(file.read_bytes(), type=Index)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    # What an installed package brings was packed together, and nobody changes it.
    is_packed = not paths.IS_CHECKOUT and reports == published.folder()
    return index if is_packed or index.sha256 == digest(reports) else None


def digest(reports: Path) -> str:
    """Digest all rules, and of each record its size, beginning and end: a run that is repeated differs in line 1, and
    reading all of them would take longer than the answer.
    """
    whole = hashlib.sha256()
    for file in RULES:
        whole.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    for file in (*records.files(reports), *speed_records.files_below(reports)):
        descriptor = os.open(file, os.O_RDONLY)  # a third of the time of a file object
        try:
            size = os.fstat(descriptor).st_size
            ends = os.pread(descriptor, ENDS, 0) + os.pread(descriptor, ENDS, max(0, size - ENDS))
        finally:
            os.close(descriptor)
        whole.update(f"{file.name} {size} {hashlib.sha256(ends).hexdigest()}\n".encode())
    return whole.hexdigest()
