"""The error search: what `explain` answers, written out; the script only chooses which of it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matrix.answers.error_answers import Answers, ErrorAnswer, Place, Where
from matrix.answers.instructions import for_workaround
from matrix.answers.workarounds import Workaround
from matrix.catalog.releases import Catalog
from matrix.site.html import anchor, cell_path

TRAINS = {"yes": "gradients too", "no": "gradients fail", "some": "gradients only in part", "unknown": ""}


@dataclass(frozen=True, kw_only=True)
class WayRound:
    """A way round in words, with the page that shows the cells of which `passed` of `of` pass."""

    told: str
    passed: int
    of: int
    training: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Raised:
    """Where an error is raised, with the page that shows it in the newest of these releases."""

    where: Where
    releases: str
    link: str
    ways: tuple[WayRound, ...]
    partly: tuple[WayRound, ...]


@dataclass(frozen=True, kw_only=True)
class Explained:
    """An error with all that is known of it. `usual` is what happens to right programs, `misuse` to wrong ones."""

    error: ErrorAnswer
    usual: tuple[Raised, ...]
    misuse: tuple[Raised, ...]


def explained(answers: Answers, catalog: Catalog) -> tuple[Explained, ...]:
    """In the order of known_errors.toml, which is the order in which patterns are tried."""
    recorded = list(dict.fromkeys(place.release for place in answers.places if place.observations))
    places = {(place.run, place.host_class): place for place in answers.places}
    return tuple(
        Explained(
            error=error,
            usual=tuple(_raised(where, recorded, places, catalog) for where in error.where if not where.misuse),
            misuse=tuple(_raised(where, recorded, places, catalog) for where in error.where if where.misuse),
        )
        for error in answers.errors
    )


def in_ranges(releases: Sequence[str], recorded: Sequence[str]) -> str:
    """`2.5.3 to 2.8.4, 2.10.1`: neighbours among those recorded stand together."""
    groups: list[list[str]] = []
    for release in (release for release in recorded if release in releases):
        neighbour = groups and recorded.index(release) == recorded.index(groups[-1][-1]) + 1
        if neighbour:
            groups[-1].append(release)
        else:
            groups.append([release])
    return ", ".join(group[0] if len(group) == 1 else f"{group[0]} to {group[-1]}" for group in groups)


def _raised(where: Where, recorded: Sequence[str], places: dict[tuple[str, str], Place], catalog: Catalog) -> Raised:
    place = places[where.runs[-1], where.host_class]
    ways = [(way.whole, _way(way, where, place, catalog)) for way in where.ways]
    return Raised(
        where=where,
        releases=in_ranges(where.releases, recorded),
        link=_link(place.release, where.approach, where, where.profile),
        ways=tuple(told for whole, told in ways if whole),
        partly=tuple(told for whole, told in ways if not whole),
    )


def _way(way: Workaround, where: Where, place: Place, catalog: Catalog) -> WayRound:
    release = way.name if way.kind == "release" else place.release
    approach = way.name if way.kind == "approach" else where.approach
    profile = way.name if way.kind == "profile" else where.profile
    return WayRound(
        told=for_workaround(way, place.release, catalog),
        passed=way.passed,
        of=way.of,
        training=TRAINS[way.trains] if way.trains else "",
        link=_link(release, approach, where, profile),
    )


def _link(release: str, approach: str, where: Where, profile: str) -> str:
    return f"{cell_path(release, approach)}#{anchor(where.backend, profile, where.host_class)}"
