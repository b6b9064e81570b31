"""Compare host classes cell by cell, and order them by how well one answers for another that has no record.

Two records are compared only where everything but the processor is equal: release, lock, engine, setting, the parts of
the suite that a cell depends on, and the architecture, since another one has wheels of its own. Only what was executed
on the processor counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import combinations

from packaging.version import Version

from matrix.base.grouping import grouped
from matrix.base.ids import is_emulated
from matrix.base.structs import Strict
from matrix.judge.settings import cap, setting
from matrix.record import host
from matrix.record.records import CellId, Header, Outcome, Record


class Agreement(Strict, frozen=True, kw_only=True):
    """How two host classes agree in a release, with oneDNN on or off: of `compared` outcomes, those of `differing`
    differ, by dtype.
    """

    host_class: str
    other: str
    release: str
    onednn: bool
    compared: int
    differing: dict[str, int]


class ProcessorStatement(Strict, frozen=True, kw_only=True):
    """What the processor changes, with oneDNN on or off: cells that several of the `host_classes` observed were
    `compared`, and of these `differing` did not come out alike on all, by dtype. Emulated classes count in `agreements`
    alone.
    """

    architecture: str
    onednn: bool
    host_classes: list[str]
    releases: list[str]
    compared: int
    differing: dict[str, int]
    agreements: list[Agreement]


def statements(made: Iterable[Record]) -> list[ProcessorStatement]:
    """Return a statement for each architecture and state of oneDNN in which classes can be compared, off before on."""
    found = []
    for (architecture, onednn), groups in sorted(grouped(_alike(made), _kind).items()):
        agreements = list(_agreements(groups))
        classes, releases, compared, differing = set[str](), set[str](), 0, Counter[str]()
        for group in groups:
            real = {name: record for name, record in group.items() if not is_emulated(name)}
            seen_by = defaultdict[CellId, list[Outcome]](list)
            for one, other in combinations(real.values(), 2):
                for cell, pair in outcomes(one, other).items():
                    seen_by[cell] += pair
                    classes |= {one.header.host.host_class, other.header.host.host_class}
                    releases.add(one.header.release)
            compared += len(seen_by)
            differing.update(dtype_of(cell) for cell, seen in seen_by.items() if len(set(seen)) > 1)
        if agreements:
            found.append(
                ProcessorStatement(
                    architecture=architecture,
                    onednn=onednn,
                    host_classes=sorted(classes),
                    releases=sorted(releases, key=Version),
                    compared=compared,
                    differing=dict(sorted(differing.items())),
                    agreements=agreements,
                )
            )
    return found


def agreements(made: Iterable[Record]) -> list[Agreement]:
    """Compare every two of the host classes in every release, oldest first."""
    return sorted(_agreements(_alike(made)), key=lambda one: Version(one.release))


def agreement_in_words(agreement: Agreement) -> str:
    """`4 of 1,476 outcomes differ, all in bf16`"""
    return differ_in_words(agreement.compared, agreement.differing)


def in_words(statement: ProcessorStatement) -> str:
    """Say in a sentence what the processor changes."""
    onednn = f"On {statement.architecture} with oneDNN {'on' if statement.onednn else 'off'}"
    classes = f"{len(statement.host_classes)} host classes on {len(statement.releases)} releases"
    says = "matters" if statement.differing else "does not matter"
    return f"{onednn} the processor {says}: of {classes}, {differ_in_words(statement.compared, statement.differing)}."


def differ_in_words(compared: int, differing: Mapping[str, int]) -> str:
    dtypes = [f"{count:,} in {dtype}" for dtype, count in differing.items()]
    where = f", all in {next(iter(differing))}" if len(dtypes) == 1 else f" ({', '.join(dtypes)})" if dtypes else ""
    return f"{sum(differing.values()):,} of {compared:,} outcomes differ{where}"


def nearest(host_class: str, recorded: Collection[str]) -> list[str]:
    """Order the recorded host classes, the one first that answers best for this one.

    It is the class itself; then one with the same ISA and another vendor; then the next lower ISA, whose kernels the
    processor can run too; then the next higher. Emulated classes, and then other architectures, come last.
    """
    asked = host.parse_class(host_class)

    def distance(name: str) -> tuple[object, ...]:
        there = host.parse_class(name)
        rungs = host.rung(there.isa) - host.rung(asked.isa)
        return (
            name != host_class,
            there.architecture != asked.architecture,
            there.emulated and not asked.emulated,
            there.isa != asked.isa,
            rungs < 0,
            abs(rungs),
            there.vendor != asked.vendor,
            name,
        )

    return sorted(recorded, key=distance)


def nearest_timed(host_class: str, timed: Collection[str]) -> list[str]:
    """Order the host classes whose times may stand for this one's: those of the same architecture."""
    architecture = host.parse_class(host_class).architecture
    return nearest(host_class, [name for name in timed if host.parse_class(name).architecture == architecture])


def _alike(made: Iterable[Record]) -> list[Mapping[str, Record]]:
    """Return the records of host classes between which everything else is equal, by host class. What runs with oneDNN
    kept to less than the processor has is of no class: matrix/judge/ladder.py compares it.

    Of several engines, the one is taken that most classes were run with.
    """
    groups = defaultdict[tuple[object, ...], defaultdict[tuple[object, ...], dict[str, Record]]](
        lambda: defaultdict(dict)
    )
    for record in made:
        header = record.header
        if header.how == "executed" and record.observations and header.onednn is not None and not cap(header):
            architecture = host.parse_class(header.host.host_class).architecture
            how = (header.engine, header.lock_sha256)
            groups[header.release, setting(header), architecture][how][header.host.host_class] = record
    most = (max(by_engine.values(), key=len) for by_engine in groups.values())
    return [group for group in most if len(group) > 1]


def _kind(group: Mapping[str, Record]) -> tuple[str, bool]:
    name, record = next(iter(group.items()))
    return host.parse_class(name).architecture, record.header.onednn is True


def _agreements(groups: Iterable[Mapping[str, Record]]) -> Iterator[Agreement]:
    counts = defaultdict[tuple[str, str, str, bool], tuple[Counter[str], Counter[str]]](lambda: (Counter(), Counter()))
    for group in groups:
        for (name, one), (other_name, other) in combinations(sorted(group.items()), 2):
            compared, differing = counts[name, other_name, one.header.release, one.header.onednn is True]
            for cell, (outcome, there) in outcomes(one, other).items():
                compared[dtype_of(cell)] += 1
                differing[dtype_of(cell)] += outcome != there
    for (name, other_name, release, onednn), (compared, differing) in counts.items():
        if compared:
            yield Agreement(
                host_class=name,
                other=other_name,
                release=release,
                onednn=onednn,
                compared=compared.total(),
                differing=dict(sorted((+differing).items())),
            )


def outcomes(one: Record, other: Record) -> dict[CellId, tuple[Outcome, Outcome]]:
    """Return both outcomes of each cell that both records observed, by the same parts of the suite."""
    theirs = {observation.cell: observation.outcome for observation in other.observations}
    same = _same_parts(one.header, other.header)
    return {
        seen.cell: (seen.outcome, theirs[seen.cell])
        for seen in one.observations
        if seen.cell in theirs and (same is None or {"*", seen.approach} <= same)
    }


def _same_parts(one: Header, other: Header) -> set[str] | None:
    """Return the parts of the suite that are equal in both runs; None where the whole suite is."""
    if one.suite_sha256 == other.suite_sha256:
        return None
    return other.same_parts(one.suite_parts or {})


def dtype_of(cell: CellId) -> str:
    return cell[3].split("/")[2]
