"""Records made up for several releases, and the statements that follow from them."""

from __future__ import annotations

from unit.fabricated import header, observe, record

from matrix.catalog import releases
from matrix.judge import statements
from matrix.judge.statements import Statements
from matrix.judge.verdicts import core_case, judge
from matrix.record.records import Fusion, Record

CATALOG = releases.load()
RELEASES = [release.version for release in CATALOG.releases if "cpu" in release.wheels]
PYTHONS = {name: CATALOG.release(name).wheels["cpu"].python for name in RELEASES}


def run(release, profile="default", backend="cpu") -> str:
    return f"tf{release}-py{PYTHONS[release].replace('.', '')}-{backend}+{profile}"


def at(release, change=lambda cell: {}, profile="default", **changes) -> Record:
    return record(change, release=release, profile=profile, **{"run": run(release, profile)} | changes)


def built(*made: Record) -> Statements:
    return statements.build(CATALOG, judge(made))


def planned(release, epilogue) -> Record:
    cell = ("nn-conv2d", "graph", "fusion", core_case("nn-conv2d"))
    fusion = Fusion(kernel="unknown", epilogue=epilogue, ops={"Conv2D": 1}, source="grappler_plan")
    head = header("default", release=release, run=run(release, backend="cuda"), backend="cuda", observations=1)
    return Record(header=head, observations=(observe(cell, evidence="planned", fusion=fusion),))
