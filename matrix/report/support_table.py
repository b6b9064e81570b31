"""The support table as rows, for Markdown and the terminal: what it says in words is decided here."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from packaging.version import Version

from matrix.base.ids import BACKENDS, parse_run
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.known_errors import KnownError
from matrix.catalog.releases import Catalog
from matrix.judge.landmarks import COMPARED
from matrix.judge.support import ErrorEntry, RunEntry, Support, Verdict, question_of
from matrix.judge.verdicts import JUDGED, NEEDS, REPRESENTATIVE, Judgement, Need, Question, VerdictWord, core_cells
from matrix.record.host import is_emulated
from matrix.record.records import Observation, Outcome, Record, Status
from matrix.suite import catalog as suite

WORDS: dict[VerdictWord, str] = {
    "fused": "works, and bias and ReLU are computed inside of the convolution's kernel",
    "works": "infers in every mode that the release has, and trains",
    "partial": "something works and something fails: the note says what, and the way round",
    "refused": "a clear error everywhere",
    "wrong": "somewhere the numbers, or the shape, are wrong: the note says where",
    "crash": "somewhere the process dies: the note says where",
    "timeout": "somewhere it never ends: the note says where",
    "oom": "somewhere it takes all memory: the note says where",
    "absent": "the release has no such API",
    "unknown": "not observed: the note says why, and when that was tried",
    "plans-fused": "the device was not there; TensorFlow's optimizer plans bias and ReLU into the kernel",
    "plans-separate": "the device was not there; TensorFlow's optimizer plans separate kernels",
    "registered-only": "the device was not there; the build has kernels for it",
}
UNKNOWN: dict[Status, str] = {
    "complete": "not observed in its run",
    "partial": "the run ended before its end",
    "not_built": "could not be built",
    "not_imported": "could not be imported",
    "not_run": "never run on that host class",
}
BADLY: dict[Outcome, str] = {
    "wrong": "wrong result",
    "crash": "crashes",
    "timeout": "hangs",
    "oom": "takes all memory",
    "error": "refused",
}
IN_WORDS = {"eager": "run eagerly", "graph": "in a tf.function", "keras": "in predict or fit", "jit": "under XLA"}


@dataclass(frozen=True, kw_only=True)
class Headline:
    """How much of the table is observed; `planned` of that for a device that was not there. `unknown` counts its other
    cells by why they are.
    """

    records: int
    broken: int
    machine: int
    observations: int
    observed: int
    planned: int
    unknown: dict[str, int]
    older_suite: int
    doubtful: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """A run that has a record; by approach the verdict's word, and the number of its note where it has one."""

    run: RunEntry
    cells: tuple[tuple[VerdictWord, int | None], ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """The rows of one backend, host class and profile; `never` are the releases without a record."""

    backend: str
    host_class: str
    profile: str
    rows: tuple[Row, ...]
    never: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A release in the short table. `by_default`: it does so there when nothing is set."""

    release: str
    record: str
    by_default: bool


@dataclass(frozen=True, kw_only=True)
class ShortRow:
    """Releases in which an approach does the same; `answers`, by need, are words for strangers.

    `spans`: the releases in their order, the neighbours among all that were observed together.
    """

    approach: str
    onednn: str
    answers: dict[Need, str]
    spans: tuple[tuple[Seen, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Short:
    """The short table of a backend, of the host class on which most was observed.

    `unobserved`: releases that were tried there and gave no observation, each with why.
    """

    backend: str
    host_class: str
    cpus: tuple[str, ...]
    rows: tuple[ShortRow, ...]
    unobserved: tuple[str, ...]


def headline(support: Support, made: Sequence[Record], broken: int) -> Headline:
    runs = {question_of(run): run for run in support.runs}
    unknown = Counter(why_unknown(runs[question_of(one)]) for one in support.verdicts if one.verdict == "unknown")
    unknown[UNKNOWN["not_run"]] += sum(run.engine is None for run in support.runs) * len(APPROACHES)
    return Headline(
        records=len(made),
        broken=broken,
        machine=sum(record.header.machine is True for record in made),
        observations=sum(record.header.observations for record in made),
        observed=sum(one.verdict != "unknown" for one in support.verdicts),
        planned=sum(one.verdict != "unknown" and one.evidence != "executed" for one in support.verdicts),
        unknown={why: count for why, count in sorted(unknown.items()) if count},
        older_suite=sum(run.older_suite for run in support.runs),
        doubtful=sum(bool(run.doubtful) for run in support.runs),
    )


def in_words(told: Headline) -> tuple[str, ...]:
    """The headline, a sentence a fact; what is as it should be goes without saying."""
    unknown = sum(told.unknown.values())
    reasons = ", ".join(f"{why} ({count:,})" for why, count in told.unknown.items())
    lines = [
        f"The whole table has {_count(told.observed + unknown, 'cell')}: {told.observed:,} are observed"
        + (f", {unknown:,} unknown: {reasons}." if unknown else "."),
        f"They rest on {_count(told.observations, 'observation')} in {_count(told.records, 'record')}.",
    ]
    if told.planned:
        lines.append(f"{_count(told.planned, 'cell')} tell what is planned for a device that was not there.")
    faults = {
        "made by an older suite": told.older_suite,
        "doubtful, since the control without groups fails in it": told.doubtful,
        "left out, since it could not be read": told.broken,
        "of a run that the machine prevented (disk, network, memory, engine); it is tried again": told.machine,
    }
    return (*lines, *(f"{_count(number, 'record')} {what}." for what, number in faults.items() if number))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def sections(support: Support) -> tuple[tuple[Section, ...], tuple[str, ...]]:
    """Backends in their order, then host classes, real ones first, then profiles as they come; and the notes, the first
    being number 1.

    Verdicts that have the same notes share a number.
    """
    numbers: dict[str, int] = {}
    verdicts: dict[Question, list[Verdict]] = defaultdict(list)
    for verdict in support.verdicts:
        verdicts[question_of(verdict)].append(verdict)
    runs: dict[tuple[str, str, str], list[RunEntry]] = defaultdict(list)
    for run in support.runs:
        runs[run.backend, run.host_class, run.profile].append(run)
    order = sorted(runs, key=lambda key: (BACKENDS.index(runs[key][0].backend), is_emulated(key[1]), key[1]))
    found = tuple(
        Section(
            backend=backend,
            host_class=host_class,
            profile=profile,
            rows=tuple(
                _row(run, verdicts[question_of(run)], numbers)
                for run in runs[backend, host_class, profile]
                if run.engine
            ),
            never=tuple(run.release for run in runs[backend, host_class, profile] if not run.engine),
        )
        for backend, host_class, profile in order
    )
    return found, tuple(numbers)


def _row(run: RunEntry, verdicts: Iterable[Verdict], numbers: dict[str, int]) -> Row:
    """A row that says itself which run it is the same as needs no note for that."""
    cells: list[tuple[VerdictWord, int | None]] = []
    for verdict in verdicts:
        text = " ".join(note for note in verdict.notes if not (run.same_as and note.startswith("The same as")))
        cells.append((verdict.verdict, numbers.setdefault(text, len(numbers) + 1) if text else None))
    return Row(run=run, cells=tuple(cells))


def shorts(support: Support, judgements: Iterable[Judgement], catalog: Catalog) -> Iterator[Short]:
    """One for each backend on which anything was executed."""
    executed = Counter((one.backend, one.host_class) for one in support.verdicts if one.evidence == "executed")
    plain = {profile.name for profile in catalog.profiles if not profile.variables or profile.onednn is not None}
    for backend in BACKENDS:
        classes = [host_class for of, host_class in executed if of == backend]
        if not classes:
            continue
        host_class = max(sorted(classes), key=lambda name: executed[backend, name])
        chosen = [one for one in judgements if _belongs(one, backend, host_class) and one.run.header.profile in plain]
        yield Short(
            backend=backend,
            host_class=host_class,
            cpus=tuple(host.gpu or host.cpu for host in support.hosts if host.host_class == host_class),
            rows=tuple(_short_rows([one for one in chosen if one.cells], support, catalog)),
            unobserved=tuple(dict.fromkeys(_in_short(one) for one in chosen if not one.cells)),
        )


def _in_short(judgement: Judgement) -> str:
    answers = judgement.run.judged_by
    return f"{answers.release} ({UNKNOWN[answers.status]})"


def _belongs(judgement: Judgement, backend: str, host_class: str) -> bool:
    asked = judgement.run.header
    same = asked.backend == backend and asked.host.host_class == host_class
    return same and not asked.same_as and judgement.approach in COMPARED


def _short_rows(judgements: Iterable[Judgement], support: Support, catalog: Catalog) -> Iterator[ShortRow]:
    """By approach, then oneDNN off before on, then the oldest release. Where TensorFlow does not say whether oneDNN is
    on, what was asked for is told.
    """
    asked = {profile.name: profile.onednn for profile in catalog.profiles}
    records = {(run.host_class, run.run): run.record for run in support.runs}
    defaults = {(run.host_class, run.same_as or run.run) for run in support.runs if run.profile == "default"}
    alike: dict[tuple[str, str, tuple[str, ...]], list[Seen]] = defaultdict(list)
    for judgement in judgements:
        header = judgement.run.judged_by
        said = asked.get(header.profile) if header.onednn is None else header.onednn
        onednn = {True: "on", False: "off", None: "unknown"}[said]
        answers = tuple(_answer(judgement, need) for need in NEEDS)
        key = (header.host.host_class, header.run)
        seen = Seen(release=header.release, record=records[key] or "", by_default=key in defaults)
        alike[judgement.approach, onednn, answers].append(seen)
    for seen_in in alike.values():
        seen_in.sort(key=lambda seen: Version(seen.release))
    versions = sorted({seen.release for seen_in in alike.values() for seen in seen_in}, key=Version)
    order = sorted(alike, key=lambda key: (list(APPROACHES).index(key[0]), key[1], Version(alike[key][0].release)))
    for approach, onednn, answers in order:
        by_need = dict(zip(NEEDS, answers, strict=True))
        spans = _spans(alike[approach, onednn, answers], versions)
        yield ShortRow(approach=approach, onednn=onednn, answers=by_need, spans=spans)


def _spans(seen_in: Sequence[Seen], versions: Sequence[str]) -> tuple[tuple[Seen, ...], ...]:
    """Those that follow each other in `versions`, and are alike by default."""
    place = {version: number for number, version in enumerate(versions)}
    groups = itertools.groupby(enumerate(seen_in), key=lambda at: (place[at[1].release] - at[0], at[1].by_default))
    return tuple(tuple(seen for _, seen in group) for _, group in groups)


def _answer(judgement: Judgement, need: Need) -> str:
    """yes, or how it fails and, where only some does, what: `refused: conv+bias+relu in a tf.function`."""
    answer, failed = judgement.needs[need], judgement.failing.get(need, ())
    if judgement.word == "absent":
        return "not there"
    if need == "fused":
        return "in part" if answer == "some" else answer
    if not failed:
        return "not there" if answer == "no" else answer
    badly = " or ".join(said for outcome, said in BADLY.items() if outcome in {one.outcome for one in failed})
    return f"{badly}: {_what(judgement, need, failed)}" if answer == "some" else badly


def _what(judgement: Judgement, need: Need, failed: Sequence[Observation]) -> str:
    seen = [one for cell in core_cells(judgement.approach, need) if (one := judgement.cells.get(cell))]
    failing = {one.mode for one in failed}
    where = [IN_WORDS[mode] for mode in JUDGED[need][1] if mode in failing]
    of_all = "" if failing == {one.mode for one in seen if one.outcome != "absent"} else f" {' or '.join(where)}"
    if of_all and not any(one.outcome == "pass" for one in seen if one.mode in failing):
        return of_all.strip()
    epilogues = [one.case.split("/")[1] for one in failed]
    epilogue = REPRESENTATIVE if REPRESENTATIVE in epilogues else epilogues[0]
    return "+".join(("conv", *suite.EPILOGUES[epilogue])) + of_all


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """A text, the error that it is known as, and how often and in which releases it was seen."""

    text: str
    known: KnownError | None
    count: int
    releases: tuple[str, ...]


def meanings(support: Support, known: Sequence[KnownError]) -> tuple[Meaning, ...]:
    """The most frequent first; texts of the same known error are one, shown by the most frequent of them."""
    named = {error.id: error for error in known}
    groups: dict[str, list[ErrorEntry]] = defaultdict(list)
    for entry in support.errors:
        groups[entry.known or f"{entry.type}: {entry.message}"].append(entry)
    found = [
        Meaning(
            text=f"{group[0].type}: {group[0].message}",
            known=named.get(key),
            count=sum(entry.count for entry in group),
            releases=_releases(run for entry in group for run in entry.runs),
        )
        for key, group in groups.items()
    ]
    return tuple(sorted(found, key=lambda meaning: -meaning.count))


def _releases(runs: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({parse_run(run).target.release for run in runs}, key=Version))


def why_unknown(run: RunEntry) -> str:
    return UNKNOWN["complete"] if run.same_as else UNKNOWN[run.status]
