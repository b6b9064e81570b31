"""What the matrix found in TensorFlow (matrix/data/findings.toml): each finding's words, and the rule that finds it.

`matrix.answers.findings` looks for them in the records, and computes everything else that is told of them.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, get_args

from msgspec import Meta

from matrix.base import paths
from matrix.base.structs import Strict
from matrix.catalog.entries import Text, load_entries
from matrix.record.records import Check, Mode, Observation, Outcome
from matrix.record.speed_records import Direction

Harm = Literal["wrong", "crash", "hang", "slow", "lost"]
# The most harmful first.
HARMS: tuple[Harm, ...] = get_args(Harm)
OUTCOMES: dict[Outcome, Harm] = {"wrong": "wrong", "crash": "crash", "oom": "crash", "timeout": "hang"}


class Finding(Strict, frozen=True, kw_only=True):
    """What `says` holds for every observation with an outcome of this `harm` that the rest describes.

    `cases`, `profiles` and `host_classes` are patterns, as in `*-s2-d*`; what is empty allows anything. A `slow` one is
    of the traps that were timed, of `approaches` in a `direction`. A `lost` one is either of a `need` that these
    approaches met up to some release, or, as a `switch`, of oneDNN, which some release no longer turns on by itself.
    `script`: a program that shows it, where none can be made of a cell.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=40)]
    harm: Harm
    says: Text
    why: Text
    approaches: list[str] = []
    cases: list[str] = []
    checks: list[Check] = []
    modes: list[Mode] = []
    signals: list[str] = []
    profiles: list[str] = []
    host_classes: list[str] = []
    direction: Direction | None = None
    need: Literal["infer-eager", "infer-graph", "infer-jit", "train", "fused"] | None = None
    switch: bool = False
    script: Annotated[str, Meta(max_length=1_500)] = ""

    def covers(self, one: Observation, profile: str, host_class: str) -> bool:
        return (
            OUTCOMES.get(one.outcome) == self.harm
            and (not self.approaches or one.approach in self.approaches)
            and (not self.checks or one.check in self.checks)
            and (not self.modes or one.mode in self.modes)
            and (not self.signals or one.signal in self.signals)
            and _fits(one.case, self.cases)
            and _fits(profile, self.profiles)
            and _fits(host_class, self.host_classes)
        )


def _fits(name: str, patterns: list[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def load(data: Path = paths.DATA) -> tuple[Finding, ...]:
    """Return them in the order of the file: an observation belongs to the first that covers it. Raise BadData."""
    return load_entries(data / "findings.toml", "finding", Finding, key="id")
