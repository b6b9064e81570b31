"""What a text means to this person, and what to do about it: for their release, backend, processor and setting.

`explain(text, answers, asked)` finds the known errors that a text names, reads the text's numbers, and takes from the
records what was measured to work instead. matrix/site/static/explain.js does the same by the same rules, which a test
holds equal; so everything here is plain.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from matrix.answers import instructions, question_answers, snippets, text_facts
from matrix.answers.answer_data import Answers, ErrorAnswer, Place, Settings, Where, Workaround, on
from matrix.answers.situation import (
    BACKEND_NAMES,
    Asked,
    Situation,
    fitness,
    in_ranges,
    is_transposed,
    recorded_releases,
    situation,
    told_of,
)
from matrix.answers.text_facts import Facts, filled, holds
from matrix.base.errors import BadUsage
from matrix.base.ids import SWITCHES_ITSELF, is_emulated, minor
from matrix.base.structs import Strict
from matrix.base.text import plain
from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE, SPLIT
from matrix.catalog.known_errors import Reading
from matrix.catalog.patterns import Searched, searched
from matrix.record.records import Mode

# A text that was cut short holds this many characters of an example.
CUT = 20
NEAR = 0.5
WORD = re.compile(r"[a-z_]{3,}")
WIDTH, LINES, LONG_CODE = 80, 25, 8
FEW = 4
PROCESSOR_DECIDES = (
    "The processor decides, not the release: from 2.9 on oneDNN is on by default only where it has AVX512_VNNI, "
    "AVX512_BF16, AVX_VNNI or AMX (on Arm, Neoverse V1)."
)
TRAINS = {"yes": "; trains too", "no": "; forward only", "some": "; gradients only in part"}


Basis = Literal["measured", "program", "reported", "elsewhere"]


class Step(Strict, frozen=True, kw_only=True):
    """Something to do. `code` is complete; `cell`: where a record shows that it works; `basis`: on what it rests, which
    for `elsewhere` is measured in other releases or settings than the person's, or on other processors.
    """

    words: str
    basis: Basis
    code: str = ""
    cell: str = ""


class Explanation(Strict, frozen=True, kw_only=True):
    """`what` it is in a sentence, `do`: what to do, the best first, in the situation of `place`, which is that of the
    `run` on `host_class` where records answer.

    `known`: the errors that the text names, the one that is explained first; `question`: the question that it asks
    instead. `otherwise`: other causes of the same text. `where` else it holds; `shown`: rows of records for a question;
    `near`: known errors that come near a text that is not known. `more`: where to look for more.
    """

    known: list[str]
    question: str = ""
    what: str
    notes: list[str] = []
    place: str = ""
    run: str = ""
    host_class: str = ""
    do: list[Step] = []
    why: list[str] = []
    shown: list[str] = []
    otherwise: list[str] = []
    where: list[str] = []
    evidence: list[str] = []
    near: list[str] = []
    more: str
    facts: Facts = {}


def explain(text: str, answers: Answers, asked: Asked) -> Explanation:
    """Raise BadUsage where the release that is asked for is no version."""
    whole = Searched(text)
    meant = [error for error in answers.errors if whole.first(error.patterns)]
    facts = text_facts.read(whole, answers.clues, meant[0].patterns if meant else [])
    cut = False
    if not meant and (short := _cut_short(whole.text, answers.errors)):
        meant, cut = [short], True
    if not meant:
        question = question_answers.find(whole.text, answers, asked, facts)
        if question and question.error:
            meant = [error for error in answers.errors if error.id == question.error]
            facts |= {"question": "yes"}
        elif question:
            return _of_question(question_answers.answer(question, answers, asked, facts), facts)
    if not meant:
        return _unknown(whole.text, answers, facts)
    return _of_error(meant, answers, asked, facts, cut=cut)


def _of_question(found: question_answers.Found, facts: Facts) -> Explanation:
    asked = found.question
    return Explanation(
        known=[],
        question=asked.id,
        what=asked.says or "",
        notes=found.notes,
        place=found.place,
        do=[Step(words=words, basis="measured") for words in found.do]
        + [Step(words=words, basis="program") for words in asked.do]
        + [Step(words=words, basis="reported") for words in asked.reported],
        shown=found.shown,
        why=asked.why,
        evidence=asked.links,
        more=f"tf-groupconv {found.command}",
        facts=facts,
    )


def _unknown(text: str, answers: Answers, facts: Facts) -> Explanation:
    told = set(WORD.findall(text[-20_000:].lower()))
    shares = {}
    for error in answers.errors:
        examples = [set(WORD.findall(example.lower())) for example in error.examples]
        shares[error.id] = max(len(words & told) / len(words) if words else 0.0 for words in examples)
    near = [error for error in answers.errors if shares[error.id] >= NEAR]
    runs = [place for place in answers.places if place.observations and not place.same_as]
    return Explanation(
        known=[],
        what=f"Not seen: no observation in {len(runs)} runs has this text, nor has a public report known here.",
        near=[
            f"{error.name} ({error.id}): {error.examples[0]}"
            for error in sorted(near, key=lambda one: -shares[one.id])[:3]
        ],
        more="--all; the page errors.html lists every text that is known.",
        facts=facts,
    )


def _cut_short(text: str, errors: Iterable[ErrorAnswer]) -> ErrorAnswer | None:
    """Return the first error with an example of which the text is a part, or whose beginning ends the text."""
    text = text.lower().removesuffix("...").rstrip()
    for error in errors:
        for example in error.examples:
            full = searched(example).lower()
            if len(text) >= CUT and text in full:
                return error
            for size in range(min(len(text), len(full)), CUT - 1, -1):
                if text.endswith(full[:size]):
                    return error
    return None


def _of_error(meant: Sequence[ErrorAnswer], answers: Answers, asked: Asked, facts: Facts, *, cut: bool) -> Explanation:
    error = meant[0]
    here = situation(answers, asked, facts, error)
    onednn = {True: {"onednn": "on"}, False: {"onednn": "off"}, None: {}}[here.place.onednn if here.place else None]
    known, backend = facts | onednn, asked.backend or here.backend
    reading = next(
        (one for one in error.readings if all(holds(each, known, here.release, backend) for each in one.when)), None
    )
    told = _told(error, reading)
    names = {one.name: one for one in answers.settings}
    steps, where = [Step(words=filled(words, facts), basis="program") for words in told.mend], None
    why, cell = [filled(told.meaning, facts)], ""
    from_records = told.measured and any(not where.misuse for where in error.where)
    notes = list(here.notes if from_records else here.of_the_text)
    if cut:
        notes.append("The text is cut short: this is the known text that it is a part of.")
    if not error.seen:
        notes.append("No record of ours shows this text; what follows comes from public reports.")
    if from_records:
        source = error
        if here.place and not here.raised:
            told_not, source = _not_raised(error, here.place, answers)
            notes += told_not
        where = best_where(source, here.place, facts) if here.place else None
        if where and here.place:
            cell = f"{here.place.run}/{where.cell}"
        if facts.get("single") and error.backends == ["cpu"] and not is_transposed(facts):
            steps += _depthwise(here, answers)
        if where and here.place:
            steps += _measured(where, here.place, facts, told, names)
            steps += _on_others(source, where, here.place, facts, told, answers)
            if _switch_cures(where, here.place, names):
                why.append(PROCESSOR_DECIDES)
        elif not steps:
            steps += _in_most(error, facts, told, answers, "elsewhere" if here.release else "measured")
    steps += [Step(words=filled(words, facts), basis="reported") for words in told.reported]
    return Explanation(
        known=[one.id for one in meant],
        what=_sentence(filled(told.name, facts)),
        notes=notes,
        place=here.words if from_records else here.named,
        run=here.place.run if here.place and from_records else "",
        host_class=here.place.host_class if here.place and from_records else "",
        do=steps,
        why=why,
        otherwise=[filled(words, facts) for words in told.otherwise],
        where=[*(here.doubts if from_records else []), *_where(error, where.approach if where else "", answers, names)],
        evidence=[*([cell] if cell else []), *told.links],
        more=f"--all has other causes, code and evidence ({error.id}).",
        facts=facts,
    )


class Told(Strict, frozen=True, kw_only=True):
    """An error's texts, with what a reading puts in their place."""

    name: str
    meaning: str
    mend: list[str]
    reported: list[str]
    otherwise: list[str]
    links: list[str]
    measured: bool
    without: list[str]


