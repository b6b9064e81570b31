"""What is commonly said of grouped and fused convolution (matrix/data/claims.toml): each claim and its query.

`matrix.answers.claim_decisions` puts the query to the records.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from matrix.base import paths
from matrix.base.structs import Strict
from matrix.catalog.entries import Text, load_entries
from matrix.record.records import Mode

Query = Literal["cells", "pairs", "newer", "backends", "none"]
Shows = Literal["fused", "apart", "passes", "fails"]
# What a claim may range over. `setting`: oneDNN on and off. `size`: of the input, its batch too. `program`: constant
# weights, shapes that are not known, another API, nothing around the layer. `block`: a whole block of a network.
Dimension = Literal[
    "mode", "epilogue", "setting", "dtype", "layout", "stride", "dilation", "stride with dilation", "padding", "kernel",
    "groups", "size", "program", "block",
]  # fmt: skip


class Against(Strict, frozen=True, kw_only=True):
    """What a claim's cells are compared with: the cell of the same run that differs in these fields only."""

    approach: str | None = None
    mode: Mode | None = None
    geometry: str | None = None


class Claim(Strict, frozen=True, kw_only=True):
    """A statement and the query that decides it.

    Without `epilogues`, every epilogue counts. `over`: the dimensions in which the claim may leave its first mode and
    epilogue, the approach's own geometry, f32 and NHWC. It is confirmed only where the suite has cases that cross each
    of them for each approach, and some run decided on every one of these cases.
    `shows`: what a cell must show to speak for the claim. `turned`: the claim says that the second cell of a pair shows
    it, not the first. `why`: the reason why no record can decide it.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=40)]
    says: Text
    query: Query
    approaches: list[str] = []
    modes: list[Mode] = []
    epilogues: list[str] = []
    over: list[Dimension] = []
    shows: Shows = "passes"
    against: Against | None = None
    turned: bool = False
    why: Text | None = None


def load(data: Path = paths.DATA) -> tuple[Claim, ...]:
    """Raise BadData naming every fault."""
    return load_entries(data / "claims.toml", "claim", Claim, key="id")
