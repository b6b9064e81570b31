"""The support table as rows, for Markdown, the terminal and the pages: its words are decided here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from packaging.version import Version

from matrix.base.grouping import grouped
from matrix.base.ids import BACKENDS, parse_run
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.known_errors import KnownError
from matrix.catalog.releases import Catalog
from matrix.judge.landmarks import COMPARED
from matrix.judge.support import RunEntry, Support, question_of
from matrix.judge.verdicts import JUDGED, NEEDS, REPRESENTATIVE, Judgement, Need, VerdictWord, core_cells
from matrix.record.host import is_emulated
from matrix.record.records import Outcome, Record, Status
from matrix.suite import catalog as suite

WORDS: dict[VerdictWord, str] = {
    "fused": "works, and bias and ReLU are computed inside the convolution's kernel",
    "works": "infers in every mode that the release has, and trains",
    "partial": "something works and something fails: the note says what, and names a workaround",
    "refused": "a clear error everywhere",
    "wrong": "somewhere the numbers, or the shape, are wrong: the note says where",
    "crash": "somewhere the process dies: the note says where",
    "timeout": "somewhere the program never ends: the note says where",
    "oom": "somewhere the program takes all memory: the note says where",
    "absent": "the release has no such API",
    "unknown": "not observed: the note says why, and when it was tried",
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
class Row:
    """A run that has a record; `entries`: by approach the verdict's word, and the number of its note if it has one."""

    run: RunEntry
    entries: tuple[tuple[VerdictWord, int | None], ...]


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
    """A release in the short table. `by_default`: it does so when nothing is set."""

    release: str
    record: str
    by_default: bool