def _told(error: ErrorAnswer, reading: Reading | None) -> Told:
    one = reading or Reading(when=["any"])
    return Told(
        name=one.name or error.name,
        meaning=error.meaning if one.meaning is None else one.meaning,
        mend=error.mend if one.mend is None else one.mend,
        reported=error.reported if one.reported is None else one.reported,
        otherwise=error.otherwise if one.otherwise is None else one.otherwise,
        links=[*one.links, *error.links],
        measured=one.measured,
        without=one.without,
    )


def _sentence(text: str) -> str:
    first = text.partition(" ")[0]
    start = text if first != first.lower() or "=" in first else f"{text[0].upper()}{text[1:]}"
    return f"{start.rstrip('.')}."


def _not_raised(error: ErrorAnswer, place: Place, answers: Answers) -> tuple[list[str], ErrorAnswer]:
    """Say what the run shows in the cells in which others raise the error, and whose workarounds hold there."""
    seen = error.looked.get(on(place.run, place.host_class))
    if seen is None:
        return ["No record of this release and setting has a cell that could show this text."], error
    most = max(seen.others, key=lambda name: seen.others[name], default="")
    if most and 2 * sum(seen.others.values()) >= seen.cells:
        other = next(one for one in answers.errors if one.id == most)
        words = plain(other.examples[0], 90)
        told = f'In our records of it the same programs are refused in other words: "{words}" ({most}).'
        return [f"{told} What follows was measured for that refusal."], other
    which = "all of them pass" if seen.passed == seen.cells else "none of them says this"
    return [f"In our records of it {seen.cells} cells were run that raise this text elsewhere: {which}."], error


