"""What each known error means, in which runs it is raised, and the workarounds that were measured there: plain data.

`matrix.answers.published_answers` publishes it as reports/answers.json; the terminal and the page are made from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import msgspec
from packaging.version import Version

from matrix.answers.workarounds import Workaround, measure
from matrix.base.grouping import grouped
from matrix.base.ids import Backend
from matrix.base.structs import Strict
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.known_errors import KnownError, failure_text, recognise, searched
from matrix.judge.verdicts import FAILED, JudgedRun, core_case, is_control, judged_runs
from matrix.record.records import Check, Mode, Observation, Record, Status
from matrix.suite import catalog as suite

# A model that is exported is another program: its cells are told apart from those of the modes that run it at once.
EXPORTS = ("savedmodel", "tflite")


class Place(Strict, frozen=True, kw_only=True):
    """A run with a record on a host class. `same_as` names the run whose record is used for it, as for `default`."""

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
    """Releases in which an approach raises the error in the same cells, with the same workarounds.

    `releases` and `runs` belong together; `default_in` are the releases in which it happens with nothing set.
    `variants` are cases without their epilogue, `geometry/dtype/layout`; `cells` counts the failing cells of a release,
    `cell` is the first of them, `approach/mode/check/case`. `misuse`: what is wrong with the program itself in these
    cases, so that no workaround is to be expected.
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
    ways: list[Workaround] = []


class ErrorAnswer(Strict, frozen=True, kw_only=True):
    """A known error and what the records show of it. `seen` counts observations; where it is 0, the error is known from
    public reports only, the `links`. `reported` are workarounds that these reports tell and no record has measured.
    `backends`: only their kernels raise the error; empty where it can come from any backend.
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
    """An error text in the records that no known error's pattern matches."""

    text: str
    seen: int
    cell: str


class Answers(Strict, frozen=True, kw_only=True):
    """Everything that the published records say of errors."""

    places: list[Place]
    errors: list[ErrorAnswer]
    unnamed: list[Unnamed]


def error_answers(records: Iterable[Record], known: Sequence[KnownError]) -> Answers:
    found = judged_runs(records)
    named: dict[str, list[tuple[JudgedRun, Observation]]] = {error.id: [] for error in known}
    unnamed: dict[str, list[str]] = defaultdict(list)
    recognised: dict[str, KnownError | None] = {}
    # A run that is the same as another has no observations of its own: they would count twice.
    for run in (one for one in found if not one.header.same_as):
        observations = (one for cells in run.cells.values() for one in cells.values())
        for observation in (one for one in observations if one.outcome in FAILED or one.error):
            text = failure_text(observation)
            if text not in recognised:
                recognised[text] = recognise(known, searched(text))
            if error := recognised[text]:
                named[error.id].append((run, observation))
            elif observation.outcome != "wrong":
                unnamed[text].append("/".join((run.judged_by.run, *observation.cell)))
    beside = grouped(found, lambda run: run.place[1:])
    return Answers(
        places=[_place(run) for run in found],
        errors=[
            ErrorAnswer(
                seen=len(named[error.id]),
                where=_where(named[error.id], beside),
                **{name: getattr(error, name) for name in error.__struct_fields__},
            )
            for error in known
        ],
        unnamed=[
            Unnamed(text=text, seen=len(cells), cell=cells[0])
            for text, cells in sorted(unnamed.items(), key=lambda item: -len(item[1]))
        ],
    )


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


def _where(
    seen: Iterable[tuple[JudgedRun, Observation]], beside: Mapping[tuple[str, str], Sequence[JudgedRun]]
) -> list[Where]:
    """Gather the failing cells by run, approach, check and case; then join the cases, and the releases, that differ in
    nothing else. `beside`: judged_runs by backend and host class, which workarounds are looked for in.
    """
    groups: dict[object, list[tuple[JudgedRun, Observation]]] = defaultdict(list)
    for run, one in seen:
        # A fused operation that fails also fails in its forward pass: the check `fusion` would tell it twice.
        if one.check != "fusion" and not is_control(one.case):
            exported = one.mode if one.mode in EXPORTS else ""
            key = (id(run), one.approach, one.check, exported, without_epilogue(one.case))
            groups[key].append((run, one))
    single = [_of_one_run(group[0][0], [one for _, one in group], beside) for group in groups.values()]
    return sorted(_joined_releases(_joined_cases(single)), key=_order)


def _of_one_run(
    run: JudgedRun, failing: Sequence[Observation], beside: Mapping[tuple[str, str], Sequence[JudgedRun]]
) -> Where:
    others = beside[run.place[1:]]
    first, header = failing[0], run.judged_by
    default = (other.header for other in others if other.header.profile == "default")
    by_default = any(one.release == header.release and header.run in {one.run, one.same_as} for one in default)
    misuse = misused(first.case)
    return Where(
        backend=header.backend,
        host_class=header.host.host_class,
        profile=header.profile,
        approach=first.approach,
        check=first.check,
        modes=[mode for mode in suite.MODES if mode in {one.mode for one in failing}],
        variants=[without_epilogue(first.case)],
        cells=len(failing),
        cell="/".join(first.cell),
        releases=[header.release],
        runs=[header.run],
        default_in=[header.release] if by_default else [],
        misuse=misuse,
        ways=[] if misuse else measure(failing, run, others),
    )


def _joined_cases(wheres: Iterable[Where]) -> Iterator[Where]:
    def alike(one: Where) -> tuple[object, ...]:
        return (*one.runs, one.host_class, one.approach, one.check, *one.modes, one.misuse, _remedies(one))

    for group in grouped(wheres, alike).values():
        ways = []
        for same in zip(*(one.ways for one in group), strict=True):
            totals = {name: sum(getattr(way, name) for way in same) for name in ("passed", "of", "unseen")}
            ways.append(msgspec.structs.replace(same[0], **totals))
        yield msgspec.structs.replace(
            group[0],
            variants=[variant for one in group for variant in one.variants],
            cells=sum(one.cells for one in group),
            ways=ways,
        )


def _joined_releases(wheres: Iterable[Where]) -> Iterator[Where]:
    def alike(one: Where) -> tuple[object, ...]:
        place = (one.backend, one.host_class, one.profile, one.approach, one.check)
        return (*place, *one.modes, *one.variants, one.cells, one.misuse, _remedies(one))

    for group in grouped(wheres, alike).values():
        group.sort(key=lambda one: Version(one.releases[0]))
        joined = {
            name: [item for one in group for item in getattr(one, name)] for name in ("releases", "runs", "default_in")
        }
        yield msgspec.structs.replace(group[0], **joined)


def _remedies(where: Where) -> tuple[object, ...]:
    """The workarounds as far as they matter to a person: two places where these are equal are told as one."""
    return tuple((way.kind, way.name, way.whole, way.unseen > 0, way.trains) for way in where.ways)


def _order(where: Where) -> tuple[object, ...]:
    """The core that needs are judged on comes first, then the order of the suite."""
    core = without_epilogue(core_case(where.approach)) in where.variants and where.modes[0] not in EXPORTS
    return (not core, list(APPROACHES).index(where.approach), list(suite.CHECKS).index(where.check))


@cache
def without_epilogue(case: str) -> str:
    """`g4-k3/bias_relu/f32/nhwc` is `g4-k3/f32/nhwc`."""
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
