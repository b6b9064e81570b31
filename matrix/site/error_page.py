"""The error search: every answer of `explain`, written out; the page's script only chooses which of them are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from matrix.answers.answer_data import Answers, ErrorAnswer, Place, Where
from matrix.answers.instructions import for_workaround
from matrix.answers.situation import DTYPE_NAMES, in_ranges
from matrix.base.grouping import grouped
from matrix.base.ids import is_emulated, minor
from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE, SPLIT
from matrix.catalog.patterns import literal, word
from matrix.catalog.releases import Catalog, Profile
from matrix.site.html import anchor, cell_path

TRAINS = {"yes": "gradients too", "no": "gradients fail", "some": "gradients only in part", "unknown": ""}


@dataclass(frozen=True, kw_only=True)
class Workaround:
    """A workaround in words, with the page that shows its cells. `passed` of the `of` failing cells pass with it.
    `approach`: the other approach that it is, or "".
    """

    words: str
    approach: str
    whole: bool
    passed: int
    of: int
    training: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Raised:
    """Where an error is raised; `link` is its page in the newest of these releases."""

    where: Where
    releases: str
    link: str
    workarounds: tuple[Workaround, ...]

    @property
    def whole(self) -> list[Workaround]:
        return [one for one in self.workarounds if one.whole]

    @property
    def cures(self) -> list[list[Workaround]]:
        """List what works in all cells, a line each; neighbouring approaches that train alike share one."""
        lines: list[list[Workaround]] = []
        for one in self.whole:
            before = lines[-1][-1] if lines else None
            if before and before.approach and one.approach and before.training == one.training:
                lines[-1].append(one)
            else:
                lines.append([one])
        return lines

    @property
    def order(self) -> tuple[object, ...]:
        host_class, newest = self.where.host_class, self.where.releases[-1]
        is_foreign = self.where.backend != "cpu" or not host_class.startswith("x86-")
        return (is_emulated(host_class), is_foreign, newest not in self.where.default_in, [-n for n in minor(newest)])


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A known error and where it is raised: by correct programs in `usual`, by faulty ones in `misuse`. Real x86
    processors come first, then what happens with nothing set, in the newest release.
    """

    error: ErrorAnswer
    usual: tuple[Raised, ...]
    misuse: tuple[Raised, ...]

    @property
    def first(self) -> Raised | None:
        """The place that most people have and that has a cure."""
        cured = (one for one in self.usual if one.whole)
        return next(cured, self.usual[0] if self.usual else None)

    @property
    def by_place(self) -> list[tuple[tuple[str, str], list[Raised]]]:
        """By backend and host class."""
        raised = (*self.usual, *self.misuse)
        return list(grouped(raised, lambda one: (one.where.backend, one.where.host_class)).items())


def explanations(answers: Answers) -> dict[str, Any]:
    """Return all that the answer to a text is made of."""
    data: dict[str, Any] = {
        name: [_whole(one) for one in getattr(answers, name)]
        for name in ("places", "errors", "settings", "clues", "questions", "timings")
    }
    data["split"] = SPLIT
    data["dtypes"] = DTYPE_NAMES
    # Where TensorFlow was seen to switch oneDNN on by itself.
    data["on_in"] = sorted({one.host_class for one in answers.places if one.profile == "default" and one.onednn})
    data["approaches"] = {
        name: {
            "rank": one.rank,
            "form": one.form,
            "wasteful": one.wasteful,
            "place": INTERCHANGEABLE.index(name) if name in INTERCHANGEABLE else None,
            "summary": one.summary,
            "base": one.base,
        }
        for name, one in APPROACHES.items()
    }
    return data


def _whole(value: Any) -> Any:
    """Return plain data with every field, also the defaults; each pattern comes with its literal and its word."""
    if isinstance(value, msgspec.Struct):
        fields = {name: _whole(one) for name, one in msgspec.structs.asdict(value).items()}
        if "patterns" in fields:
            fields["patterns"] = [[literal(one), word(one), one] for one in fields["patterns"]]
        return fields
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value


def explained(answers: Answers, catalog: Catalog) -> list[Explained]:
    """In the order of known_errors.toml, which is the order in which patterns are tried."""
    recorded = list(dict.fromkeys(place.release for place in answers.places if place.observations))
    places = {(place.run, place.host_class): place for place in answers.places}
    profiles = {one.name: one for one in catalog.profiles}
    found = []
    for error in answers.errors:
        raised = [
            _raised(where, in_ranges(where.releases, recorded), places[where.runs[-1], where.host_class], profiles)
            for where in error.where
        ]
        raised.sort(key=lambda one: one.order)
        usual = tuple(one for one in raised if not one.where.misuse)
        misuse = tuple(one for one in raised if one.where.misuse)
        found.append(Explained(error=error, usual=usual, misuse=misuse))
    return found


def _raised(where: Where, releases: str, place: Place, profiles: Mapping[str, Profile]) -> Raised:
    workarounds = []
    for way in where.ways:
        release = way.name if way.kind == "release" else place.release
        approach = way.name if way.kind == "approach" else where.approach
        profile = way.name if way.kind == "profile" else where.profile
        workarounds.append(
            Workaround(
                words=f"{for_workaround(way, place.release, profiles)}{way.only}",
                approach=way.name if way.kind == "approach" else "",
                whole=way.whole,
                passed=way.passed,
                of=way.of,
                training=TRAINS[way.trains] if way.trains else "",
                link=f"{cell_path(release, approach)}#{anchor(where.backend, profile, where.host_class)}",
            )
        )
    link = f"{cell_path(place.release, where.approach)}#{anchor(where.backend, where.profile, where.host_class)}"
    return Raised(where=where, releases=releases, link=link, workarounds=tuple(workarounds))