def best_where(error: ErrorAnswer, place: Place, facts: Facts) -> Where | None:
    """Return where the run raises the error in a program most like the person's."""
    found, most = None, -1
    for where in error.where:
        if place.run in where.runs and place.host_class == where.host_class and told_of(where, facts):
            fit = fitness(where, facts)
            if fit > most:
                found, most = where, fit
    return found


def _switch_cures(where: Where, place: Place, names: Mapping[str, Settings]) -> bool:
    """Tell whether oneDNN is off there, by the processor's doing, and the failure gone where it is on."""
    if place.backend != "cpu" or place.onednn is not False or minor(place.release) < SWITCHES_ITSELF:
        return False
    return any(
        way.kind == "profile" and way.whole and names[way.name].onednn for way in where.ways if way.name in names
    )


def _measured(where: Where, place: Place, facts: Facts, told: Told, names: Mapping[str, Settings]) -> list[Step]:
    """Return the workarounds of these cells that hold in the person's mode, those that train first."""
    ways = [way for way in where.ways if _fits(way, facts.get("mode", ""), told)]
    approaches = [way for way in ways if way.kind == "approach"]
    chosen = min(approaches, key=_plainness, default=None)
    steps = []
    for way in sorted(ways, key=lambda way: _worth(way, names)):
        if way.kind == "approach" and way is not chosen:
            continue
        run = f"{place.run.partition('+')[0]}+{way.name}" if way.kind == "profile" else way.run or place.run
        steps.append(_tried(way, run, place, facts, names))
    return steps


def _on_others(  # noqa: PLR0913, PLR0917 - what an answer is made of
    error: ErrorAnswer, where: Where, place: Place, facts: Facts, told: Told, answers: Answers
) -> list[Step]:  # fmt: skip
    """Return the options that were not run on the person's processor, and help the same programs on another one that
    has the same set. What does not train is left to those who measured it.
    """
    names = {one.name: one for one in answers.settings}
    here = (place.release, place.backend, place.host_class)
    run = {one.profile for one in answers.places if (one.release, one.backend, one.host_class) == here}
    alike = (where.backend, where.profile, where.approach, where.check, where.modes)
    steps = []
    for other in error.where:
        same = (other.backend, other.profile, other.approach, other.check, other.modes) == alike
        if not same or place.release not in other.releases or where.variants[0] not in other.variants:
            continue
        for way in other.ways if not is_emulated(other.host_class) else ():
            if way.trains in {"no", "some"} or not _fits(way, facts.get("mode", ""), told):
                continue
            setting = names.get(way.name) if way.kind == "profile" and way.name not in run else None
            # An option of oneDNN's own, such as an ISA, does something else on each processor.
            is_own = setting is not None and any(name.startswith("ONEDNN_") for name in setting.environment)
            if setting and setting.options and not is_own:
                run.add(way.name)
                there = other.runs[other.releases.index(place.release)].partition("+")[0]
                steps.append(_tried(way, f"{there}+{way.name}", place, facts, names, on=other.host_class))
    return steps


