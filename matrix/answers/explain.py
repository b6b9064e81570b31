"""What an error means, where it holds and what was measured to go round it: as plain data, for page and terminal alike.

`error_answers(records, known)` computes all that is the same whoever asks, an `Answers` that `matrix.answers.published`
publishes as reports/errors.json:

- `places`: every run that has a record, with what `default` comes to there;
- `errors`: one `ErrorAnswer` a known error: its pattern, meaning and sources from known_errors.toml, and `where`, the
  places in which records show it, each with its ways round as measured there.

`explain(text, answers)` finds the errors that a text names. A page does the same with three rules:
1. Whitespace is collapsed: `text.split(/\\s+/).join(" ")`.
2. An error is meant where its `pattern` is found, ASCII letters in either case: `new RegExp(pattern, "i")`. All that
   are found count, in the order of `errors`, the special before the general.
3. Where none is found, the nearest is the error with the largest share of an example's `words` in the text, from
   `NEAR` on; it is shown as near, never as meant. `words` are `text.toLowerCase().match(/[a-z_]{3,}/g)`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec
from packaging.version import Version

from matrix.answers.nearest_release import Found, find
from matrix.answers.workarounds import Way, measure
from matrix.base.ids import Backend
from matrix.base.structs import Strict
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.known_errors import KnownError, found_in, recognise, searched, spoken
from matrix.judge.verdicts import FAILED, JudgedRun, core_case, is_control, judged_runs
from matrix.record.records import Check, Header, Mode, Observation, Record, Status
from matrix.suite import catalog as suite

NEAR = 0.5
EXPORTS = ("savedmodel", "tflite")
OF_RELEASES = ("releases", "runs", "default_in")
WORD = re.compile(r"[a-z_]{3,}")


class Place(Strict, frozen=True, kw_only=True):
    """A run with a record on a host class. `same_as` names the run that answers for it, as for `default`."""

    run: str
    release: str
    backend: Backend
    profile: str
    host_class: str
    status: Status
    observations: int
    record: str
    date: str
    same_as: str | None = None
    onednn: bool | None = None
    planned: bool = False
    reason: str | None = None


class Where(Strict, frozen=True, kw_only=True):
    """Releases in which an approach raises the error in the same cells, with the same ways round.

    `releases` and `runs` belong together; `default_in` are those releases in which it happens there with nothing set.
    `variants` are cases without their epilogue, `geometry/dtype/layout`; `cells` counts the failing cells a release,
    `cell` is one of them, `approach/mode/check/case`. `misuse`: what is wrong with the program itself in these cases,
    so that no way round is to be expected.
    """

    backend: Backend
    host_class: str
    profile: str
    approach: str
    check: Check
    modes: list[Mode]
    variants: list[str]
    cells: int
    cell: str
    releases: list[str]
    runs: list[str]
    default_in: list[str] = []
    misuse: str | None = None
    ways: list[Way] = []


class ErrorAnswer(Strict, frozen=True, kw_only=True):
    """A known error and what the records show of it. `seen` counts observations; with none it is known from public
    reports alone, the `links`. `reported` are ways round that those reports tell and no record has measured.
    `backends`: whose kernels alone say it; none where it can come from any.
    """

    id: str
    pattern: str
    backends: list[Backend] = []
    name: str
    meaning: str
    otherwise: list[str]
    mend: list[str]
    reported: list[str]
    links: list[str]
    examples: list[str]
    seen: int
    where: list[Where]


class Unnamed(Strict, frozen=True, kw_only=True):
    """An error text in the records that no known error's pattern is found in."""

    text: str
    seen: int
    cell: str


class Answers(Strict, frozen=True, kw_only=True):
    """Everything that can be said of errors from the published records."""

    places: list[Place]
    errors: list[ErrorAnswer]
    unnamed: list[Unnamed]


class Standing(Strict, frozen=True, kw_only=True):
    """A run, and in it the places that raise an error; with none it was not seen in the run's observations.

    `by_default`: the release does so there when nothing is set.
    """

    place: Place
    by_default: bool
    raised: list[Where]


class Explained(Strict, frozen=True, kw_only=True):
    """An error that a text names, and where it holds in the runs that were asked for.

    `instead`: whose runs those are where the backend that was asked for has no such kernel, so that the convolution
    cannot have run there.
    """

    error: ErrorAnswer
    here: list[Standing]
    instead: Backend | None = None


class Explanation(Strict, frozen=True, kw_only=True):
    """What a text means, the special before the general; else `near`, the errors whose examples come near it.

    `asked` are the recorded releases that `here` is told of, with a `note` where they are not the one that was named.
    `unobserved`: the backend that was asked for, where no run on it was executed.
    """

    meant: list[Explained]
    near: list[ErrorAnswer]
    asked: list[str]
    note: str
    runs: int
    observations: int
    unobserved: Backend | None = None


