"""The marks of releases.toml against the records: is a landmark where something changes, and only there?

A change lies between two neighbours, as recorded: it is marked where one of the two is a landmark, the last release
before it or the first after it. Only what was executed counts. What the README's table says of graphs and training must
be marked; a mark may stand for any need of any approach: all changes of all approaches would mark half of the releases.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from packaging.version import Version

from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE
from matrix.catalog.releases import Catalog
from matrix.judge.statements import Span, Statement

# The ways that the README's table compares: what people write, and what they fall back to.
COMPARED = tuple(name for name in INTERCHANGEABLE if APPROACHES[name].common)
NEEDS = ("infer-graph", "train", "fused")


def contradictions(catalog: Catalog, statements: Iterable[Statement]) -> list[str]:
    """One sentence each, with the mend, oldest release first; none where the marks are right."""
    executed = [one for one in statements if one.evidence == "executed"]
    changes = _changes(executed)
    must = _changes(one for one in executed if one.approach in COMPARED and one.need in NEEDS)
    marked = {release.version for release in catalog.releases if release.landmark}
    observed = {release for release in marked if any(_is_between_answers(release, one) for one in executed)}
    stale = observed - {end for pair in changes for end in pair} - _newest(catalog)
    return [
        *_unmarked(must, marked),
        *(
            f"{release} is a landmark, but its neighbours meet every need as it does: unmark it in releases.toml"
            for release in sorted(stale, key=Version)
        ),
    ]


def _changes(statements: Iterable[Statement]) -> dict[tuple[str, str], list[tuple[Statement, Span]]]:
    """What begins in a release, by (the neighbour before, the release), oldest first."""
    found: dict[tuple[str, str], list[tuple[Statement, Span]]] = defaultdict(list)
    for statement in statements:
        for span in statement.spans:
            if span.after:
                found[span.after, span.first].append((statement, span))
    return {pair: found[pair] for pair in sorted(found, key=lambda pair: Version(pair[1]))}


def _unmarked(changes: dict[tuple[str, str], list[tuple[Statement, Span]]], marked: set[str]) -> Iterator[str]:
    for (before, after), told in changes.items():
        if marked.isdisjoint({before, after}):
            statement, span = told[0]
            what = f"{statement.need} by {statement.approach} under {statement.profile} becomes {span.answer}"
            more = f" and {len(told) - 1} more" if len(told) > 1 else ""
            yield f"{after} is no landmark, nor is {before}, but between them {what}{more}: mark one in releases.toml"


def _is_between_answers(release: str, statement: Statement) -> bool:
    """Whether it gave an answer, and is neither the first nor the last that did: there a change would not be seen."""
    inside = Version(statement.spans[0].first) < Version(release) < Version(statement.spans[-1].last)
    return inside and release not in statement.untried


def _newest(catalog: Catalog) -> set[str]:
    """Marked for being the newest, whatever changes: the last release, and the last that is final."""
    versions = [Version(release.version) for release in catalog.releases]
    final = [version for version in versions if not version.is_prerelease]
    return {str(max(versions)), str(max(final))}
