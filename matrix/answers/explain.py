"""What an error text means, where it holds, and what was measured to work instead.

`explain(text, answers)` finds the known errors that a text names. The page does the same with three rules:
1. Whitespace is collapsed: `text.split(/\\s+/).join(" ")`.
2. An error is meant where its `pattern` is found, ASCII letters in either case: `new RegExp(pattern, "i")`. All that
   are found count, in the order of `errors`, the special before the general.
3. Where none is found, the nearest is the error with the largest share of an example's `words` in the text, from
   `NEAR` on; it is shown as near, never as meant. `words` are `text.toLowerCase().match(/[a-z_]{3,}/g)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from packaging.version import Version

from matrix.answers import instructions
from matrix.answers.error_answers import Answers, ErrorAnswer, Place, Where
from matrix.answers.nearest_release import Nearest, nearest
from matrix.base.ids import Backend
from matrix.base.structs import Strict
from matrix.base.text import plain
from matrix.catalog.known_errors import found_in, searched
from matrix.catalog.releases import Catalog
from matrix.judge.verdicts import Answer

NEAR = 0.5
WORD = re.compile(r"[a-z_]{3,}")
# What the terminal shows at most of each.
SHOWN_WORKAROUNDS = 6
SHOWN_PLACES = 4
TRAINING: dict[Answer | None, str] = {
    None: "",
    "yes": "; gradients too",
    "no": "; gradients do not",
    "some": "; gradients only in part",
    "unknown": "; gradients were not observed",
}


class Standing(Strict, frozen=True, kw_only=True):
    """A run, and the places in it that raise an error; none where the run's observations do not show the error.

    `by_default`: the release does so there when nothing is set.
    """

    place: Place
    by_default: bool
    raised: list[Where]


class Explained(Strict, frozen=True, kw_only=True):
    """An error that a text names, and where it holds in the runs that were asked for.

    `instead`: the backend of these runs, where the backend that was asked for has no kernel that raises the error, so
    that the convolution cannot have run there.
    """

    error: ErrorAnswer
    here: list[Standing]
    instead: Backend | None = None


class Explanation(Strict, frozen=True, kw_only=True):
    """What a text means, the special before the general; else `near`, the errors whose examples come near it.

    `asked` are the recorded releases that `here` is told of, with a `note` where they are not the one that was named.
    `unobserved`: the backend that was asked for, where no run on it was executed.
    """

    meant: list[Explained]
    near: list[ErrorAnswer]
    asked: list[str]
    note: str
    runs: int
    observations: int
    unobserved: Backend | None = None


def explain(text: str, answers: Answers, *, release: str | None = None, backend: Backend | None = None) -> Explanation:
    """Raise BadUsage where `release` is no version."""
    text = searched(text)
    meant = []
    for error in answers.errors:
        if found_in(text, error.pattern):
            instead = error.backends[0] if backend and error.backends and backend not in error.backends else None
            here = _standings(error, *_asked(answers, instead or backend, release))
            meant.append(Explained(error=error, here=here, instead=instead))
    places, asked = _asked(answers, backend, release)
    return Explanation(
        meant=meant,
        near=[] if meant else _near(text, answers.errors),
        asked=list(asked.releases) if asked else [],
        note=asked.note if asked else "",
        runs=sum(not place.same_as and place.observations > 0 for place in answers.places),
        observations=sum(place.observations for place in answers.places),
        unobserved=None if any(place.observations for place in places) else backend,
    )


def _asked(answers: Answers, backend: Backend | None, release: str | None) -> tuple[list[Place], Nearest | None]:
    """Return the executed runs on a backend, and which releases among them answer for the one that was named."""
    places = [place for place in answers.places if not place.planned and backend in {None, place.backend}]
    recorded = [place.release for place in places if place.observations]
    return places, nearest(release, recorded) if release and recorded else None


def _standings(error: ErrorAnswer, places: Sequence[Place], asked: Nearest | None) -> list[Standing]:
    standings = []
    for place in places:
        if asked and place.release in asked.releases and not place.same_as:
            by_default = place.profile == "default" or any(
                other.same_as == place.run and other.host_class == place.host_class for other in places
            )
            raised = [one for one in error.where if place.run in one.runs and place.host_class == one.host_class]
            standings.append(Standing(place=place, by_default=by_default, raised=raised))
    return standings


def _near(text: str, errors: Sequence[ErrorAnswer]) -> list[ErrorAnswer]:
    """Return at most three errors, the nearest first."""
    told = set(WORD.findall(text.lower()))
    shares: dict[str, float] = {}
    for error in errors:
        examples = [set(WORD.findall(example.lower())) for example in error.examples]
        shares[error.id] = max(len(words & told) / len(words) if words else 0.0 for words in examples)
    near = [error for error in errors if shares[error.id] >= NEAR]
    return sorted(near, key=lambda error: -shares[error.id])[:3]


def lines(explanation: Explanation, catalog: Catalog) -> Iterator[str]:
    """The answer for a terminal."""
    if explanation.note:
        yield f"{explanation.note}\n"
    if explanation.unobserved:
        yield f"No run on {explanation.unobserved} was executed here: no record shows what holds there.\n"
    for explained in explanation.meant:
        yield from _error_lines(explained.error)
        if explained.instead:
            backends = " and ".join(explained.error.backends)
            yield (
                f"  Only {backends} has the kernels that say this: "
                "there the convolution ran, whatever else the machine has."
            )
            if explained.here:
                yield f"  The runs below are on {explained.instead}."
        for standing in explained.here if explained.error.seen else ():
            yield from _standing_lines(standing, catalog)
        yield ""
    if not explanation.meant:
        yield f"Not seen: none of {explanation.observations:,} observations in {explanation.runs} runs has this text,"
        yield "and none of the public reports that this project knows."
        if explanation.near:
            yield "Nearest, and not the same:"
        yield from (f"  {error.name} ({error.id}): {error.examples[0]}" for error in explanation.near)


def _error_lines(error: ErrorAnswer) -> Iterator[str]:
    yield f"{error.name} ({error.id})"
    yield f"  What it means: {error.meaning}"
    yield from (f"  Or: {cause}" for cause in error.otherwise)
    yield from (f"  What to change: {mend}" for mend in error.mend)
    yield from (f"  Reported elsewhere, not measured here: {workaround}" for workaround in error.reported)
    yield from (f"  See: {link}" for link in error.links)
    if not error.seen:
        yield "  No record of ours shows it, on any release: what is said here comes from public reports."
        return
    yield f"  Seen in {error.seen:,} observations:"
    by_profile: dict[tuple[str, str, str], set[str]] = {}
    for where in error.where:
        by_profile.setdefault((where.backend, where.host_class, where.profile), set()).update(where.releases)
    for (backend, host_class, profile), releases in by_profile.items():
        yield f"    {profile} ({backend}, {host_class}): {', '.join(sorted(releases, key=Version))}"


def _standing_lines(standing: Standing, catalog: Catalog) -> Iterator[str]:
    place = standing.place
    default = ", what happens there with nothing set" if standing.by_default and place.profile != "default" else ""
    head = f"  TensorFlow {place.release}, {place.profile} ({place.host_class}{default})"
    if not place.observations:
        yield f"{head}: not observed: {plain(place.reason or place.status)}"
        return
    if not standing.raised:
        yield f"{head}: not seen in {place.observations:,} observations"
        return
    yield f"{head}:"
    usual = [where for where in standing.raised if not where.misuse]
    for where in usual[:SHOWN_PLACES]:
        yield from _where_lines(where, place, catalog)
    if rest := usual[SHOWN_PLACES:]:
        yield f"    as well: {', '.join(dict.fromkeys(f'{where.approach} ({where.check})' for where in rest))}"
    for misuse in dict.fromkeys(where.misuse for where in standing.raised if where.misuse):
        yield f"    the same text comes where {misuse}"


def _where_lines(where: Where, place: Place, catalog: Catalog) -> Iterator[str]:
    yield f"    {where.approach}, {where.check} in {', '.join(where.modes)} ({', '.join(where.variants)})"
    yield f"      {where.cells} cells, the first {place.run}/{where.cell}"
    whole = [one for one in where.ways if one.whole]
    if not whole:
        yield "      No workaround was measured that works in all of these cells."
    for number, one in enumerate(whole[:SHOWN_WORKAROUNDS], 1):
        unseen = f", {one.unseen} more were not observed" if one.unseen else ""
        target = place.run.partition("+")[0]
        run = f"{target}+{one.name}" if one.kind == "profile" else one.run or place.run
        yield f"      {number}. {instructions.for_workaround(one, place.release, catalog)}"
        yield f"         passes in {one.passed} of {one.of} cells{unseen}{TRAINING[one.trains]}"
        yield f"         as in {run}/{one.cell}"
    if partly := [one for one in where.ways if not one.whole]:
        told = (f"{one.kind} {one.name} ({one.passed} of {one.of})" for one in partly)
        yield f"      only in part: {', '.join(told)}"
