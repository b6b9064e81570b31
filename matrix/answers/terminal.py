"""How answers are told to a person: settings, modes and approaches in the words that one types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packaging.version import Version

from matrix.answers.advise import Advice, Choice
from matrix.answers.claims import Decided
from matrix.answers.explain import ErrorAnswer, Explained, Explanation, Place, Standing, Where
from matrix.answers.workarounds import Way
from matrix.base import ids
from matrix.base.text import plain
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.releases import Catalog

SHOWN_WAYS = 6
SHOWN_PLACES = 4


def mode_in_words(mode: str, release: str) -> str:
    """What to write for a mode in that release."""
    version = Version(release)
    if mode == "jit":
        if version < Version("2.0"):
            return "compile it with XLA: tf.xla.experimental.compile"
        option = "jit_compile" if version >= Version("2.5") else "experimental_compile"
        return f"compile it with XLA: tf.function({option}=True)"
    if mode == "graph":
        return "put it into a tf.function" if version >= Version("2.0") else "run it in a session"
    return "call it eagerly, outside of any tf.function and of predict"


def profile_in_words(name: str, catalog: Catalog) -> str:
    """What to set for a profile: variables as a shell takes them, or a line of Python."""
    profile = next((one for one in catalog.profiles if one.name == name), None)
    if profile is None or not profile.setting:
        return f"the profile {name}"
    return profile.setting if profile.optimizer else f"set {profile.setting}"


def way_in_words(way: Way, release: str, catalog: Catalog) -> str:
    return {
        "profile": lambda: profile_in_words(way.name, catalog),
        "mode": lambda: mode_in_words(way.name, release),
        "approach": lambda: f"write it as {way.name}: {APPROACHES[way.name].summary}",
        "release": lambda: f"TensorFlow {way.name}{_under(way.run, catalog)}",
    }[way.kind]()


def _under(run: str | None, catalog: Catalog) -> str:
    """What another release has to be told as well: by itself it may do something else on another processor."""
    profile = ids.parse_run(run).profile if run else "default"
    return "" if profile == "default" else f" ({profile_in_words(profile, catalog)})"


def explained(explanation: Explanation, catalog: Catalog) -> Iterator[str]:
    """The answer of `explain`, line by line."""
    if explanation.note:
        yield f"{explanation.note}\n"
    if explanation.unobserved:
        yield f"No run on {explanation.unobserved} was executed here: what holds there no record shows.\n"
    for one in explanation.meant:
        yield from _error(one.error)
        yield from _seen_in(one.error)
        yield from _instead(one)
        for standing in one.here if one.error.seen else ():
            yield from _standing(standing, catalog)
        yield ""
    if not explanation.meant:
        yield f"Not seen: none of {explanation.observations:,} observations in {explanation.runs} runs has this text,"
        yield "and none of the public reports that this project knows."
        yield from _near(explanation.near)


def _error(error: ErrorAnswer) -> Iterator[str]:
    yield f"{error.name} ({error.id})"
    yield f"  What it means: {error.meaning}"
    yield from (f"  Or: {cause}" for cause in error.otherwise)
    yield from (f"  What to change: {mend}" for mend in error.mend)
    yield from (f"  Reported elsewhere, not measured here: {way}" for way in error.reported)
    yield from (f"  See: {link}" for link in error.links)


def _seen_in(error: ErrorAnswer) -> Iterator[str]:
    if not error.seen:
        yield "  No record of ours shows it, on any release: what is said here comes from public reports."
        return
    yield f"  Seen in {error.seen:,} observations:"
    by_profile: dict[tuple[str, str, str], dict[str, None]] = {}
    for where in error.where:
        key = (where.backend, where.host_class, where.profile)
        by_profile.setdefault(key, {}).update(dict.fromkeys(where.releases))
    for (backend, host_class, profile), releases in by_profile.items():
        yield f"    {profile} ({backend}, {host_class}): {', '.join(sorted(releases, key=Version))}"


def _instead(explained: Explained) -> Iterator[str]:
    if explained.instead:
        told = " and ".join(explained.error.backends)
        yield f"  Only {told} has the kernels that say this: there the convolution ran, whatever else the machine has."
        if explained.here:
            yield f"  What follows is of {explained.instead}."


def _standing(standing: Standing, catalog: Catalog) -> Iterator[str]:
    place = standing.place
    default = ", what happens there with nothing set" if standing.by_default and place.profile != "default" else ""
    head = f"  TensorFlow {place.release}, {place.profile} ({place.host_class}{default})"
    if not place.observations:
        yield f"{head}: not observed: {plain(place.reason or place.status)}"
    elif not standing.raised:
        yield f"{head}: not seen in {place.observations:,} observations"
    else:
        yield f"{head}:"
        usual = [where for where in standing.raised if not where.misuse]
        for where in usual[:SHOWN_PLACES]:
            yield from _where(where, place, catalog)
        yield from _also(usual[SHOWN_PLACES:], [where for where in standing.raised if where.misuse])


def _where(where: Where, place: Place, catalog: Catalog) -> Iterator[str]:
    run = f"{place.run}/"
    yield f"    {where.approach}, {where.check} in {', '.join(where.modes)} ({', '.join(where.variants)})"
    yield f"      {where.cells} cells, the first {run}{where.cell}"
    whole = [way for way in where.ways if way.whole]
    if not whole:
        yield "      No way round was measured that works in all of these cells."
    for number, way in enumerate(whole[:SHOWN_WAYS], 1):
        yield f"      {number}. {way_in_words(way, place.release, catalog)}"
        unseen = f", {way.unseen} more were not observed" if way.unseen else ""
        yield f"         passes in {way.passed} of {way.of} cells{unseen}{_training(way)}"
        yield f"         as in {_run_of(way, place)}/{way.cell}"
    if partly := [way for way in where.ways if not way.whole]:
        told = (f"{way.kind} {way.name} ({way.passed} of {way.of})" for way in partly)
        yield f"      only in part: {', '.join(told)}"


def _training(way: Way) -> str:
    return {
        None: "",
        "yes": "; gradients too",
        "no": "; gradients do not",
        "some": "; gradients only in part",
        "unknown": "; gradients were not observed",
    }[way.trains]


def _run_of(way: Way, place: Place) -> str:
    if way.kind == "profile":
        return f"{place.run.partition('+')[0]}+{way.name}"
    return way.run or place.run


def _also(rest: Sequence[Where], misuse: Sequence[Where]) -> Iterator[str]:
    if rest:
        told = dict.fromkeys(f"{where.approach} ({where.check})" for where in rest)
        yield f"    as well: {', '.join(told)}"
    for reason in dict.fromkeys(where.misuse for where in misuse):
        yield f"    the same text comes where {reason}"


def _near(near: Sequence[ErrorAnswer]) -> Iterator[str]:
    if near:
        yield "Nearest, and not the same:"
    for error in near:
        yield f"  {error.name} ({error.id}): {error.examples[0]}"


def advised(advice: Advice, catalog: Catalog) -> Iterator[str]:
    """The answer of `advise`, line by line."""
    asked = advice.asked
    if advice.note:
        yield f"{advice.note}\n"
    groups = f", {asked.groups} groups" if asked.groups else ""
    yield f"To {asked.wish} in {', '.join(asked.modes)}, {asked.dtype}{groups}; by records of {advice.host_class}."
    yield from _of_the_machine(advice)
    if advice.unobserved:
        yield f"No run on {advice.unobserved} was executed here: nothing can be advised for it."
    elif not advice.best:
        yield "Nothing was measured to do that there."
    elif any(choice.reached for choice in advice.best):
        yield "Those whose speed was measured on that release come first, the fastest at the top."
    else:
        yield "Their speed was not measured on that release: they stand in the order of what one would expect."
    for number, choice in enumerate(advice.best, 1):
        yield from _choice(number, choice, advice, catalog)
    if advice.code:
        yield "\nThe first, to paste:\n"
        first = advice.best[0]
        if first.setting and not first.nothing_to_set:
            yield f"    # before TensorFlow is imported, or before the first function: {first.setting}"
        yield from (f"    {line}" for line in advice.code.splitlines())
    advised = {choice.approach for choice in advice.best}
    yield from _fallen("\nNot these:", [one for one in advice.out if one.nothing_to_set or one.approach not in advised])
    yield from _fallen("\nOpen, since nothing was observed:", [one for one in advice.open if one.nothing_to_set])


def _of_the_machine(advice: Advice) -> Iterator[str]:
    default = advice.default or "unknown"
    if advice.inferred:
        yield f"Your host class, {advice.machine}, has no record: all of this is inferred from {advice.host_class}."
        yield f"With nothing set TensorFlow does there what is recorded as {default}, by its own rule for oneDNN."
    elif advice.machine:
        yield f"That is your host class; with nothing set it is {default} there."
    elif advice.default:
        yield f"With nothing set it is {default} there. Your processor may differ: --this-machine asks for yours."


def _choice(number: int, choice: Choice, advice: Advice, catalog: Catalog) -> Iterator[str]:
    setting = "nothing to set" if choice.nothing_to_set else profile_in_words(choice.profile, catalog)
    fused = {"yes": "bias and ReLU in the kernel", "some": "a part in the kernel", "no": "bias and ReLU apart"}
    unseen = "" if choice.groups_seen else f"; {advice.asked.groups} groups were not measured, 4 were"
    yield f"{number}. {choice.approach}, {setting}"
    yield f"     {choice.of} cells, all pass; {fused.get(choice.fused, 'fusion not observed')}{unseen}"
    if choice.reached:
        yield f"     speed: {choice.reached:.1%} of the floor, the geometric mean over the layers that were timed"
    elif any(one.reached for one in advice.best):
        yield "     speed: not measured"
    yield f"     as in {choice.cells[0]}"


def _fallen(title: str, choices: Sequence[Choice]) -> Iterator[str]:
    if choices:
        yield title
    for choice in choices:
        yield f"  {choice.approach} ({choice.profile}): {choice.why}"
        yield from (f"     as in {cell}" for cell in choice.cells[:1])


def claimed(claims: Sequence[Decided]) -> Iterator[str]:
    """The answer of `claims`, line by line."""
    for claim in claims:
        yield f"{claim.word:10} {claim.says}"
        yield f"           {claim.why or f'{claim.pro_count} for, {claim.contra_count} against'}"
        for place, (pro, contra) in claim.by_place.items():
            yield f"             {place}: {pro} of {pro + contra}"
        for side, cells in (("for", claim.pro), ("against", claim.contra)):
            yield from (f"           {side}: {cell}" for cell in cells)
