"""What the processor changes, for Markdown: pairs of host classes, and the releases in which they differ alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.version import Version

from matrix.base.grouping import grouped
from matrix.base.ids import is_emulated
from matrix.judge.processors import ProcessorStatement, agreement_in_words, in_words


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two host classes, and the releases in which the same is said of them."""

    host_class: str
    other: str
    releases: tuple[str, ...]
    said: str


def pairs(statement: ProcessorStatement) -> Iterator[Pair]:
    """Emulated host classes come last."""
    alike = grouped(statement.agreements, lambda one: (one.host_class, one.other, agreement_in_words(one)))
    for host_class, other, said in sorted(alike, key=lambda key: (is_emulated(key[0]) or is_emulated(key[1]), key[:2])):
        releases = sorted({one.release for one in alike[host_class, other, said]}, key=Version)
        yield Pair(host_class=host_class, other=other, releases=tuple(releases), said=said)


FOR_TEMPLATES = {"pairs": pairs, "in_words": in_words}
