"""Compute from the records in which runs each known error is raised, and the workarounds that were measured there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Literal

import msgspec
from packaging.version import Version

from matrix.answers.answer_data import (
    Answers,
    ErrorAnswer,
    Looked,
    Place,
    Settings,
    Timing,
    Unnamed,
    Where,
    on,
)
from matrix.answers.workarounds import measure
from matrix.base.grouping import grouped
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.known_errors import KnownError, failure_text, recognise
from matrix.catalog.releases import Catalog
from matrix.judge.verdicts import (
    FAILED,
    NEEDS,
    REPRESENTATIVE,
    WORST,
    JudgedRun,
    core_case,
    is_control,
    judged_runs,
    weigh,
)  # fmt: skip
from matrix.record.records import CellId, Epilogue, Observation, Record
from matrix.record.speed_records import SpeedRun
from matrix.suite import catalog as suite
from matrix.suite.speed import layers

# A model that is exported is another program: its cells are told apart from those of the modes that run it at once.
EXPORTS = ("savedmodel", "tflite")


def error_answers(records: Iterable[Record], known: Sequence[KnownError]) -> Answers:
    found = judged_runs(records)
    named: dict[str, list[tuple[JudgedRun, Observation]]] = {error.id: [] for error in known}
    unnamed: dict[str, list[str]] = defaultdict(list)
    recognised: dict[str, KnownError | None] = {}
    reasons: dict[tuple[int, CellId], str] = {}
    # A run that is the same as another has no observations of its own: they would count twice.
    for run in (one for one in found if not one.header.same_as):
        observations = (one for cells in run.cells.values() for one in cells.values())
        for observation in (one for one in observations if one.outcome in FAILED or one.error):
            text = failure_text(observation)
            if text not in recognised:
                recognised[text] = recognise(known, text)
            if error := recognised[text]:
                named[error.id].append((run, observation))
                reasons[id(run), observation.cell] = error.id
            elif observation.outcome != "wrong":
                unnamed[text].append("/".join((run.judged_by.run, *observation.cell)))
    beside = grouped(found, lambda run: run.place[1:])
    executed = [run for run in found if run.cells and not run.header.same_as and run.judged_by.planned_for is None]
    return Answers(
        places=[_place(run) for run in found],
        errors=[
            ErrorAnswer(
                seen=len(named[error.id]),
                where=where_raised(named[error.id], beside),
                looked=_looked(named[error.id], executed, reasons),
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
        needs={
            approach: "".join(judgement.needs[need][0] for need in NEEDS)
            for approach in run.cells
            for judgement in [weigh(run, approach)]
        }
        if not asked.same_as
        else {},
        fusion={} if asked.same_as else dict(_fusion(run)),
        doubtful=_doubtful(run),
    )


def _fusion(run: JudgedRun) -> Iterator[tuple[str, Epilogue | Literal["refused"]]]:
    for approach, cells in run.cells.items():
        base = APPROACHES[approach].base if approach in APPROACHES else ""
        for one in cells.values():
            geometry, epilogue, dtype, layout = one.case.split("/")
            usual = (one.mode, one.check, epilogue, dtype, layout) == ("graph", "fusion", REPRESENTATIVE, "f32", "nhwc")
            if usual and one.fusion and geometry.removesuffix("-var").removesuffix("-const") == base:
                forward = cells.get((approach, "graph", "forward", one.case))
                refused = forward is not None and forward.outcome in FAILED
                yield f"{approach} {geometry}", "refused" if refused else one.fusion.epilogue


def timings(runs: Iterable[SpeedRun]) -> list[Timing]:
    """Return what was timed in a graph, of TensorFlow."""
    return [
        Timing(
            release=run.release,
            backend=run.backend,
            host_class=run.host.host_class,
            profile=run.profile,
            layer=point.layer,
            groups=layers.LAYERS[point.layer].groups,
            batch=point.batch,
            direction=point.direction,
            milliseconds={
                one.variant: float(f"{one.median * 1000:.3g}") for one in point.variants if one.median and not one.of
            },
        )
        for run in runs
        if run.profile
        for point in run.points
        if point.mode == "graph" and point.dtype == "f32" and point.layer in layers.LAYERS
    ]


def settings(catalog: Catalog) -> list[Settings]:
    return [
        Settings(
            name=one.name,
            setting=one.setting,
            environment=one.environment,
            python=one.python,
            options=sorted(one.options),
            onednn=one.onednn,
        )
        for one in catalog.profiles
    ]


def _doubtful(run: JudgedRun) -> str:
    """Say how the control, the convolution without groups, crashes or computes wrong numbers in float32 and NHWC."""
    for cells in run.cells.values():
        for one in cells.values():
            if is_control(one.case) and one.outcome in WORST and one.case.endswith("/f32/nhwc"):
                return failure_text(one)[:200]
    return ""


def _looked(
    seen: Sequence[tuple[JudgedRun, Observation]],
    executed: Iterable[JudgedRun],
    reasons: Mapping[tuple[int, CellId], str],
) -> dict[str, Looked]:
    cells = {
        one.cell for _, one in seen if one.check != "fusion" and not is_control(one.case) and not misused(one.case)
    }
    backends, raising = {run.header.backend for run, _ in seen}, {id(run) for run, _ in seen}
    found = {}
    for run in executed:
        if run.header.backend not in backends or id(run) in raising:
            continue
        observed = [run.cells[cell[0]][cell] for cell in cells if cell in run.cells.get(cell[0], {})]
        failed = [one for one in observed if one.outcome in FAILED]
        others = Counter(filter(None, (reasons.get((id(run), one.cell)) for one in failed)))
        passed = sum(one.outcome == "pass" for one in observed)
        if passed or failed:
            found[on(run.header.run, run.header.host.host_class)] = Looked(
                cells=passed + len(failed), passed=passed, others=dict(sorted(others.items()))
            )
    return found


def where_raised(
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
    """Return the workarounds as far as they matter to a person: two places where these are equal are told as one."""
    return tuple((way.kind, way.name, way.whole, way.unseen > 0, way.trains, *way.modes) for way in where.ways)


def _order(where: Where) -> tuple[object, ...]:
    """Sort the core that needs are judged on first, then by the order of the suite."""
    core = without_epilogue(core_case(where.approach)) in where.variants and where.modes[0] not in EXPORTS
    return (not core, list(APPROACHES).index(where.approach), list(suite.CHECKS).index(where.check))


@cache
def without_epilogue(case: str) -> str:
    """`g4-k3/bias_relu/f32/nhwc` is `g4-k3/f32/nhwc`."""
    geometry, _, dtype, layout = case.split("/")
    return f"{geometry}/{dtype}/{layout}"


@cache
def misused(case: str) -> str | None:
    """Say what is wrong with the program in a case of misuse, where every answer but an error would be a fault."""
    try:
        misuse = suite.parse_case(case).misuse
    except ValueError:  # a case of another suite
        return None
    return suite.MISUSE[misuse] if misuse else None
