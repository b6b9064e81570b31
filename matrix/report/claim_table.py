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
    """A claim and what the records say: `truth` in a sentence. `by_place` splits the counts; the deciding `cells` for
    the claim come first.
    """

    says: str
    truth: str
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
                truth=_truth(claim),
                word=WORDS[claim.word],
                counts=counts if places else claim.why or "nothing seen",
                by_place="; ".join(places),
                cells=(*claim.pro[:2], *claim.contra[:2]),
            )
        )
    return found


def _truth(claim: Decided) -> str:
    """Say where it is so, where it is not, and where it is so in part."""
    if not claim.pro_count and not claim.contra_count:
        return "No record can tell."
    groups: dict[str, list[str]] = {"always": [], "in part": [], "never": []}
    for place, (pro, contra) in claim.by_place.items():
        backend, _, rest = place.partition(", ")
        named = f"{backend} under {rest.replace(', planned', ' (planned)')}"
        groups["always" if not contra else "in part" if pro else "never"].append(named)
    if not claim.contra_count:
        return "It is so in every case that was looked at."
    if not claim.pro_count:
        return "It is so in no case that was looked at."
    told = [f"{how} on {', '.join(places)}" for how, places in groups.items() if places]
    return f"It is so {'; '.join(told)}."
