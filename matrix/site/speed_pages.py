"""The pages of speed: what is fastest by layer, and a page for each speed run with every approach that was timed."""

from __future__ import annotations

from collections.abc import Iterator

from matrix.record import speed_records
from matrix.record.speed_records import Point, PointKey, SpeedRun, Variant
from matrix.report.speed_tables import FOR_TEMPLATES
from matrix.site import downloads
from matrix.site.content import Content
from matrix.site.html import run_path
from matrix.speed import comparisons
from matrix.speed.rankings import rankings


def context(content: Content) -> dict[str, object]:
    """Return the context of speed.html."""
    places = comparisons.places(content.timed, content.catalog)
    return FOR_TEMPLATES | {
        "places": places, "rankings": rankings(places),
        "networks": comparisons.network_tables(content.timed), "halves": comparisons.half_points(content.timed),
        "point_anchor": point_anchor, "timed_path": timed_path,
    }  # fmt: skip


def pages(content: Content) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the path of each speed run's page, and its context."""
    names = FOR_TEMPLATES | {"by_time": by_time, "point_anchor": point_anchor}
    for run in content.timed:
        yield timed_path(run), names | {"run": run, "file": speed_records.place(run).run}


def files(content: Content) -> Iterator[tuple[str, bytes]]:
    """Yield each speed file as it was published."""
    for run in content.timed:
        yield downloads.compressed(run_path(*speed_records.place(run), "speed.json"), speed_records.encode(run))


def timed_path(run: SpeedRun) -> str:
    return run_path(*speed_records.place(run), "speed.html")


def by_time(point: Point) -> list[Variant]:
    """Sort the fastest first; variants without a time come last."""
    return sorted(point.variants, key=lambda one: (one.median is None, one.median or 0.0))


def point_anchor(point: PointKey) -> str:
    names = (point.layer, point.batch, point.mode, point.direction, point.epilogue, point.dtype, point.layout)
    return "-".join(map(str, names))
