"""What became of the claims, in words: the section of SUPPORT.md that shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from matrix.answers.claim_decisions import Decided

WORDS = {"confirmed": "confirmed", "refuted": "refuted", "depends": "it depends", "undecided": "not decided"}


@dataclass(frozen=True, kw_only=True)
class Told:
    """A claim with its answer; `where` splits the counts, `cells` decide it, most telling first."""

    says: str
    word: str
    counts: str
    where: str
    cells: tuple[str, ...]


def told(claims: Iterable[Decided]) -> tuple[Told, ...]:
    return tuple(_told(claim) for claim in claims)


def _told(claim: Decided) -> Told:
    where = (f"{place}: {pro} of {pro + contra}" for place, (pro, contra) in claim.by_place.items())
    return Told(
        says=claim.says,
        word=WORDS[claim.word],
        counts=f"{claim.pro_count} for, {claim.contra_count} against"
        if claim.by_place
        else claim.why or "nothing seen",
        where="; ".join(where),
        cells=(*claim.pro[:2], *claim.contra[:2]),
    )
