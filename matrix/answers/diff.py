"""What two releases, profiles, engines, host classes or folders of records do differently, cell by cell; and what the
tables of two months say differently, verdict by verdict, since nothing else of a month is kept.

Only like is compared with like: two runs that agree in all but what is compared (release, backend, profile, host class,
engine, and whether they were executed or planned). A run that has no counterpart is named and not compared.
"""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from matrix.answers import table_diff
from matrix.answers.nearest_release import nearest
from matrix.answers.table_diff import Changed
from matrix.base import ids
from matrix.base.errors import BadRecord, BadUsage
from matrix.base.ids import EngineName
from matrix.base.markdown import escape
from matrix.base.structs import Strict
from matrix.catalog.known_errors import failure_text
from matrix.catalog.releases import Catalog
from matrix.judge.settings import setting
from matrix.judge.verdicts import FAILED
from matrix.record import records
from matrix.record.records import Header, Observation, Record

Axis = Literal["release", "profile", "engine", "host class", "folder", "table"]
What = Literal["appeared", "disappeared", "changed", "one side only"]
ENGINES: tuple[str, ...] = get_args(EngineName)
# The release has no such thing, or nothing looked for it.
NOT_THERE = {"absent", "skipped"}


class Difference(Strict, frozen=True, kw_only=True):
    """A cell, `approach/mode/check/case`, with the observation of each side; None where it was not observed."""

    what: What
    cell: str
    before: Observation | None
    after: Observation | None


class Pair(Strict, frozen=True, kw_only=True):
    """Two runs that are alike; `same_suite`: the same suite made both, so that their cells mean the same."""

    before: str
    after: str
    host_class: str
    same_suite: bool
    unchanged: int
    differences: list[Difference]