def _tried(  # noqa: PLR0913 - what a step is made of
    way: Workaround, run: str, place: Place, facts: Facts, names: Mapping[str, Settings], *, on: str = ""
) -> Step:
    """Return a workaround that was measured in a run as a step. `on`: the host class, where it is not the person's."""
    mode = facts.get("mode", "")
    words = f"{instructions.for_workaround(way, place.release, names, mode)}{_limits(way, mode)}"
    return Step(
        words=f"{words} (measured on {on})." if on else f"{words}.",
        basis="elsewhere" if on else "measured",
        code=_code(way, names, facts, place.release),
        cell=f"{run}/{way.cell}",
    )


def _limits(way: Workaround, mode: str) -> str:
    """Say in which modes alone a way was measured, that it fuses nothing, and whether it trains."""
    only = "" if mode in way.modes else way.only
    return f"{only}{'; nothing is fused' if way.fusion == 'separate' else ''}{TRAINS.get(way.trains or '', '')}"


def _fits(way: Workaround, mode: str, told: Told) -> bool:
    if f"{way.kind}:{way.name}" in told.without or (way.kind == "mode" and way.name == mode):
        return False
    return way.whole or (mode in way.modes if mode else bool(way.modes))


def _plainness(way: Workaround) -> tuple[object, ...]:
    place = INTERCHANGEABLE.index(way.name) if way.name in INTERCHANGEABLE else len(INTERCHANGEABLE)
    wasteful = way.name in APPROACHES and APPROACHES[way.name].wasteful
    return (wasteful, way.name != SPLIT, place)


def _worth(way: Workaround, names: Mapping[str, Settings]) -> tuple[object, ...]:
    """Order the ways: what has more to set than the switch of oneDNN comes after what is compiled."""
    kind = "option" if way.kind == "profile" and way.name in names and names[way.name].options else way.kind
    wasteful = way.kind == "approach" and way.name in APPROACHES and APPROACHES[way.name].wasteful
    return (
        not way.whole,
        way.trains in {"no", "some"},
        wasteful,
        ("profile", "mode", "option", "approach", "epilogue", "release").index(kind),
    )


def _code(way: Workaround, names: Mapping[str, Settings], facts: Facts, release: str) -> str:
    """Return a program that does it, with the person's own numbers; "" where it is one line, or there is none."""
    if way.kind == "profile" and way.name in names:
        setting = names[way.name]
        lines = [f'os.environ["{name}"] = "{value}"' for name, value in setting.environment.items()]
        before = ["import os", "", *lines] if lines else []
        return "\n".join([*before, "import tensorflow as tf", *(["", setting.python] if setting.python else [])])
    if way.kind == "approach":
        groups = int(facts.get("groups", 4)) or 4
        cin = int(facts["input"]) if "grouped" in facts else 32 * groups
        cout = int(facts.get("output", cin))
        mode: Mode = "graph"
        if facts.get("mode") == "keras" and snippets.takes_place(way.name, release):
            mode = "keras"
        try:
            layer = snippets.layer(groups=groups, cin=cin, cout=cout, size=28)
            return snippets.program(way.name, layer, release, mode=mode).rstrip()
        except BadUsage:
            return ""
    return ""


def _depthwise(here: Situation, answers: Answers) -> list[Step]:
    """One channel a group: the depthwise operation, where its forward pass was observed to work."""
    number = 1
    seen = [place for place in answers.places if place.backend == "cpu" and "depthwise" in place.needs]
    if here.place:
        seen = [here.place] if here.place.needs.get("depthwise", "u")[number] == "y" else []
    works = {place.release for place in seen if place.needs["depthwise"][number] == "y"}
    if not works:
        return []
    told = (
        "" if here.place else f" (works in {len(works)} of {len(recorded_releases(answers, 'cpu'))} releases recorded)"
    )
    words = f"One channel a group is a depthwise convolution: DepthwiseConv2D or tf.nn.depthwise_conv2d{told}"
    trains = here.place and here.place.needs["depthwise"][3] == "y"
    cell = (
        f"{here.place.run}/depthwise/graph/forward/{APPROACHES['depthwise'].base}/bias_relu/f32/nhwc"
        if here.place
        else ""
    )
    return [Step(words=f"{words}{'; trains too' if trains else ''}.", basis="measured", cell=cell)]


