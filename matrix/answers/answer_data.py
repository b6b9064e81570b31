"""What is known of errors and their workarounds, as plain data: the terminal and the page are answered from it alone.

`matrix.answers.error_answers` computes it from the records, `matrix.answers.published_answers` publishes it as
reports/answers.json. Imports little, for a question is answered at once.
"""

from __future__ import annotations

from typing import Literal, get_args

from matrix.base.ids import Backend
from matrix.base.structs import Strict
from matrix.catalog.claims import Dimension
from matrix.catalog.clues import Clue
from matrix.catalog.known_errors import KnownError
from matrix.catalog.questions import Question
from matrix.record.records import Check, Epilogue, Mode, Status
from matrix.record.speed_records import Direction

Kind = Literal["profile", "mode", "approach", "epilogue", "release"]
Word = Literal["confirmed", "so far", "refuted", "depends", "undecided"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Workaround(Strict, frozen=True, kw_only=True):
    """What passes where something else fails: of the cells that correspond to the failing cells, and to the core's
    epilogues beside them, `of` were observed and `passed` of these passed; `unseen` were not observed.

    `name` is the id of a profile, mode, approach or release, or of an epilogue's step that computes the same. `trains`,
    for a failing forward pass, says whether the gradients of the same cells pass too, as far as they were observed.
    `cell` is a cell that passed, `approach/mode/check/case`: in the same run, in the run under the profile, or for
    another release in `run`. `modes`: where not all passed, or were tried, the failing modes in which all did.
    `fusion`: for a step, where the epilogue then ran.
    """

    kind: Kind
    name: str
    passed: int
    of: int
    unseen: int = 0
    cell: str
    run: str | None = None
    trains: Literal["yes", "no", "some", "unknown"] | None = None
    modes: list[Mode] = []
    fusion: Epilogue | None = None

    @property
    def whole(self) -> bool:
        return self.passed == self.of and not self.modes

    @property
    def only(self) -> str:
        """Name the modes that it is held to, as a clause; "" where there are none."""
        return f" (only {' and '.join(self.modes)})" if self.modes else ""


class Place(Strict, frozen=True, kw_only=True):
    """A run with a record on a host class. `same_as` names the run whose record is used for it, as for `default`.

    `needs`: by approach a letter of the answer for each need, in the order of NEEDS: `y`, `n`, `s` for some, `u` for
    unknown. `fusion`: where bias and ReLU ran or are planned, by approach and base geometry. `doubtful`: how the
    control without groups fails there.
    """

    run: str
    release: str
    backend: Backend
    profile: str
    host_class: str
    status: Status
    observations: int
    record: str
    date: str
    same_as: str | None = None
    onednn: bool | None = None
    planned: bool = False
    reason: str | None = None
    needs: dict[str, str] = {}
    fusion: dict[str, Epilogue | Literal["refused"]] = {}
    doubtful: str = ""


class Where(Strict, frozen=True, kw_only=True):
    """Releases in which an approach raises the error in the same cells, with the same workarounds.

    `releases` and `runs` belong together; `default_in` are the releases in which it happens with nothing set.
    `variants` are cases without their epilogue, `geometry/dtype/layout`; `cells` counts the failing cells of a release,
    `cell` is the first of them, `approach/mode/check/case`. `misuse`: what is wrong with the program itself in these
    cases, so that no workaround is to be expected.
    """

    backend: Backend
    host_class: str
    profile: str
    approach: str
    check: Check
    modes: list[Mode]
    variants: list[str]
    cells: int
    cell: str
    releases: list[str]
    runs: list[str]
    default_in: list[str] = []
    misuse: str | None = None
    ways: list[Workaround] = []


class Looked(Strict, frozen=True, kw_only=True):
    """A run that does not raise the error: how many of the cells in which others raise it were observed there and
    passed, and how many fail with another known error.
    """

    cells: int
    passed: int
    others: dict[str, int] = {}


class ErrorAnswer(KnownError, frozen=True, kw_only=True):
    """A known error and what the records show of it. `seen` counts observations; where it is 0, the error is known from
    public reports only, the `links`. `looked`: the runs that do not raise it, by `run on host class`.
    """

    seen: int
    where: list[Where]
    looked: dict[str, Looked] = {}


class Unnamed(Strict, frozen=True, kw_only=True):
    """An error text in the records that no known error's pattern matches."""

    text: str
    seen: int
    cell: str


class Settings(Strict, frozen=True, kw_only=True):
    """A profile as people set it: variables, a line of Python, or both in `setting`, "" for nothing. `options` are what
    it sets besides oneDNN, whose state it sets where `onednn` is given.
    """

    name: str
    setting: str
    environment: dict[str, str]
    python: str
    options: list[str]
    onednn: bool | None = None


class Timing(Strict, frozen=True, kw_only=True):
    """The milliseconds of a call of each variant at a layer, in a graph with bias and ReLU, float32."""

    release: str
    backend: Backend
    host_class: str
    profile: str
    layer: str
    groups: int
    batch: int
    direction: Direction
    milliseconds: dict[str, float]


class Answers(Strict, frozen=True, kw_only=True):
    """Everything that the published records say of errors, and what texts are read by."""

    places: list[Place]
    errors: list[ErrorAnswer]
    unnamed: list[Unnamed]
    timings: list[Timing] = []
    settings: list[Settings] = []
    clues: list[Clue] = []
    questions: list[Question] = []


class Decided(Strict, frozen=True, kw_only=True):
    """What the records say of a claim. `by_place` counts [for, against] by backend and profile; `pro` and `contra` name
    deciding cells, `run/approach/mode/check/case`. `over`: what the claim ranges over; `tried`: in which modes a
    dimension of these was crossed; `untried`: by approach the dimensions of which the suite has no case, or one that no
    run decided on.
    """

    id: str
    says: str
    word: Word
    over: list[Dimension]
    tried: dict[Dimension, list[Mode]]
    untried: dict[str, list[Dimension]]
    pro_count: int
    contra_count: int
    by_place: dict[str, tuple[int, int]]
    pro: list[str]
    contra: list[str]
    why: str | None = None


def on(run: str, host_class: str) -> str:
    """Name a run on a host class."""
    return f"{run} on {host_class}"
