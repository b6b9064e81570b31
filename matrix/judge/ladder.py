"""The ladder: one machine, with oneDNN kept to lesser and lesser instructions (`ONEDNN_MAX_CPU_ISA`).

A rung is compared with the rung above, and with processors that have no more than its instructions: there, everything
but the processor must be equal. It is never taken for one of them, since TensorFlow asks the processor itself whether
it has oneDNN compute a dtype. What oneDNN does not say that it kept to is no rung.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from packaging.version import Version

from matrix.base.grouping import grouped
from matrix.base.ids import is_emulated
from matrix.base.structs import Strict
from matrix.judge.processors import dtype_of, outcomes
from matrix.judge.settings import cap, is_plain
from matrix.record import host
from matrix.record.records import Outcome, Record
from matrix.suite import catalog as suite


class Difference(Strict, frozen=True, kw_only=True):
    """So many cells of an approach, a check and a dtype came out as `here` on a rung, and as `there` in what it is
    compared with; `first`: one of them.
    """

    approach: str
    check: str
    dtype: str
    there: Outcome
    here: Outcome
    cells: int
    first: str


class Comparison(Strict, frozen=True, kw_only=True):
    """Another run, with which a rung is compared. `computed_by`: as in Rung."""

    host_class: str
    run: str
    compared: int
    differences: list[Difference]
    computed_by: dict[str, str]


class Rung(Strict, frozen=True, kw_only=True):
    """A run with oneDNN kept to the ISA `cap`; None at the top. `isa`: what oneDNN itself says that it takes.

    `computed_by`: the operations of a grouped convolution, by dtype. `above`: the rung above. `beside`: processors that
    have no more than this ISA.
    """

    run: str
    cap: str | None
    isa: str
    computed_by: dict[str, str]
    above: Comparison | None = None
    beside: list[Comparison] = []


class Ladder(Strict, frozen=True, kw_only=True):
    """The rungs of a release on a host class, the highest first. `refused`: runs under a cap that oneDNN did not say
    that it kept to.
    """

    host_class: str
    release: str
    rungs: list[Rung]
    refused: list[str] = []


def ladders(made: Iterable[Record]) -> list[Ladder]:
    """Return a ladder for each host class and release that was run under a cap, the oldest release first."""
    by_onednn = [one for one in made if one.header.how == "executed" and one.header.onednn and one.observations]
    uncapped = [one for one in by_onednn if is_plain(one.header)]
    found = []
    for place, capped in grouped((one for one in by_onednn if cap(one.header)), _place).items():
        kept = [one for one in capped if host.keeps_to(cap(one.header) or "", one.header.onednn_isa)]
        kept.sort(key=lambda one: (host.rung(_isa(one)), host.rung(cap(one.header) or "")))
        steps = pairwise([None, *(one for one in uncapped if _place(one) == place), *kept])
        found.append(
            Ladder(
                host_class=place[0],
                release=place[1],
                rungs=[_rung(rung, above, uncapped) for above, rung in steps if rung],
                refused=sorted(one.header.run for one in capped if one not in kept),
            )
        )
    return sorted(found, key=lambda one: (Version(one.release), one.host_class))


def _place(record: Record) -> tuple[str, str, str, str | None]:
    header = record.header
    return header.host.host_class, header.release, header.engine, header.lock_sha256


def _isa(record: Record) -> str:
    said = record.header.onednn_isa
    return host.isa_said(said) if said else host.parse_class(record.header.host.host_class).isa


def _rung(record: Record, above: Record | None, uncapped: Iterable[Record]) -> Rung:
    _, *place = _place(record)
    beside = [
        other
        for other in uncapped
        if cap(record.header) and _place(other)[1:] == tuple(place) and _isa(other) == _isa(record)
        if not is_emulated(other.header.host.host_class)
        and other.header.host.host_class != record.header.host.host_class
    ]
    return Rung(
        run=record.header.run,
        cap=cap(record.header),
        isa=_isa(record),
        computed_by=_computed_by(record),
        above=_compare(above, record) if above else None,
        beside=[_compare(other, record) for other in beside],
    )


def _computed_by(record: Record) -> dict[str, str]:
    """Return by dtype the operations that compute a grouped convolution, oneDNN's kernel among them."""
    cells = {f"nn-conv2d/graph/fusion/g4-k3/none/{dtype}/nhwc": dtype for dtype in suite.DTYPES}
    shown = {cells.get("/".join(one.cell)): one.fusion for one in record.observations}
    return {dtype: ", ".join(found.ops) for dtype, found in shown.items() if dtype and found}


def _compare(there: Record, here: Record) -> Comparison:
    """Count the cells whose outcome is another here, alike ones together."""
    both = outcomes(there, here)
    differing = [cell for cell, (one, other) in both.items() if one != other]
    alike = grouped(differing, lambda cell: (dtype_of(cell), cell[0], cell[2], *both[cell]))
    return Comparison(
        host_class=there.header.host.host_class,
        run=there.header.run,
        compared=len(both),
        differences=[
            Difference(
                dtype=dtype,
                approach=approach,
                check=check,
                there=one,
                here=other,
                cells=len(cells),
                first="/".join(cells[0]),
            )
            for (dtype, approach, check, one, other), cells in alike.items()
        ],
        computed_by=_computed_by(there),
    )