def _in_most(error: ErrorAnswer, facts: Facts, told: Told, answers: Answers, basis: Basis) -> list[Step]:
    """Return the workarounds, each with the releases in which it was measured, those of most first. They are the answer
    where there is no release, or no record of it that shows any.
    """
    backend = error.backends[0] if error.backends else "cpu"
    names = {one.name: one for one in answers.settings}
    held: dict[tuple[str, str], list[str]] = {}
    ways: dict[tuple[str, str], Workaround] = {}
    for place in answers.places:
        setting = names.get(place.profile)
        if place.backend != backend or not place.observations or place.planned or (setting and setting.options):
            continue
        where = best_where(error, place, facts)
        for way in where.ways if where else ():
            if way.kind != "release" and _fits(way, facts.get("mode", ""), told):
                held.setdefault((way.kind, way.name), []).append(place.release)
                ways.setdefault((way.kind, way.name), way)
    recorded = recorded_releases(answers, backend)
    approaches = [way for way in ways.values() if way.kind == "approach"]
    plainest = min(approaches, key=_plainness, default=None)
    order = sorted(
        ways, key=lambda key: (ways[key].trains in {"no", "some"}, -len(set(held[key])), _worth(ways[key], names))
    )
    return [
        Step(
            words=f"{instructions.for_workaround(ways[key], '', names)}{_limits(ways[key], facts.get('mode', ''))} "
            f"(measured in {in_ranges(held[key], recorded)}).",
            basis=basis,
            code=_code(ways[key], names, facts, held[key][-1]),
        )
        for key in order
        if ways[key].kind != "approach" or ways[key] is plainest
    ]


def _where(error: ErrorAnswer, approach: str, answers: Answers, names: Mapping[str, Settings]) -> list[str]:
    """Say where else the text comes from correct programs: by backend and setting, the releases."""
    by_setting: dict[tuple[str, str], set[str]] = {}
    for where in error.where:
        setting = names.get(where.profile)
        if not where.misuse and approach in {"", where.approach} and not (setting and setting.options):
            by_setting.setdefault((where.backend, where.profile), set()).update(where.releases)
    told = []
    for (backend, profile), releases in by_setting.items():
        words = {"onednn-on": "with oneDNN on", "onednn-off": "with oneDNN off"}.get(profile, "with nothing set")
        told.append(
            f"{BACKEND_NAMES[backend]} {words}: {in_ranges(list(releases), recorded_releases(answers, backend))}"
        )
    return [f"It comes on {'; '.join(told)}."] if told else []


LABELS: dict[Basis, str] = {
    "measured": "", "program": "", "reported": "Reported, not measured here: ", "elsewhere": "Elsewhere: ",
}  # fmt: skip


def lines(explanation: Explanation, *, everything: bool = False) -> Iterator[str]:
    """Yield the answer for a terminal: 25 lines of 80 columns, unless `everything` is wanted."""
    head = [*_wrapped(explanation.what), *(line for note in explanation.notes for line in _wrapped(note))]
    steps = explanation.do if everything else explanation.do[:FEW]
    do = [f"What to do on {explanation.place}:" if explanation.place else "What to do:"] if steps else []
    do = [line for one in do for line in _wrapped(one)]
    for number, step in enumerate(steps, 1):
        do += _wrapped(f"{LABELS[step.basis]}{step.words}", f"{number}. ", "   ")
        if everything and step.cell:
            do.append(f"   as in {step.cell}")
        if everything and step.code:
            do += ["", *step.code.splitlines(), ""]
    code = next((step.code for step in steps if step.code), "")
    why = _titled("Why: ", explanation.why[:1]) + _titled("", explanation.why[1:])
    blocks = [
        explanation.shown,
        code.splitlines() if len(code.splitlines()) < LONG_CODE else [],
        why,
        _titled("Or: ", explanation.otherwise[:1]),
        *(_titled("", [one]) for one in explanation.where),
        _titled("Nearest, and not the same: ", explanation.near),
    ]
    if everything:
        blocks = [
            explanation.shown,
            *(_titled("Why: ", [one]) for one in explanation.why),
            *(_titled("Or: ", [one]) for one in explanation.otherwise),
            *(_titled("", [one]) for one in explanation.where),
            [f"See {one}" for one in explanation.evidence],
            _titled("Nearest, and not the same: ", explanation.near),
        ]
    last = [] if everything else _wrapped(f"More: {explanation.more}")
    told = [*head, *([""] if do else []), *do]
    for block in blocks:
        if block and (everything or len(told) + 1 + len(block) + len(last) <= LINES):
            told += ["", *block]
    yield from told
    yield from last


def _titled(title: str, texts: Iterable[str]) -> list[str]:
    return [line for text in texts for line in _wrapped(f"{title}{text}")]


def _wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
