"""What two releases, profiles, engines or folders of records do differently: cell by cell, only like with like; and
what two months' tables say differently, by verdict, for of a month nothing else is kept.

Two runs are alike where they agree in all but what is compared: release, backend, profile, host class, engine, and
whether they were executed or planned. A run that has no counterpart is named and not compared.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from matrix.answers import table_diff
from matrix.answers.nearest_release import find
from matrix.answers.table_diff import Changed
from matrix.base import ids
from matrix.base.errors import BadRecord, BadUsage
from matrix.base.ids import EngineName
from matrix.base.markdown import escape
from matrix.base.structs import Strict
from matrix.catalog.known_errors import failure_text
from matrix.catalog.releases import Catalog
from matrix.judge.verdicts import FAILED
from matrix.record import records
from matrix.record.records import CellId, Header, Observation, Record

Axis = Literal["release", "profile", "engine", "folder", "table"]
What = Literal["appeared", "disappeared", "changed", "one side only"]
ENGINES: tuple[str, ...] = get_args(EngineName)
# not there: the release has no such thing, or nothing looked
NOT_THERE = {"absent", "skipped"}


class Difference(Strict, frozen=True, kw_only=True):
    """A cell, `approach/mode/check/case`, and what each side says of it; None where it was not observed."""

    what: What
    cell: str
    before: Observation | None
    after: Observation | None


class Pair(Strict, frozen=True, kw_only=True):
    """Two runs that are alike; `same_suite`: made by the same suite, so that their cells mean the same."""

    before: str
    after: str
    host_class: str
    same_suite: bool
    unchanged: int
    differences: list[Difference]


class Diff(Strict, frozen=True, kw_only=True):
    """`notes` say where something else than asked is compared; `alone` are runs without a counterpart; `changes` are of
    two tables.
    """

    axis: Axis
    before: str
    after: str
    notes: list[str]
    pairs: list[Pair]
    alone: list[str]
    changes: list[Changed] = []


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A run as it was asked for, and the record that answers for it."""

    asked: Header
    answers: Record


def diff(reports: Path, before: str, after: str, catalog: Catalog, only: Sequence[str] = ()) -> Diff:
    """`only` are releases, backends, profiles, host classes or engines to keep to.

    Raise BadUsage where the two are not of a kind, or have no runs that are alike.
    """
    axis = _axis(before, after, catalog)
    if axis == "table":
        changes = table_diff.changed(reports, before, after, only)
        return Diff(axis=axis, before=before, after=after, notes=[], pairs=[], alone=[], changes=changes)
    if axis == "folder":
        sides = [_runs(records.files(Path(side))) for side in (before, after)]
        notes: list[str] = []
    else:
        found = [find(side, _releases(reports)) for side in (before, after)] if axis == "release" else []
        notes = [one.note for one in found if one.note]
        names = [one.releases[-1] for one in found] or [before, after]
        sides = [_runs(_files(reports, axis, name)) for name in names]
    keyed = [{_key(run.asked, axis): run for run in side if _kept(run.asked, only)} for side in sides]
    both = [key for key in keyed[0] if key in keyed[1]]
    alone = [side[key].asked.run for side in keyed for key in side if key not in both]
    if not both:
        raise BadUsage(f"{before} and {after} have no runs in common that are alike", "python -m matrix diff --help")
    pairs = [_pair(keyed[0][key], keyed[1][key]) for key in both]
    return Diff(axis=axis, before=before, after=after, notes=notes, pairs=pairs, alone=sorted(set(alone)))


def _axis(before: str, after: str, catalog: Catalog) -> Axis:
    kinds = [_kind(side, catalog) for side in (before, after)]
    if set(kinds) == {"folder", "table"}:
        return "table"
    if kinds[0] != kinds[1]:
        raise BadUsage(
            f"{before} is a {kinds[0]} and {after} a {kinds[1]}: only like can be compared with like",
            "give two releases, two profiles, two engines, two folders or two months",
        )
    return kinds[0]


def _kind(side: str, catalog: Catalog) -> Axis:
    if side in ENGINES:
        return "engine"
    if side in {profile.name for profile in catalog.profiles}:
        return "profile"
    if table_diff.is_table(side):
        return "table"
    return "folder" if Path(side).is_dir() else "release"


def _releases(reports: Path) -> list[str]:
    return list(dict.fromkeys(_run_id(file).target.release for file in records.files(reports)))


def _run_id(file: Path) -> ids.Run:
    try:
        return ids.parse_run(file.stem)
    except ValueError as fault:
        raise BadRecord(f"{file}: {fault}") from None


def _files(reports: Path, axis: Axis, name: str) -> Iterator[Path]:
    for file in records.files(reports):
        run = _run_id(file)
        has = {"release": run.target.release, "profile": run.profile, "engine": file.parent.name}[axis]
        if has == name:
            yield file


