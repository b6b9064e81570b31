"""The pages of speed: what is fastest by layer, and a page for each speed run with every way that was timed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from matrix.record import speed_records
from matrix.record.speed_records import Direction, Point, PointKey, SpeedRun, Variant
from matrix.report.speed_tables import DIRECTIONS, FOR_TEMPLATES
from matrix.site.content import Content
from matrix.site.html import run_path
from matrix.speed import comparisons

Told = Mapping[str, object]


def told(content: Content) -> Told:
    return FOR_TEMPLATES | {
        "direction_in_words": direction_in_words,
        "places": comparisons.places(content.timed, content.catalog),
        "point_anchor": point_anchor,
        "timed_path": timed_path,
    }


def pages(content: Content) -> Iterator[tuple[str, Told]]:
    for run in content.timed:
        words = {
            "by_time": by_time,
            "direction_in_words": direction_in_words,
            "point_anchor": point_anchor,
        }
        yield timed_path(run), FOR_TEMPLATES | words | {"run": run}


def files(content: Content) -> Iterator[tuple[str, bytes]]:
    """Each as it was published."""
    for run in content.timed:
        yield run_path(*speed_records.place(run), "speed.json"), speed_records.encode(run)


def timed_path(run: SpeedRun) -> str:
    return run_path(*speed_records.place(run), "speed.html")


def by_time(point: Point) -> list[Variant]:
    """The fastest first, then what has no time."""
    return sorted(point.variants, key=lambda one: (one.median is None, one.median or 0.0))


def point_anchor(point: PointKey) -> str:
    names = (point.layer, point.batch, point.mode, point.direction, point.epilogue, point.dtype, point.layout)
    return "-".join(map(str, names))


def direction_in_words(direction: Direction) -> str:
    return DIRECTIONS[direction]
