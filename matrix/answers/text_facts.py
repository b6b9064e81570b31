"""What an error text says of the program: operation, dtype, rank, device, release, and what its numbers mean.

matrix/site/static/explain.js has the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from matrix.base.ids import minor
from matrix.catalog.clues import Clue
from matrix.catalog.patterns import Searched

Facts = dict[str, str]
# How much of a text before and after an error is told of the same failure.
AROUND = 8_000
# Groups that people choose; the share of channels that a wrong axis leads to has other factors.
USUAL_FACTORS = (2, 3, 5, 7)
_CONDITION = re.compile(r"(!?)([a-z0-9-]+)(?:(=|<|>=)(.+))?")
_PLACE = re.compile(r"\{([a-z]+)\}")


def read(where: Searched, clues: Iterable[Clue], patterns: Sequence[str]) -> Facts:
    """Return the facts of the failure that the first of `patterns` finds in a text; of its end, where none does."""
    found = where.first(patterns)
    facts: Facts = {name: value for name, value in found.groupdict().items() if value} if found else {}
    start, end = found.span() if found else (len(where.text) - AROUND, len(where.text))
    near = Searched(where.text[max(0, start - AROUND) : end + AROUND])
    for clue in clues:
        if clue.fact not in facts and (seen := near.first(clue.patterns)):
            groups = {name: value for name, value in seen.groupdict().items() if value}
            facts[clue.fact] = clue.value or groups.pop("value", "yes")
            facts = groups | facts
    return facts | _conclusions(facts)


def _conclusions(facts: Facts) -> Facts:
    """Draw what follows from the numbers.

    `uneven`: the input's channels are no multiple of the filter's, so that there is no number of groups. `groups` is
    their quotient where the text does not tell it; `single`: one channel a group. `unasked`: nobody chooses such a
    number of groups. `backprop`: the gradient's kernel, in a text that shows no gradient.
    """
    found = _channels(facts)
    numbers = {name: int(value) for name, value in (facts | found).items() if value.isascii() and value.isdecimal()}
    rest = numbers.get("groups", 0)
    if rest and rest == numbers.get("batch"):
        found["modulated"] = "yes"
    for factor in USUAL_FACTORS:
        while rest and rest % factor == 0:
            rest //= factor
    if rest > 1:
        found["unasked"] = "yes"
    if facts.get("op", "").endswith("BackpropInput") and facts.get("check") != "gradient":
        found["backprop"] = "yes"
    return found


def _channels(facts: Facts) -> Facts:
    found: Facts = {}
    if "shapes" in facts and "input" not in facts:
        found["input"] = facts["second" if facts.get("layout") == "nchw" else "fourth"]
    numbers = {name: int(value) for name, value in (facts | found).items() if value.isascii() and value.isdecimal()}
    channels, filtered = numbers.get("input", 0), numbers.get("filter", 0)
    if channels and filtered and channels % filtered:
        found["uneven"] = "yes"
    elif channels and filtered and channels > filtered:
        found |= {"groups": str(channels // filtered), "grouped": "yes"}
        if filtered == 1:
            found["single"] = "yes"
    return found


def holds(condition: str, facts: Mapping[str, str], release: str, backend: str) -> bool:
    """Tell whether a condition of a reading holds: `uneven`, `!uneven`, `mode=eager`, `release<2.5`, `backend=rocm`."""
    negated, name, sign, value = _CONDITION.fullmatch(condition).groups()  # type: ignore[union-attr]
    if name == "release":
        held = bool(release) and (minor(release) < minor(value)) == (sign == "<")
    else:
        held = {**facts, "backend": backend}.get(name, "") == value if sign else name in facts
    return held != bool(negated)


def filled(text: str, facts: Mapping[str, str]) -> str:
    """Put what was read into a sentence; what was not read becomes three dots."""
    return _PLACE.sub(lambda place: facts.get(place[1], "..."), text)
