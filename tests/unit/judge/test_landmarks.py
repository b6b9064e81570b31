from __future__ import annotations

import dataclasses

import msgspec
import pytest
from unit.fabricated import error, where
from unit.released import CATALOG, RELEASES, at, built, planned

from matrix.catalog import releases as catalog
from matrix.judge import landmarks


def marked(*releases) -> catalog.Catalog:
    chosen = tuple(
        msgspec.structs.replace(release, landmark="A reason." if release.version in releases else None)
        for release in CATALOG.releases
    )
    return dataclasses.replace(CATALOG, releases=chosen)


@pytest.mark.parametrize(
    ("releases", "said"),
    [
        (("2.8.4",), []),
        (("2.9.3",), []),
        (("2.8.4", "2.9.3", "2.21.0", RELEASES[-1]), []),
        ((), ["2.9.3 is no landmark, nor is 2.8.4, but between them train by nn-conv2d under default becomes yes: "]),
        (("2.9.3", "2.7.4", "2.6.5"), ["2.7.4 is a landmark, but its neighbours meet every need as it does: "]),
        (("2.9.3", "2.10.1"), []),
    ],
)
def test_a_landmark_is_where_something_changes(releases, said):
    refused = where("gradient", **error())
    found = built(*(at(release, refused) for release in ("2.6.5", "2.7.4", "2.8.4")), *map(at, ("2.9.3", "2.21.0")))
    told = landmarks.contradictions(marked(*releases), found.statements)
    assert [sentence.rpartition(": ")[0] + ": " for sentence in told] == said


def test_what_is_only_planned_marks_nothing():
    found = built(planned("2.8.4", "separate"), planned("2.10.1", "fused"))
    assert landmarks.contradictions(marked(), found.statements) == []


def test_what_is_run_by_name_alone_marks_nothing():
    option, refused = "onednn-off+auto-cluster", where("gradient", **error())
    found = built(at("2.8.4", refused, profile=option), at("2.10.1", profile=option))
    assert landmarks.contradictions(marked(), found.statements) == []
