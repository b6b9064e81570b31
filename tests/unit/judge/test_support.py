from __future__ import annotations

from unit.fabricated import error, record, where

from matrix.catalog import releases
from matrix.catalog.known_errors import KnownError
from matrix.judge import support
from matrix.judge.verdicts import judge

KNOWN = KnownError(
    id="by-its-type", patterns=["InvalidArgumentError: does not"], name="A test", meaning="", links=[], examples=["x"]
)


def test_an_error_is_recognised_by_its_type_and_its_message():
    made = [record(where("forward", "graph", "bias_relu", **error()))]
    (entry,) = support.build(releases.load(), made, judge(made), [KNOWN]).errors
    assert (entry.known, entry.type, entry.message, entry.count) == (
        "by-its-type", "InvalidArgumentError", "does not compute", 1,
    )  # fmt: skip