def explain(text: str, answers: Answers, *, release: str | None = None, backend: Backend | None = None) -> Explanation:
    """Raise BadUsage where `release` is no version."""
    text = searched(text)
    meant = [error for error in answers.errors if found_in(text, error.pattern)]
    executed = [place for place in answers.places if not place.planned]
    asked = _asked(executed, backend, release)
    return Explanation(
        meant=[_explained(error, executed, backend, release) for error in meant],
        near=[] if meant else _near(text, answers.errors),
        asked=list(asked.found.releases) if asked.found else [],
        note=asked.found.note if asked.found else "",
        runs=sum(not place.same_as and place.observations > 0 for place in answers.places),
        observations=sum(place.observations for place in answers.places),
        unobserved=None if any(place.observations for place in asked.places) else backend,
    )


@dataclass(frozen=True, kw_only=True)
class _AskedFor:
    """The executed runs of a backend, and which releases among them answer for the one that was named."""

    places: list[Place]
    found: Found | None

    @property
    def here(self) -> list[Place]:
        releases = self.found.releases if self.found else ()
        return [place for place in self.places if place.release in releases and not place.same_as]


def _asked(executed: Iterable[Place], backend: Backend | None, release: str | None) -> _AskedFor:
    places = [place for place in executed if backend in {None, place.backend}]
    recorded = [place.release for place in places if place.observations]
    return _AskedFor(places=places, found=find(release, recorded) if release and recorded else None)


def _explained(
    error: ErrorAnswer, executed: Sequence[Place], backend: Backend | None, release: str | None
) -> Explained:
    instead = error.backends[0] if backend and error.backends and backend not in error.backends else None
    asked = _asked(executed, instead or backend, release)
    here = [_standing(error, place, asked.places) for place in asked.here]
    return Explained(error=error, here=here, instead=instead)


def _standing(error: ErrorAnswer, place: Place, places: Sequence[Place]) -> Standing:
    by_default = place.profile == "default" or any(
        other.same_as == place.run and other.host_class == place.host_class for other in places
    )
    raised = [one for one in error.where if place.run in one.runs and place.host_class == one.host_class]
    return Standing(place=place, by_default=by_default, raised=raised)


def _near(text: str, errors: Sequence[ErrorAnswer]) -> list[ErrorAnswer]:
    """At most three, the nearest first."""
    told = set(WORD.findall(text.lower()))
    shares = {error.id: max(_share(example, told) for example in error.examples) for error in errors}
    near = [error for error in errors if shares[error.id] >= NEAR]
    return sorted(near, key=lambda error: -shares[error.id])[:3]


def _share(example: str, told: set[str]) -> float:
    words = set(WORD.findall(example.lower()))
    return len(words & told) / len(words) if words else 0.0


def error_answers(records: Iterable[Record], known: Sequence[KnownError]) -> Answers:
    found = judged_runs(records)
    named: dict[str, list[_Seen]] = {error.id: [] for error in known}
    counts: dict[str, int] = dict.fromkeys(named, 0)
    unnamed: dict[str, Unnamed] = {}
    texts: dict[str, KnownError | None] = {}
    for run in found:
        for observation in _failures(run):
            text = spoken(observation)
            if text not in texts:
                texts[text] = recognise(known, searched(text))
            if error := texts[text]:
                counts[error.id] += 1
                named[error.id].append((run, observation))
            elif observation.outcome != "wrong":
                unnamed[text] = _once_more(unnamed.get(text), text, run, observation)
    beside = _beside(found)
    return Answers(
        places=[_place(run) for run in found],
        errors=[_error(error, counts[error.id], list(_where(named[error.id], beside))) for error in known],
        unnamed=sorted(unnamed.values(), key=lambda one: -one.seen),
    )


_Seen = tuple[JudgedRun, Observation]
_Beside = Mapping[tuple[str, str], Sequence[JudgedRun]]


def _failures(run: JudgedRun) -> Iterator[Observation]:
    """What went wrong in a run, once: a run that is the same as another has no observations of its own."""
    if not run.header.same_as:
        for cells in run.cells.values():
            yield from (one for one in cells.values() if one.outcome in FAILED or one.error)


def _once_more(before: Unnamed | None, text: str, run: JudgedRun, observation: Observation) -> Unnamed:
    if before:
        return msgspec.structs.replace(before, seen=before.seen + 1)
    return Unnamed(text=text, seen=1, cell="/".join((run.judged_by.run, *observation.cell)))


def _place(run: JudgedRun) -> Place:
    asked = run.header
    return Place(
        run=asked.run,
        release=asked.release,
        backend=asked.backend,
        profile=asked.profile,
        host_class=asked.host.host_class,
        status=asked.status,
        observations=asked.observations,
        record=f"runs/{asked.host.host_class}/{asked.engine}/{asked.run}.jsonl",
        date=asked.started[:10],
        same_as=asked.same_as,
        onednn=run.judged_by.onednn,
        planned=asked.planned_for is not None,
        reason=asked.reason,
    )


