"""Compares a contributed record with the published run that is most like it. No verdict rests on a contribution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matrix.base.structs import Strict
from matrix.judge.verdicts import JudgedRun
from matrix.record.contribution import Contribution, Header


class Differing(Strict, frozen=True, kw_only=True):
    """A cell, `approach/mode/check/case`, with its outcome in the published run and in the contribution (`there`)."""

    cell: str
    published: str
    there: str


class Comparison(Strict, frozen=True, kw_only=True):
    """A contribution and the published `run` that it is compared with; None where no published run is like it.

    `same` counts the cells with the same outcome, `other` are the rest. `taken`: the path that it was copied to.
    """

    name: str
    header: Header
    run: str | None
    same: int
    other: list[Differing]
    taken: str | None = None


def compare(contribution: Contribution, judged_runs: Sequence[JudgedRun]) -> Comparison:
    """Compare with the CPU run of the same release and oneDNN state, preferably on the same host class."""
    header = contribution.header
    like = [
        one
        for one in judged_runs
        if (one.header.release, one.header.backend, one.judged_by.onednn) == (header.release, "cpu", header.onednn)
        and not one.header.same_as
        and one.header.profile in {"default", "onednn-on", "onednn-off"}
    ]
    if not like:
        return Comparison(name=contribution.name, header=header, run=None, same=0, other=[])
    ours = min(like, key=lambda one: one.header.host.host_class != header.host.host_class)
    published = {cell: one.outcome for cells in ours.cells.values() for cell, one in cells.items()}
    both = [one for one in contribution.observations if one.cell in published]
    other = [
        Differing(cell="/".join(one.cell), published=published[one.cell], there=one.outcome)
        for one in both
        if one.outcome != published[one.cell]
    ]
    same = len(both) - len(other)
    return Comparison(name=contribution.name, header=header, run=ours.judged_by.run, same=same, other=other)


def lines(comparison: Comparison) -> Iterator[str]:
    """Yield the answer for a terminal."""
    header = comparison.header
    onednn = {True: "on", False: "off", None: "unknown"}[header.onednn]
    yield f"contributed: TensorFlow {header.release}, {header.host.host_class} ({header.host.cpu}), oneDNN {onednn}"
    yield f"  {header.observations} observations, made {header.made[:10]}"
    if not comparison.run:
        yield "  nothing like it is published: it stands alone"
        return
    yield f"  beside {comparison.run}: {comparison.same} cells the same, {len(comparison.other)} different"
    yield from (f"    {one.cell}: published {one.published}, there {one.there}" for one in comparison.other)
    if comparison.taken:
        yield f"taken as {comparison.taken}; no verdict rests on it"