class Diff(Strict, frozen=True, kw_only=True):
    """`notes` say where something else than asked is compared; `alone` are runs without a counterpart; `changes` lie
    between two published tables.
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
    """A run and the record used for it: its own, or that of the run named by `same_as`."""

    asked: Header
    answers: Record


def diff(reports: Path, before: str, after: str, catalog: Catalog, only: Sequence[str] = ()) -> Diff:
    """`only` are releases, backends, profiles, host classes or engines to keep to.

    Raise BadUsage where the two are not of a kind, or have no runs that are alike.
    """
    axis = _axis(before, after, catalog, reports)
    if axis == "table":
        changes = table_diff.changed(reports, before, after, only)
        return Diff(axis=axis, before=before, after=after, notes=[], pairs=[], alone=[], changes=changes)
    notes: list[str] = []
    if axis == "folder":
        sides = [_runs(records.files(Path(side)), only) for side in (before, after)]
    else:
        names = [before, after]
        by_name: dict[str, list[Path]] = defaultdict(list)
        for file in records.files(reports):
            try:
                run = ids.parse_run(file.stem)
            except ValueError as fault:
                raise BadRecord(f"{file}: {fault}") from None
            host_class, engine = file.parts[-3:-1]
            of = {"release": run.target.release, "profile": run.profile, "engine": engine, "host class": host_class}
            by_name[of[axis]].append(file)
        if axis == "release":
            found = [nearest(side, by_name) for side in names]
            notes = [one.note for one in found if one.note]
            names = [one.releases[-1] for one in found]
        sides = [_runs(by_name[name], only) for name in names]
    keyed = [{_key(run, axis): run for run in side} for side in sides]
    both = [key for key in keyed[0] if key in keyed[1]]
    alone = {run.asked.run for side in keyed for key, run in side.items() if key not in both}
    if not both:
        raise BadUsage(f"{before} and {after} have no runs in common that are alike", "tf-groupconv diff --help")
    pairs = [_pair(keyed[0][key], keyed[1][key]) for key in both]
    return Diff(axis=axis, before=before, after=after, notes=notes, pairs=pairs, alone=sorted(alone))


def _axis(before: str, after: str, catalog: Catalog, reports: Path) -> Axis:
    kinds: list[Axis] = []
    for side in (before, after):
        if side in ENGINES:
            kinds.append("engine")
        elif side in {profile.name for profile in catalog.profiles}:
            kinds.append("profile")
        elif side in {folder.name for folder in (reports / "runs").glob("*")}:
            kinds.append("host class")
        elif table_diff.is_table(side):
            kinds.append("table")
        else:
            kinds.append("folder" if Path(side).is_dir() else "release")
    if set(kinds) == {"folder", "table"}:
        return "table"
    if kinds[0] != kinds[1]:
        raise BadUsage(
            f"{before} is a {kinds[0]} and {after} a {kinds[1]}: only like can be compared with like",
            "give two releases, two profiles, two engines, two host classes, two folders or two months",
        )
    return kinds[0]


def _runs(files: Iterable[Path], only: Sequence[str]) -> list[_Run]:
    """Return the runs with observations, their own or those of the run named by `same_as`; skip broken records."""
    made: dict[tuple[str, str, str], Record] = {}
    for file in files:
        with contextlib.suppress(BadRecord):
            record = records.read(file)
            made[record.header.run, record.header.engine, record.header.host.host_class] = record
    runs = []
    for record in made.values():
        asked = record.header
        answers = made.get((asked.same_as or asked.run, asked.engine, asked.host.host_class))
        kept = set(only) <= {asked.release, asked.backend, asked.profile, asked.host.host_class, asked.engine}
        if kept and answers and answers.observations:
            runs.append(_Run(asked=asked, answers=answers))
    return runs


def _key(run: _Run, axis: Axis) -> tuple[object, ...]:
    """Everything in which two runs must agree to be compared on this axis. What is the default differs between host
    classes, so that there it is the setting and not the profile's name.
    """
    header = run.asked
    of = {
        "release": header.release,
        "profile": setting(run.answers.header) if axis == "host class" else header.profile,
        "engine": header.engine,
        "backend": header.backend,
        "host class": header.host.host_class,
        "planned": header.planned_for is not None,
    }
    return tuple(value for name, value in of.items() if name != axis)


def _pair(before: _Run, after: _Run) -> Pair:
    ours, theirs = ({one.cell: one for one in run.answers.observations} for run in (before, after))
    cells = dict.fromkeys([*ours, *theirs])
    differences = []
    for cell in cells:
        old, new = ours.get(cell), theirs.get(cell)
        if what := _what(old, new):
            differences.append(Difference(what=what, cell="/".join(cell), before=old, after=new))
    names = []
    for run in (before, after):
        same = run.asked.same_as
        names.append(f"{run.asked.run} (= {ids.parse_run(same).profile})" if same else run.asked.run)
    return Pair(
        before=names[0],
        after=names[1],
        host_class=" -> ".join(dict.fromkeys(run.asked.host.host_class for run in (before, after))),
        same_suite=before.answers.header.suite_sha256 == after.answers.header.suite_sha256,
        unchanged=len(cells) - len(differences),
        differences=differences,
    )


def _what(before: Observation | None, after: Observation | None) -> What | None:
    """Return None where nothing differs, or only the size of the numerical error."""
    if before is None or after is None:
        return "one side only"
    if (before.outcome in NOT_THERE) != (after.outcome in NOT_THERE):
        return "disappeared" if after.outcome in NOT_THERE else "appeared"
    same = (before.outcome, before.error, before.fusion) == (after.outcome, after.error, after.fusion)
    return None if same else "changed"


def lines(answer: Diff) -> Iterator[str]:
    """Yield the answer for a terminal: cells that change alike are one line, with the first of them."""
    yield from answer.notes
    if answer.pairs:
        differing = sum(len(pair.differences) for pair in answer.pairs)
        cells = differing + sum(pair.unchanged for pair in answer.pairs)
        classes = ", ".join(dict.fromkeys(pair.host_class for pair in answer.pairs))
        left = f"; {len(answer.alone)} runs have no counterpart" if answer.alone else ""
        pairs = f"{len(answer.pairs)} pairs" if len(answer.pairs) > 1 else "1 pair"
        yield f"{differing:,} of {cells:,} cells differ in {pairs} of runs, on {classes}{left}."
    for pair in answer.pairs:
        counts = Counter(one.what for one in pair.differences)
        numbers = ", ".join(f"{count} {what}" for what, count in counts.items())
        yield f"{pair.before} -> {pair.after} ({pair.host_class})"
        yield f"  {pair.unchanged} unchanged, {numbers or 'no difference'}"
        if not pair.same_suite:
            yield "  made by different suites: what is on one side only need not be TensorFlow's doing"
        yield from (f"  {line}" for line in _changes(pair))
    yield from map(table_diff.line, answer.changes)
    if answer.axis == "table":
        yield f"{len(answer.changes)} verdicts differ between {answer.before} and {answer.after}"
    if answer.alone:
        yield f"without a counterpart: {', '.join(answer.alone)}"


def markdown(answer: Diff) -> Iterator[str]:
    """Yield the differences alone, each an item of a list; nothing where there is none."""
    for pair in answer.pairs:
        yield from (f"- {escape(f'{pair.before} -> {pair.after}: {line}')}" for line in _changes(pair))
    for change in answer.changes:
        seen = f"; see {change.deciding}" if change.deciding else ""
        yield f"- {escape(table_diff.line(change) + seen)}"


def _changes(pair: Pair) -> Iterator[str]:
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in pair.differences:
        if one.what != "one side only":
            approach, mode, check, case = one.cell.split("/", 3)
            before, after = _short(one.before), _short(one.after)
            change = f"{before} -> {after}" if before != after else f"{before}, by other operations"
            groups[one.what, approach, mode, check, change].append(case)
    for (what, approach, mode, check, change), cases in sorted(groups.items()):
        cells = f"{len(cases)} cells, first {cases[0]}" if len(cases) > 1 else cases[0]
        yield f"{what:11} {approach}, {check} in {mode}: {change} ({cells})"


def _short(observation: Observation | None) -> str:
    if observation is None:
        return "not observed"
    if observation.outcome in FAILED:
        return f"{observation.outcome} ({failure_text(observation)[:80]})"
    if observation.fusion:
        return f"{observation.fusion.kernel}, epilogue {observation.fusion.epilogue}"
    return observation.outcome
