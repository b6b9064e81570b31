"""Questions without an error: which is meant, and the rows of records that answer it.

matrix/site/static/explain.js has the same rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
from packaging.version import Version

from matrix.answers.answer_data import Answers, Place
from matrix.answers.nearest_release import nearest
from matrix.answers.situation import BACKEND_NAMES, Asked, Situation, backend_of, situation
from matrix.answers.text_facts import Facts, filled, holds
from matrix.base.ids import is_emulated
from matrix.catalog.questions import Question

# A longer text is no question.
LONGEST = 2_000
TIMED = ("nn-conv2d", "keras-groups", "depthwise", "split-concat", "dense")
ASKED_OF = ("keras-groups", "nn-conv2d", "depthwise", "split-concat")
NEWEST = "2.21"
WORDS = {"y": "yes", "n": "no", "s": "some", "u": "?"}
FUSED = {"fused": "fused", "partly": "partly fused", "separate": "apart", "none": "apart", "refused": "refused"}


@dataclass(frozen=True, kw_only=True)
class Found:
    """A question, the `shown` rows that answer it, and what to `do` by them."""

    question: Question
    notes: list[str]
    place: str
    do: list[str]
    shown: list[str]
    command: str


def find(text: str, answers: Answers, asked: Asked, facts: Facts) -> Question | None:
    """Return the first question whose words are all in the text; none in a text that shows an error."""
    lowered = text.lower()
    if "failure" in facts or len(text) > LONGEST:
        return None
    backend = backend_of(asked, facts)
    for question in answers.questions:
        if all(any(word in lowered for word in one.split("|")) for one in question.words) and all(
            holds(one, facts, asked.release, backend) for one in question.when
        ):
            return question
    return None


def answer(question: Question, answers: Answers, asked: Asked, facts: Facts) -> Found:
    """Raise BadUsage where the release that is asked for is no version."""
    here = situation(answers, asked, facts, None)
    backend, release = here.backend, here.release
    notes, place, before = list(here.notes), here.words, ""
    do: list[str] = []
    shown: list[str] = []
    if question.shows == "speed":
        notes = [note for note in notes if note.startswith("For your case")]
        told, shown, do = _speed(answers, asked, here, facts)
        notes, place = [*notes, *told], ""
    elif question.shows == "fusion":
        told, shown, release, before = _fusion(answers, backend, release)
        notes, place = told, ""
    elif question.shows == "needs":
        if not release:
            here = situation(answers, msgspec.structs.replace(asked, release=NEWEST), facts, None)
            place = here.words
        shown = list(_needs(here.place, facts)) if here.place else []
    layer = "".join(f" --{name} {facts[name]}" for name in ("groups", "dtype", "layout") if facts.get(name, "1") != "1")
    known = {"release": release or NEWEST, "backend": backend, "before": before, "layer": layer}
    command = filled(question.command, {"need": "infer", **facts, **known})
    return Found(question=question, notes=notes, place=place, do=do, shown=shown, command=command)


def _speed(answers: Answers, asked: Asked, here: Situation, facts: Facts) -> tuple[list[str], list[str], list[str]]:
    """Return notes, the times of the layer nearest to the person's, and which approach is the fastest there."""
    backend, release = here.backend, here.release
    timed = [one for one in answers.timings if one.backend == backend]
    if not timed:
        return (
            [f"No times were taken on {BACKEND_NAMES[backend]}: no record of ours says what is faster there."],
            [],
            [],
        )
    near = nearest(release or NEWEST, {one.release for one in timed})
    name = near.releases[-1]
    hosts = sorted({one.host_class for one in timed if one.release == name})
    host = asked.host_class if asked.host_class in hosts else hosts[-1]
    there = [one for one in timed if (one.release, one.host_class, one.batch) == (name, host, 1)]
    profiles = sorted({one.profile for one in there}, reverse=True)
    if asked.profile in profiles:
        profiles = [asked.profile]
    groups = int(facts.get("groups") or 0)
    layers = {one.layer: one.groups for one in there}
    chosen = min(layers, key=lambda one: (abs(layers[one] - groups), one)) if groups > 1 else "resnext50-56"
    if "depthwise" in facts and groups < 2:
        chosen = "mobilenet-14"
    notes = (
        [f"No times were taken of {near.asked}; these are of {name}."]
        if name.rsplit(".", 1)[0] != ".".join(near.asked.split(".")[:2])
        else []
    )
    do: list[str] = []
    rows = [f"Milliseconds a call at {chosen} ({layers.get(chosen, 0)} groups, 1 image), {name} on {host}:"]
    for profile in profiles:
        for one in there:
            if one.profile == profile and one.layer == chosen:
                times = [f"{variant} {one.milliseconds[variant]:g}" for variant in TIMED if variant in one.milliseconds]
                rows.append(f"  {profile}, {one.direction}: {', '.join(times)}")
                if one.direction == ("train" if facts.get("need") == "train" else "forward"):
                    do += _fastest(one.milliseconds, f"{profile}, {one.direction}")
    return notes, [line for row in rows for line in _folded(row)], do


