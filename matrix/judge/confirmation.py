"""Marks a verdict that one run alone has seen: a table must not change for good by a single run, or a single liar."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from matrix.judge.verdicts import judge
from matrix.record.records import Record


def marked(record: Record, before: Record | None) -> Record:
    """Return the record with `seen_once`: each approach whose verdict is another than by `before`, the record that it
    replaces, with the verdict that was last confirmed. A run that says the same again confirms it, and what the record
    itself says of `seen_once` does not count. Records are compared where nothing but the run differs. What was unknown,
    as after a run that the machine ended, is no verdict to differ from.
    """
    once = {}
    if before and _inputs(before) == _inputs(record) and before.header.started != record.header.started:
        said = {judgement.approach: judgement.word for judgement in judge([before])}
        open_ = before.header.seen_once or {}
        for judgement in judge([record]):
            word, last = judgement.word, said.get(judgement.approach)
            confirmed = open_.get(judgement.approach, last)
            if confirmed not in {None, "unknown"} and word not in {last, confirmed}:
                once[judgement.approach] = str(confirmed)
    elif before and before.header.started == record.header.started:
        once = before.header.seen_once or {}
    return replace(record, header=msgspec.structs.replace(record.header, seen_once=once or None))


def _inputs(record: Record) -> tuple[str | None, ...]:
    header = record.header
    return (header.suite_sha256, header.lock_sha256, header.recipe_sha256)
