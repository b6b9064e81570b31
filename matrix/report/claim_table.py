"""The decided claims as rows, for SUPPORT.md and the page of claims."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from matrix.answers.answer_data import Decided
from matrix.answers.claim_decisions import reach

WORDS = {
    "confirmed": "confirmed",
    "so far": "so far",
    "refuted": "refuted",
    "depends": "it depends",
    "undecided": "not decided",
}


@dataclass(frozen=True, kw_only=True)
class ClaimRow:
    """A claim and what the records say. `by_place` splits the counts; the deciding `cells` for the claim come first."""

    says: str
    word: str
    counts: str
    by_place: str
    cells: tuple[str, ...]


def rows(claims: Iterable[Decided]) -> list[ClaimRow]:
    found = []
    for claim in claims:
        counts = "; ".join([f"{claim.pro_count} for, {claim.contra_count} against", *reach(claim)])
        places = [f"{place}: {pro} of {pro + contra}" for place, (pro, contra) in claim.by_place.items()]
        found.append(
            ClaimRow(
                says=claim.says,
                word=WORDS[claim.word],
                counts=counts if places else claim.why or "nothing seen",
                by_place="; ".join(places),
                cells=(*claim.pro[:2], *claim.contra[:2]),
            )
        )
    return found
