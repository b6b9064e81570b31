"""What the processor changes, for Markdown: pairs of host classes, and ladders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.version import Version

from matrix.base.grouping import grouped
from matrix.base.ids import is_emulated
from matrix.judge.ladder import Comparison, Ladder
from matrix.judge.processors import ProcessorStatement, agreement_in_words, differ_in_words, in_words


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two host classes, and the releases in which the same is said of them."""

    host_class: str
    other: str
    releases: tuple[str, ...]
    said: str


def pairs(statement: ProcessorStatement) -> Iterator[Pair]:
    """Emulated host classes come last."""
    alike = grouped(statement.agreements, lambda one: (one.host_class, one.other, agreement_in_words(one)))
    for host_class, other, said in sorted(alike, key=lambda key: (is_emulated(key[0]) or is_emulated(key[1]), key[:2])):
        releases = sorted({one.release for one in alike[host_class, other, said]}, key=Version)
        yield Pair(host_class=host_class, other=other, releases=tuple(releases), said=said)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A row of a ladder: a rung, or a processor beside it. `differ`: from the rung above, or from the rung beside."""

    what: str
    isa: str
    differ: str
    computed_by: dict[str, str]


def steps(ladder: Ladder) -> Iterator[Step]:
    for rung in ladder.rungs:
        what = f"{rung.cap}, by a cap" if rung.cap else f"all of {ladder.host_class}"
        differ = _differ(rung.above) if rung.above else "the top"
        yield Step(what=what, isa=rung.isa, differ=differ, computed_by=rung.computed_by)
        for other in rung.beside:
            differ = f"from the cap: {_differ(other)}"
            yield Step(what=f"all of {other.host_class}", isa=rung.isa, differ=differ, computed_by=other.computed_by)


def _differ(comparison: Comparison) -> str:
    dtypes = Counter[str]()
    for one in comparison.differences:
        dtypes[one.dtype] += one.cells
    return differ_in_words(comparison.compared, dtypes) if comparison.compared else "not comparable"


def differences(ladder: Ladder) -> Iterator[str]:
    """Say which outcomes differ, cells that do so alike in a line."""
    for rung in ladder.rungs:
        for other in filter(None, (rung.above, *rung.beside)):
            there = other.host_class if other.host_class != ladder.host_class else "the rung above"
            for one in other.differences:
                cells = f"{one.cells} cells, first {one.first}" if one.cells > 1 else one.first
                yield (
                    f"{rung.cap} by a cap: {one.approach}, {one.check} in {one.dtype}: {one.here}, and {one.there} on "
                    f"{there} ({cells})"
                )


FOR_TEMPLATES = {"pairs": pairs, "in_words": in_words, "steps": steps, "differences": differences}
