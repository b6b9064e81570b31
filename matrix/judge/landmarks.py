"""Check the landmarks of releases.toml against the records: each marks a change, and every change has one.

A change lies between two neighbouring releases that were observed. It is marked where one of the two is a landmark: the
last release before it or the first after it. Only what was executed counts. What the README's table says of graphs and
training must be marked; profiles that are run by name alone are not in it. A landmark may mark a change of any need of
any approach; if all these had to be marked, half of the releases would be landmarks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from packaging.version import Version

from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE
from matrix.catalog.releases import Catalog
from matrix.judge.statements import Span, Statement

# The approaches that the README's table compares: what people write, and what they fall back to.
COMPARED = tuple(name for name in INTERCHANGEABLE if APPROACHES[name].common)
NEEDS = ("infer-graph", "train", "fused")


def contradictions(catalog: Catalog, statements: Iterable[Statement]) -> list[str]:
    """Return a sentence for each fault, which says how to mend it; oldest release first."""
    executed = [statement for statement in statements if statement.evidence == "executed"]
    planned = {profile.name for profile in catalog.profiles if not profile.by_name}
    compared = [
        statement
        for statement in executed
        if statement.approach in COMPARED and statement.need in NEEDS and statement.profile in planned
    ]
    marked = {release.version for release in catalog.releases if release.landmark}
    found = []
    for (before, after), changes in _changes(compared).items():
        if marked.isdisjoint({before, after}):
            statement, span = changes[0]
            what = f"{statement.need} by {statement.approach} under {statement.profile} becomes {span.answer}"
            more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
            found.append(
                f"{after} is no landmark, nor is {before}, but between them {what}{more}: mark one in releases.toml"
            )
    # The newest release and the newest final one are marked whatever changes.
    versions = [Version(release.version) for release in catalog.releases]
    newest = {str(max(versions)), str(max(version for version in versions if not version.is_prerelease))}
    ends = {end for pair in _changes(executed) for end in pair}
    return found + [
        f"{release} is a landmark, but its neighbours meet every need as it does: unmark it in releases.toml"
        for release in sorted(marked - ends - newest, key=Version)
        # Of the first and the last release that answer a neighbour is unknown, and so is whether something changes.
        if any(
            Version(statement.spans[0].first) < Version(release) < Version(statement.spans[-1].last)
            and release not in statement.untried
            for statement in executed
        )
    ]


def _changes(statements: Iterable[Statement]) -> dict[tuple[str, str], list[tuple[Statement, Span]]]:
    """Return the spans that begin in a release, by (the neighbour before, the release), oldest first."""
    found: dict[tuple[str, str], list[tuple[Statement, Span]]] = defaultdict(list)
    for statement in statements:
        for span in statement.spans:
            if span.after:
                found[span.after, span.first].append((statement, span))
    return {pair: found[pair] for pair in sorted(found, key=lambda pair: Version(pair[1]))}