def _runs(files: Iterable[Path]) -> list[_Run]:
    """Those that were observed, by themselves or as the same as another; a broken record is passed over."""
    made = {(record.header.run, record.header.engine): record for file in files if (record := _read(file))}
    runs = []
    for record in made.values():
        header = record.header
        answers = made.get((header.same_as or header.run, header.engine))
        if answers and answers.observations:
            runs.append(_Run(asked=header, answers=answers))
    return runs


def _read(file: Path) -> Record | None:
    try:
        return records.read(file)
    except BadRecord:
        return None


def _kept(header: Header, only: Sequence[str]) -> bool:
    return set(only) <= {header.release, header.backend, header.profile, header.host.host_class, header.engine}


def _key(header: Header, axis: Axis) -> tuple[object, ...]:
    of = {
        "release": header.release,
        "profile": header.profile,
        "engine": header.engine,
        "backend": header.backend,
        "host class": header.host.host_class,
        "planned": header.planned_for is not None,
    }
    return tuple(value for name, value in of.items() if name != axis)


def _pair(before: _Run, after: _Run) -> Pair:
    ours, theirs = ({one.cell: one for one in run.answers.observations} for run in (before, after))
    found = [_difference(cell, ours.get(cell), theirs.get(cell)) for cell in dict.fromkeys([*ours, *theirs])]
    differences = [one for one in found if one]
    return Pair(
        before=_name(before),
        after=_name(after),
        host_class=before.asked.host.host_class,
        same_suite=before.answers.header.suite_sha256 == after.answers.header.suite_sha256,
        unchanged=len(found) - len(differences),
        differences=differences,
    )


def _name(run: _Run) -> str:
    same = run.asked.same_as
    return f"{run.asked.run} (= {ids.parse_run(same).profile})" if same else run.asked.run


def _difference(cell: CellId, before: Observation | None, after: Observation | None) -> Difference | None:
    """None where only how exact it is differs."""
    what: What
    if before is None or after is None:
        what = "one side only"
    elif (before.outcome in NOT_THERE) != (after.outcome in NOT_THERE):
        what = "disappeared" if after.outcome in NOT_THERE else "appeared"
    elif (before.outcome, before.error, before.fusion) != (after.outcome, after.error, after.fusion):
        what = "changed"
    else:
        return None
    return Difference(what=what, cell="/".join(cell), before=before, after=after)


def told(answer: Diff) -> Iterator[str]:
    """The answer of `diff`, line by line: cells that change alike are one line, with the first of them."""
    yield from answer.notes
    for pair in answer.pairs:
        counts = Counter(one.what for one in pair.differences)
        numbers = ", ".join(f"{count} {what}" for what, count in counts.items())
        yield f"{pair.before} -> {pair.after} ({pair.host_class})"
        yield f"  {pair.unchanged} unchanged, {numbers or 'no difference'}"
        if not pair.same_suite:
            yield "  made by different suites: what is on one side only need not be TensorFlow's doing"
        yield from (f"  {line}" for line in _changes(pair))
    yield from map(table_diff.told, answer.changes)
    if answer.axis == "table":
        yield f"{len(answer.changes)} verdicts are others in {answer.after} than in {answer.before}"
    if answer.alone:
        yield f"without a counterpart: {', '.join(answer.alone)}"


def markdown(answer: Diff) -> Iterator[str]:
    """The differences alone, each an item of a list: nothing where there is none."""
    for pair in answer.pairs:
        yield from (f"- {escape(f'{pair.before} -> {pair.after}: {line}')}" for line in _changes(pair))
    for change in answer.changes:
        seen = f"; see {change.deciding}" if change.deciding else ""
        yield f"- {escape(table_diff.told(change) + seen)}"


def _changes(pair: Pair) -> Iterator[str]:
    seen = (one for one in pair.differences if one.what != "one side only")
    for (approach, mode, check, change), group in itertools.groupby(sorted(seen, key=_sort_key), key=_alike):
        cells = list(group)
        first = cells[0].cell.split("/", 3)[3]
        yield f"{cells[0].what:11} {approach}, {check} in {mode}: {change} ({len(cells)} cells, first {first})"


def _alike(difference: Difference) -> tuple[str, str, str, str]:
    approach, mode, check, _ = difference.cell.split("/", 3)
    before, after = _short(difference.before), _short(difference.after)
    return approach, mode, check, f"{before} -> {after}" if before != after else f"{before}, by other operations"


def _sort_key(difference: Difference) -> tuple[str, ...]:
    return difference.what, *_alike(difference)


def _short(observation: Observation | None) -> str:
    if observation is None:
        return "not observed"
    if observation.outcome in FAILED:
        return f"{observation.outcome} ({failure_text(observation)[:80]})"
    if observation.fusion:
        return f"{observation.fusion.kernel}, epilogue {observation.fusion.epilogue}"
    return observation.outcome