def _error(error: KnownError, seen: int, where: list[Where]) -> ErrorAnswer:
    return ErrorAnswer(seen=seen, where=where, **{name: getattr(error, name) for name in error.__struct_fields__})


def _beside(found: Iterable[JudgedRun]) -> _Beside:
    """Judged runs by backend and host class."""
    beside: dict[tuple[str, str], list[JudgedRun]] = defaultdict(list)
    for run in found:
        beside[run.place[1:]].append(run)
    return beside


def _where(seen: Iterable[_Seen], beside: _Beside) -> list[Where]:
    """Failing cells of a run that differ in nothing but their variant are one; so are releases that differ in nothing.

    What is exported has ways round of its own. A fused operation that fails fails in its forward pass too: evidence is
    not told of.
    """
    groups: dict[tuple[int, str, str, str, str], list[Observation]] = defaultdict(list)
    runs: dict[int, JudgedRun] = {}
    for run, one in seen:
        if (misused(one.case) or not is_control(one.case)) and one.check != "fusion":
            runs[id(run)] = run
            exported = one.mode if one.mode in EXPORTS else ""
            groups[id(run), one.approach, one.check, exported, variant(one.case)].append(one)
    wheres = [_single(runs[key[0]], group, beside) for key, group in groups.items()]
    return sorted(_over_releases(_over_variants(wheres)), key=_order)


def _order(where: Where) -> tuple[object, ...]:
    """What needs are judged on comes first, then as the suite has it."""
    core = variant(core_case(where.approach)) in where.variants and where.modes[0] not in EXPORTS
    return (not core, list(APPROACHES).index(where.approach), list(suite.CHECKS).index(where.check))


def _over_variants(wheres: Iterable[Where]) -> Iterator[Where]:
    groups: dict[object, list[Where]] = defaultdict(list)
    for one in wheres:
        groups[*one.runs, one.host_class, one.approach, one.check, *one.modes, one.misuse, _ways(one)].append(one)
    for group in groups.values():
        yield msgspec.structs.replace(
            group[0],
            variants=[variant for one in group for variant in one.variants],
            cells=sum(one.cells for one in group),
            ways=[_summed(ways) for ways in zip(*(one.ways for one in group), strict=True)],
        )


def _over_releases(wheres: Iterable[Where]) -> Iterator[Where]:
    groups: dict[object, list[Where]] = defaultdict(list)
    for one in wheres:
        place = (one.backend, one.host_class, one.profile)
        groups[*place, one.approach, one.check, *one.modes, *one.variants, one.cells, one.misuse, _ways(one)].append(
            one
        )
    for group in groups.values():
        group.sort(key=lambda one: Version(one.releases[0]))
        joined = {name: [item for one in group for item in getattr(one, name)] for name in OF_RELEASES}
        yield msgspec.structs.replace(group[0], **joined)


def _ways(where: Where) -> tuple[object, ...]:
    """What makes two places alike, for someone who looks for a way round."""
    return tuple((way.kind, way.name, way.whole, way.unseen > 0, way.trains) for way in where.ways)


def _summed(ways: Sequence[Way]) -> Way:
    totals = {name: sum(getattr(way, name) for way in ways) for name in ("passed", "of", "unseen")}
    return msgspec.structs.replace(ways[0], **totals)


def _single(run: JudgedRun, failing: Sequence[Observation], beside: _Beside) -> Where:
    others = beside[run.place[1:]]
    first, header = failing[0], run.judged_by
    misuse = misused(first.case)
    by_default = any(_is_default(other.header, header) for other in others)
    return Where(
        backend=header.backend,
        host_class=header.host.host_class,
        profile=header.profile,
        approach=first.approach,
        check=first.check,
        modes=[mode for mode in suite.MODES if mode in {one.mode for one in failing}],
        variants=[variant(first.case)],
        cells=len(failing),
        cell="/".join(first.cell),
        releases=[header.release],
        runs=[header.run],
        default_in=[header.release] if by_default else [],
        misuse=misuse,
        ways=[] if misuse else list(measure(failing, run, others)),
    )


def _is_default(asked: Header, answers: Header) -> bool:
    return asked.release == answers.release and asked.profile == "default" and answers.run in {asked.run, asked.same_as}


@cache
def variant(case: str) -> str:
    """A case without its epilogue, `geometry/dtype/layout`."""
    geometry, _, dtype, layout = case.split("/")
    return f"{geometry}/{dtype}/{layout}"


@cache
def misused(case: str) -> str | None:
    """What is wrong with the program in a case of misuse, where every answer but an error would be a fault."""
    try:
        misuse = suite.parse_case(case).misuse
    except ValueError:  # a case of another suite
        return None
    return suite.MISUSE[misuse] if misuse else None