@dataclass(frozen=True, kw_only=True)
class ShortRow:
    """Releases in which an approach does the same; `answers` are in words, by need.

    `spans`: the releases in their order; neighbours, among all releases that were observed, stand together.
    """

    approach: str
    onednn: str
    answers: dict[Need, str]
    spans: tuple[tuple[Seen, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Short:
    """The short table of a backend, for the host class on which most was observed.

    `unobserved`: releases that were tried there without any observation, each with the reason.
    """

    backend: str
    host_class: str
    cpus: tuple[str, ...]
    rows: tuple[ShortRow, ...]
    unobserved: tuple[str, ...]


def headline(support: Support, made: Sequence[Record], broken: int) -> tuple[str, ...]:
    """Say how much of the table is observed, a sentence for each fact; faults that did not happen are not mentioned."""
    runs = {question_of(run): run for run in support.runs}
    known = [verdict for verdict in support.verdicts if verdict.verdict != "unknown"]
    unknown = Counter(why_unknown(runs[question_of(one)]) for one in support.verdicts if one.verdict == "unknown")
    unknown[UNKNOWN["not_run"]] += sum(run.engine is None for run in support.runs) * len(APPROACHES)
    reasons = ", ".join(f"{why} ({count:,})" for why, count in sorted(unknown.items()) if count)
    observations = sum(record.header.observations for record in made)
    sentences = [
        f"The whole table has {_count(len(known) + unknown.total(), 'entry', 'entries')}: {len(known):,} are observed"
        + (f", {unknown.total():,} unknown: {reasons}." if reasons else "."),
        f"They rest on {_count(observations, 'observation')} in {_count(len(made), 'record')}.",
    ]
    if planned := sum(verdict.evidence != "executed" for verdict in known):
        sentences.append(f"{_count(planned, 'entry', 'entries')} tell what is planned for a device that was not there.")
    faults = {
        "made by an older suite": sum(run.older_suite for run in support.runs),
        "doubtful, since the control without groups fails in it": sum(bool(run.doubtful) for run in support.runs),
        "left out, since it could not be read": broken,
        "of a run that the machine prevented (disk, network, memory, engine); it is tried again": sum(
            record.header.machine is True for record in made
        ),
    }
    return (*sentences, *(f"{_count(number, 'record')} {what}." for what, number in faults.items() if number))


def _count(number: int, what: str, many: str = "") -> str:
    return f"{number:,} {what if number == 1 else many or f'{what}s'}"


def why_unknown(run: RunEntry) -> str:
    return UNKNOWN["complete"] if run.same_as else UNKNOWN[run.status]


def sections(support: Support) -> tuple[list[Section], list[str]]:
    """Return the tables of SUPPORT.md and the notes below them; a row's number counts the notes from 1.

    Real host classes come before emulated ones. Verdicts that have the same notes share a number.
    """
    numbers: dict[str, int] = {}
    verdicts = grouped(support.verdicts, question_of)
    runs = grouped(support.runs, lambda run: (run.backend, run.host_class, run.profile))
    found = []
    for key in sorted(runs, key=lambda key: (BACKENDS.index(key[0]), is_emulated(key[1]), key[1])):
        rows = []
        for run in filter(lambda run: run.engine, runs[key]):
            entries: list[tuple[VerdictWord, int | None]] = []
            for verdict in verdicts.get(question_of(run), ()):
                # the row itself says which run it is the same as
                notes = [note for note in verdict.notes if not (run.same_as and note.startswith("The same as"))]
                number = numbers.setdefault(" ".join(notes), len(numbers) + 1) if notes else None
                entries.append((verdict.verdict, number))
            rows.append(Row(run=run, entries=tuple(entries)))
        backend, host_class, profile = key
        never = tuple(run.release for run in runs[key] if not run.engine)
        found.append(Section(backend=backend, host_class=host_class, profile=profile, rows=tuple(rows), never=never))
    return found, list(numbers)


def shorts(support: Support, judgements: Sequence[Judgement], catalog: Catalog) -> Iterator[Short]:
    """Return a table for each backend on which anything was executed."""
    executed = Counter((one.backend, one.host_class) for one in support.verdicts if one.evidence == "executed")
    plain = {profile.name for profile in catalog.profiles if not profile.variables or profile.onednn is not None}
    for backend in BACKENDS:
        classes = sorted(host_class for of, host_class in executed if of == backend)
        if not classes:
            continue
        host_class = max(classes, key=lambda name: executed[backend, name])
        chosen, unobserved = [], []
        for judgement in judgements:
            asked, answers = judgement.run.header, judgement.run.judged_by
            here = (asked.backend, asked.host.host_class) == (backend, host_class)
            if here and asked.profile in plain and not asked.same_as and judgement.approach in COMPARED:
                if judgement.cells:
                    chosen.append(judgement)
                else:
                    unobserved.append(f"{answers.release} ({UNKNOWN[answers.status]})")
        yield Short(
            backend=backend,
            host_class=host_class,
            cpus=tuple(host.gpu or host.cpu for host in support.hosts if host.host_class == host_class),
            rows=tuple(_short_rows(chosen, support, catalog)),
            unobserved=tuple(dict.fromkeys(unobserved)),
        )


def _short_rows(judgements: Iterable[Judgement], support: Support, catalog: Catalog) -> Iterator[ShortRow]:
    """By approach, then oneDNN off before on, then the oldest release.

    Where TensorFlow does not report whether oneDNN is on, the profile's choice is shown.
    """
    by_profile = {profile.name: profile.onednn for profile in catalog.profiles}
    records = {(run.host_class, run.run): run.record for run in support.runs}
    defaults = {(run.host_class, run.same_as or run.run) for run in support.runs if run.profile == "default"}
    alike: dict[tuple[str, str, tuple[str, ...]], list[Seen]] = defaultdict(list)
    for judgement in judgements:
        header = judgement.run.judged_by
        is_on = by_profile.get(header.profile) if header.onednn is None else header.onednn
        onednn = {True: "on", False: "off", None: "unknown"}[is_on]
        key = (header.host.host_class, header.run)
        seen = Seen(release=header.release, record=records[key] or "", by_default=key in defaults)
        alike[judgement.approach, onednn, tuple(_answer(judgement, need) for need in NEEDS)].append(seen)
    versions = sorted({seen.release for group in alike.values() for seen in group}, key=Version)
    for group in alike.values():
        group.sort(key=lambda seen: Version(seen.release))
    order = sorted(alike, key=lambda key: (list(APPROACHES).index(key[0]), key[1], Version(alike[key][0].release)))
    for approach, onednn, words in order:
        spans: list[list[Seen]] = []
        for seen in alike[approach, onednn, words]:
            last = spans[-1][-1] if spans else None
            adjacent = last and versions.index(seen.release) == versions.index(last.release) + 1
            if last and adjacent and last.by_default == seen.by_default:
                spans[-1].append(seen)
            else:
                spans.append([seen])
        answers = dict(zip(NEEDS, words, strict=True))
        yield ShortRow(approach=approach, onednn=onednn, answers=answers, spans=tuple(map(tuple, spans)))


def _answer(judgement: Judgement, need: Need) -> str:
    """`yes`, or how the need fails; where only some cells fail, which: `refused: conv+bias+relu in a tf.function`."""
    answer, failed = judgement.needs[need], judgement.failing.get(need, ())
    if judgement.word == "absent":
        return "not there"
    if need == "fused":
        return "in part" if answer == "some" else answer
    if not failed:
        return "not there" if answer == "no" else answer
    badly = " or ".join(words for outcome, words in BADLY.items() if outcome in {one.outcome for one in failed})
    if answer != "some":
        return badly
    seen = [one for cell in core_cells(judgement.approach, need) if (one := judgement.cells.get(cell))]
    failing = {one.mode for one in failed}
    modes = " or ".join(IN_WORDS[mode] for mode in JUDGED[need][1] if mode in failing)
    in_all_modes = failing == {one.mode for one in seen if one.outcome != "absent"}
    if not in_all_modes and not any(one.outcome == "pass" for one in seen if one.mode in failing):
        return f"{badly}: {modes}"
    epilogues = [one.case.split("/")[1] for one in failed]
    epilogue = REPRESENTATIVE if REPRESENTATIVE in epilogues else epilogues[0]
    program = "+".join(("conv", *suite.EPILOGUES[epilogue]))
    return f"{badly}: {program}" if in_all_modes else f"{badly}: {program} {modes}"


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """An error text, the error that it is known as, and how often and in which releases it was seen."""

    text: str
    known: KnownError | None
    count: int
    releases: tuple[str, ...]


def meanings(support: Support, known: Sequence[KnownError]) -> list[Meaning]:
    """The most frequent first. Texts of the same known error are merged; the most frequent of them is shown."""
    named = {error.id: error for error in known}
    found = []
    for key, group in grouped(support.errors, lambda one: one.known or f"{one.type}: {one.message}").items():
        releases = {parse_run(run).target.release for entry in group for run in entry.runs}
        found.append(
            Meaning(
                text=f"{group[0].type}: {group[0].message}",
                known=named.get(key),
                count=sum(entry.count for entry in group),
                releases=tuple(sorted(releases, key=Version)),
            )
        )
    return sorted(found, key=lambda meaning: -meaning.count)