def _fastest(milliseconds: Mapping[str, float], where: str) -> Iterator[str]:
    """Yield what to write, where the times of two approaches differ."""
    timed = [one for one in TIMED if one in milliseconds and one != "dense"]
    best, worst = (choose(timed, key=milliseconds.__getitem__, default="") for choose in (min, max))
    if best != worst:
        least, most = milliseconds[best], milliseconds[worst]
        yield f"Write it as {best} ({where}): {least:g} ms a call where {worst} takes {most:g}."


def _fusion(answers: Answers, backend: str, release: str) -> tuple[list[str], list[str], str, str]:
    """Return the plans or the executed fusion of the release and of the one before it, side by side."""
    places = [
        one for one in answers.places if one.backend == backend and one.fusion and not is_emulated(one.host_class)
    ]
    if not places:
        return [f"No record shows what is fused on {BACKEND_NAMES[backend]}."], [], release, ""
    recorded = sorted({one.release for one in places}, key=Version)
    name = nearest(release or NEWEST, recorded).releases[-1]
    before = recorded[max(0, recorded.index(name) - 1)]
    rows = ["Bias and ReLU of a grouped Conv2D (4 groups, 3x3, float32):"]
    for one in sorted(dict.fromkeys((before, name)), key=Version):
        host = max(
            sorted({place.host_class for place in places if place.release == one}),
            key=lambda host: sum(place.host_class == host for place in places),
        )
        for place in places:
            if (
                place.release == one
                and place.host_class == host
                and place.profile in {"default", "onednn-on", "onednn-off"}
            ):
                said = [
                    f"{_kernel(key)} {FUSED[epilogue]}"
                    for approach in ("nn-conv2d", "keras-groups")
                    for key, epilogue in place.fusion.items()
                    if key.split()[0] == approach
                ]
                how = "planned" if place.planned else "executed"
                rows.append(f"  {one} {place.profile} ({how}): {', '.join(said)}")
    return [], [line for row in rows for line in _folded(row)], name, before


def _kernel(key: str) -> str:
    approach, geometry = key.split()
    kind = (
        " with a variable kernel"
        if geometry.endswith("-var")
        else " with a constant kernel"
        if geometry.endswith("-const")
        else ""
    )
    return f"{approach}{kind}"


def _needs(place: Place, facts: Facts) -> Iterator[str]:
    yield "  float32, NHWC      eagerly  in a graph  under XLA  trains  fused"
    of_rank = f"keras-groups-{facts.get('rank')}d"
    for approach in (of_rank,) if of_rank in place.needs else ASKED_OF:
        if approach in place.needs:
            eager, graph, jit, train, fused = (WORDS[letter] for letter in place.needs[approach])
            yield f"  {approach:18} {eager:8} {graph:11} {jit:10} {train:7} {fused}"


def _folded(row: str, width: int = 80) -> list[str]:
    """Break a row at a comma."""
    lines, rest = [], row
    while len(rest) > width:
        at = rest.rfind(", ", 0, width)
        if at <= 0:
            break
        lines.append(rest[: at + 1])
        rest = f"      {rest[at + 2 :]}"
    return [*lines, rest]
