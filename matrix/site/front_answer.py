"""The front page's answer in three sentences, made from the support statements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from matrix.catalog.approaches import APPROACHES, PLAINEST
from matrix.judge.needs import SpanAnswer
from matrix.judge.statements import Statement
from matrix.judge.support import Verdict, question_of
from matrix.judge.verdicts import Need
from matrix.report.statement_tables import began
from matrix.site.content import Content

# What the plainest approach can be asked for without naming a mode.
DOES: dict[Need, str] = {
    "infer-graph": "infers in a graph",
    "train": "trains",
    "fused": "has bias and ReLU inside its kernel",
}
DOES_NOT: dict[Need, str] = {
    "infer-graph": "does not infer in a graph",
    "train": "does not train",
    "fused": "does not have bias and ReLU inside its kernel",
}


def answer(content: Content, statements: Iterable[Statement]) -> tuple[str, ...]:
    """Of the backend and host class on which most was executed; nothing where nothing was."""
    executed = [one for one in content.support.verdicts if one.evidence == "executed"]
    places = Counter((one.backend, one.host_class) for one in executed)
    if not places:
        return ()
    backend, host_class = max(sorted(places), key=lambda place: places[place])
    here = [one for one in executed if (one.backend, one.host_class) == (backend, host_class) and _sound(content, one)]
    said: dict[str, list[Statement]] = defaultdict(list)
    for one in statements:
        if (one.backend, one.host_class, one.evidence, one.approach) == (backend, host_class, "executed", PLAINEST):
            said[one.profile].append(one)
    return tuple(_sentences(content, said, here, host_class))


def _sound(content: Content, verdict: Verdict) -> bool:
    """A run with observations of its own, in which the control passes: elsewhere groups need not be at fault."""
    run = content.runs[question_of(verdict)]
    return not run.doubtful and not run.same_as


def _sentences(
    content: Content, said: dict[str, list[Statement]], here: list[Verdict], host_class: str
) -> Iterator[str]:
    if told := ", and it ".join(_clauses(said.get("default", ()))):
        yield f"With nothing set on {host_class}, a grouped filter in tf.nn.conv2d {told}."
    off = next((profile for profile in content.catalog.profiles if profile.onednn is False), None)
    if off and (told := ", and it ".join(_clauses(said.get(off.name, ())))):
        yield f"With oneDNN off, which other processors may have by default, it {told}."
    if here:
        yield _surest(here)


def _clauses(statements: Iterable[Statement]) -> Iterator[str]:
    """Needs that are answered alike stand together, as of the newest release."""
    alike: dict[tuple[SpanAnswer, str], list[Need]] = defaultdict(list)
    for one in statements:
        if one.need in DOES:
            alike[one.spans[-1].answer, began(one, one.spans[-1])].append(one.need)
    for (said, since), needs in alike.items():
        told = _listed([(DOES if said in {"yes", "some"} else DOES_NOT)[need] for need in needs])
        always = "in every release observed" if said in {"yes", "some"} else "in any release observed"
        observed = f"from {since} on" if since else always
        yield f"{told} {'only in part ' if said == 'some' else ''}{observed}"


def _surest(here: list[Verdict]) -> str:
    """What infers in a graph and trains in most of the runs; ways that do equally well are named together."""
    runs = len({(one.release, one.profile) for one in here if one.approach == PLAINEST})
    counts = Counter(
        one.approach
        for one in here
        if one.needs["infer-graph"] == one.needs["train"] == "yes"
        and APPROACHES[one.approach].computes == APPROACHES[PLAINEST].computes
    )
    if not counts:
        return f"Nothing that computes the same both infers in a graph and trains in any of {runs} runs."
    best = max(counts.values())
    names = [name for name in APPROACHES if counts[name] == best]
    whole = "every one" if best == runs else f"{best}"
    verb, each = ("is", "it") if len(names) == 1 else ("are", "each")
    return f"The surest {verb} {_listed(names)}: {each} infers in a graph and trains in {whole} of {runs} runs."


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
