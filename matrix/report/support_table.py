"""The support table as rows, for Markdown, the terminal and the pages: its words are decided here."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from packaging.version import Version

from matrix.base.grouping import grouped
from matrix.base.ids import BACKENDS, is_emulated, parse_run
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.known_errors import KnownError
from matrix.catalog.releases import Catalog
from matrix.judge.landmarks import COMPARED
from matrix.judge.processors import nearest
from matrix.judge.support import RunEntry, Support, Verdict, question_of
from matrix.judge.verdicts import JUDGED, NEEDS, REPRESENTATIVE, Judgement, Need, VerdictWord, core_cells
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
    "not_run": "never run",
}
# How far a planned run has come.
STATES = ("complete", "made in part", "due", "cannot be had")
BADLY: dict[Outcome, str] = {
    "wrong": "wrong result",
    "crash": "crashes",
    "timeout": "hangs",
    "oom": "takes all memory",
    "error": "refused",
}
# How a note ends that tells of a failure: see matrix/judge/notes.py.
WORKAROUND = re.compile(r" (Workaround, measured here: .*|No workaround was measured here)\.$")
# What is said of each of NEEDS.
Answers = tuple[str, ...]
IN_WORDS = {"eager": "run eagerly", "graph": "in a tf.function", "keras": "in predict or fit", "jit": "under XLA"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """Runs of a release that have records and came out alike, each on a host class of its own.

    `entries`: by approach the verdict's word, and the number of its note if it has one.
    """

    runs: tuple[RunEntry, ...]
    entries: tuple[tuple[VerdictWord, int | None], ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """The rows of one backend and profile, on real or on emulated host classes; `never` are the releases without any
    record.
    """

    backend: str
    emulated: bool
    profile: str
    host_classes: tuple[str, ...]
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
    `host_classes`: those that do so; they all do, but for those in a row of `otherwise`.
    """

    approach: str
    onednn: str
    answers: dict[Need, str]
    spans: tuple[tuple[Seen, ...], ...]
    host_classes: tuple[str, ...] = ()
    otherwise: tuple[ShortRow, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Short:
    """The short table of a backend, over all host classes on which it was executed; emulated ones are left out where
    there are others. `host_class`: the one on which most was observed, whose default is shown. `cpus`: the processors
    or GPUs of all. `unobserved`: releases that were tried without any observation, each with the reason.
    """

    backend: str
    host_class: str
    cpus: tuple[str, ...]
    rows: tuple[ShortRow, ...]
    unobserved: tuple[str, ...]
    host_classes: tuple[str, ...] = ()


def judged_over() -> str:
    """Say over which epilogues and modes an entry is judged, as the suite's core has them."""
    cells = [suite.Cell(*cell) for cell in suite.cells("core") if not suite.parse_case(cell.case).block]
    of = {
        check: [name for name in suite.EPILOGUES if any(f"/{name}/" in one.case for one in cells if one.check == check)]
        for check in ("forward", "gradient")
    }
    modes = "; ".join(IN_WORDS[mode] for mode in suite.CORE_MODES)
    outputs, gradients = (", ".join(f"`{name}`" for name in names) for names in of.values())
    return f"outputs with the epilogues {outputs}; gradients with {gradients}; {modes}"


def headline(support: Support, made: Sequence[Record], catalog: Catalog, broken: int) -> tuple[str, ...]:
    """Say how much of the plan is done and what it rests on, a sentence for each fact; faults that did not happen are
    not mentioned. A run is done where any host class has made it; emulated ones make no run for others. A profile that
    is run only where it is asked for is no part of the plan.
    """
    by_name = {profile.name for profile in catalog.profiles if profile.by_name}
    known = [verdict for verdict in support.verdicts if verdict.verdict != "unknown"]
    seen = {question_of(verdict)[:3] for verdict in known if not is_emulated(verdict.host_class)}
    states, reasons = Counter[str](), Counter[str]()
    planned = [run for run in support.runs if not is_emulated(run.host_class) and run.profile not in by_name]
    for place, runs in grouped(planned, lambda run: (run.release, run.backend, run.profile)).items():
        if place in seen:
            states["complete" if any(run.same_as or run.status == "complete" for run in runs) else "made in part"] += 1
        elif any(run.engine for run in runs):
            states["cannot be had"] += 1
            reasons[why_unknown(runs[0])] += 1
        else:
            states["due"] += 1
    why = ", ".join(f"{what}: {count}" for what, count in sorted(reasons.items()))
    done = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
    observations = sum(record.header.observations for record in made)
    classes = dict.fromkeys(run.host_class for run in support.runs if run.engine)
    emulated = sum(map(is_emulated, classes))
    sentences = [
        f"Planned {_count(states.total(), 'run')} (a release, backend and profile)"
        + (f": {done}" if done else "")
        + (f" ({why})." if why else "."),
        f"The table has {_count(len(known), 'entry', 'entries')}, from {_count(observations, 'observation')} in "
        f"{_count(len(made), 'record')} on {_count(len(classes), 'host class', 'host classes')}"
        + (f", {emulated} of them emulated." if emulated else "."),
    ]
    if not_executed := sum(verdict.evidence != "executed" for verdict in known):
        sentences.append(
            f"{_count(not_executed, 'entry', 'entries')} tell what is planned for a device that was not there."
        )
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

    Emulated host classes come last. Verdicts that have the same notes share a number, and runs of a release that have
    the same entries share a row; the class that has most records comes first.
    """
    numbers: dict[str, int] = {}
    verdicts = grouped(support.verdicts, question_of)
    most = Counter(run.host_class for run in support.runs if run.engine)
    runs = grouped(support.runs, lambda run: (run.backend, is_emulated(run.host_class), run.profile))
    found = []
    for backend, emulated, profile in sorted(runs, key=lambda key: (BACKENDS.index(key[0]), key[1])):
        group = runs[backend, emulated, profile]
        made = sorted((run for run in group if run.engine), key=lambda run: (-most[run.host_class], run.host_class))
        rows = []
        for of_release in grouped(sorted(made, key=lambda run: Version(run.release)), lambda run: run.release).values():
            for alike in grouped(of_release, lambda run: _observed(run, verdicts.get(question_of(run), ()))).values():
                entries: list[tuple[VerdictWord, int | None]] = []
                for verdict in verdicts.get(question_of(alike[0]), ()):
                    note = " ".join(_notes(verdict))
                    number = numbers.setdefault(note, len(numbers) + 1) if note else None
                    entries.append((verdict.verdict, number))
                rows.append(Row(runs=tuple(alike), entries=tuple(entries)))
        found.append(
            Section(
                backend=backend,
                emulated=emulated,
                profile=profile,
                host_classes=tuple(dict.fromkeys(run.host_class for run in made)),
                rows=tuple(rows),
                never=tuple(run.release for run in group if not run.engine),
            )
        )
    return found, list(numbers)


def _notes(verdict: Verdict) -> list[str]:
    """Leave out what the row itself says: which run it is the same as, and where its records are."""
    return [note for note in verdict.notes if not note.startswith(("The same as ", "By the record of "))]


def _observed(run: RunEntry, verdicts: Sequence[Verdict]) -> tuple[object, ...]:
    """Return what two runs must have in common to share a row: all but the workarounds, which depend on what else was
    run on the host class.
    """
    said = [(one.verdict, one.counts, [WORKAROUND.sub("", note) for note in _notes(one)]) for one in verdicts]
    return (run.same_as, run.older_suite, repr(said))


def shorts(support: Support, judgements: Sequence[Judgement], catalog: Catalog) -> Iterator[Short]:
    """Return a table for each backend on which anything was executed."""
    executed = Counter((one.backend, one.host_class) for one in support.verdicts if one.evidence == "executed")
    plain = {profile.name for profile in catalog.profiles if not profile.variables or profile.onednn is not None}
    for backend in BACKENDS:
        classes = sorted(host_class for of, host_class in executed if of == backend)
        classes = [name for name in classes if not is_emulated(name)] or classes
        if not classes:
            continue
        most = max(classes, key=lambda name: executed[backend, name])
        order = nearest(most, classes)
        chosen, tried = [], {}
        for judgement in judgements:
            asked, answers = judgement.run.header, judgement.run.judged_by
            here = asked.backend == backend and asked.host.host_class in classes
            if here and asked.profile in plain and not asked.same_as and judgement.approach in COMPARED:
                if judgement.cells:
                    chosen.append(judgement)
                else:
                    tried[answers.release] = f"{answers.release} ({UNKNOWN[answers.status]})"
        seen = {judgement.run.judged_by.release for judgement in chosen}
        hosts = sorted(support.hosts, key=lambda one: one.host_class != most)
        yield Short(
            backend=backend,
            host_class=most,
            host_classes=tuple(order),
            cpus=tuple(dict.fromkeys(one.gpu or one.cpu for one in hosts if one.host_class in classes)),
            rows=tuple(_short_rows(chosen, support, catalog, order)),
            unobserved=tuple(reason for release, reason in tried.items() if release not in seen),
        )


def _short_rows(
    judgements: Sequence[Judgement], support: Support, catalog: Catalog, order: Sequence[str]
) -> Iterator[ShortRow]:
    """By approach, then oneDNN off before on, then the oldest release.

    Of a release the first host class of the `order` that observed it is shown; others stand under it where they differ.
    """
    by_profile = {profile.name: profile.onednn for profile in catalog.profiles}
    records = {(run.host_class, run.run): run.record for run in support.runs}
    defaults = {(run.host_class, run.same_as or run.run) for run in support.runs if run.profile == "default"}
    versions = sorted({one.run.judged_by.release for one in judgements}, key=Version)

    def state(judgement: Judgement) -> str:
        """Say whether oneDNN is on: by the profile's choice, where TensorFlow does not report it."""
        header = judgement.run.judged_by
        is_on = by_profile.get(header.profile) if header.onednn is None else header.onednn
        return {True: "on", False: "off", None: "unknown"}[is_on]

    def row(answers: Answers, host_classes: Iterable[str], alike: Iterable[Judgement], *under: ShortRow) -> ShortRow:
        spans: list[list[Seen]] = []
        for judgement in alike:
            header = judgement.run.judged_by
            key = (header.host.host_class, header.run)
            seen = Seen(release=header.release, record=records[key] or "", by_default=key in defaults)
            last = spans[-1][-1] if spans else None
            adjacent = last and versions.index(seen.release) == versions.index(last.release) + 1
            if last and adjacent and last.by_default == seen.by_default:
                spans[-1].append(seen)
            else:
                spans.append([seen])
        return ShortRow(
            approach=judgement.approach,
            onednn=state(judgement),
            answers=dict(zip(NEEDS, answers, strict=True)),
            spans=tuple(map(tuple, spans)),
            host_classes=tuple(sorted(host_classes, key=order.index)),
            otherwise=under,
        )

    by_place = grouped(judgements, lambda one: (list(APPROACHES).index(one.approach), state(one)))
    for place in sorted(by_place):
        shown = defaultdict[Answers, list[Judgement]](list)
        agree = defaultdict[Answers, set[str]](set)
        differ = defaultdict[Answers, dict[tuple[Answers, tuple[str, ...]], list[Judgement]]](dict)
        by_release = grouped(by_place[place], lambda one: one.run.judged_by.release)
        for release in sorted(by_release, key=Version):
            seen = sorted(by_release[release], key=lambda one: order.index(_class(one)))
            answers = _answers(seen[0])
            shown[answers].append(seen[0])
            for there, alike in grouped(seen, _answers).items():
                classes = tuple(dict.fromkeys(map(_class, alike)))
                if all("unknown" in pair or len(set(pair)) == 1 for pair in zip(answers, there, strict=True)):
                    agree[answers] |= set(classes)
                else:
                    differ[answers].setdefault((there, classes), []).append(alike[0])
        for answers, alike in shown.items():
            under = [row(there, classes, ones) for (there, classes), ones in differ[answers].items()]
            yield row(answers, agree[answers], alike, *under)


def _class(judgement: Judgement) -> str:
    return judgement.run.header.host.host_class


def _answers(judgement: Judgement) -> Answers:
    return tuple(_answer(judgement, need) for need in NEEDS)


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
    """Return the errors, the most frequent first. Texts of one known error are merged: the most frequent is shown."""
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
