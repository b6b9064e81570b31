"""The front page's answer in three sentences, made from the support statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from matrix.base.grouping import grouped
from matrix.catalog.approaches import APPROACHES, PLAINEST
from matrix.judge.needs import SpanAnswer
from matrix.judge.statements import Statement
from matrix.judge.support import Verdict, question_of
from matrix.judge.verdicts import Need
from matrix.report.statement_tables import began, with_switched
from matrix.site.content import Content
from matrix.site.question_form import in_words

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


def answer(content: Content, statements: Iterable[Statement]) -> list[str]:
    """Answer for the backend and host class on which most was executed; empty where nothing was."""
    executed = [one for one in content.support.verdicts if one.evidence == "executed"]
    places = Counter((one.backend, one.host_class) for one in executed)
    if not places:
        return []
    backend, host_class = max(sorted(places), key=lambda place: places[place])
    plainest = [
        one
        for one in statements
        if (one.backend, one.host_class, one.evidence, one.approach) == (backend, host_class, "executed", PLAINEST)
    ]
    by_profile = grouped(plainest, lambda one: one.profile)
    sentences = []
    if told := _in_words(by_profile.get("default", ())):
        sentences.append(f"With nothing set on {in_words(host_class)}, a grouped filter in tf.nn.conv2d {told}.")
    off = next((profile.name for profile in content.catalog.profiles if profile.onednn is False), "")
    if told := _in_words(by_profile.get(off, ())):
        sentences.append(f"With oneDNN off, which other processors may have by default, it {told}.")
    sound = []
    for verdict in executed:
        run = content.runs[question_of(verdict)]
        # elsewhere the control fails, so that groups need not be at fault, or another run has the observations
        if (verdict.backend, verdict.host_class) == (backend, host_class) and not run.doubtful and not run.same_as:
            sound.append(verdict)
    return [*sentences, _surest(sound)] if sound else sentences


def _in_words(statements: Iterable[Statement]) -> str:
    """What holds as of the newest release; needs that are answered alike stand together."""
    asked = [one for one in statements if one.need in DOES]
    clauses = []
    for (said, since, switched), alike in grouped(asked, _newest).items():
        does = said in {"yes", "some"}
        told = _listed([(DOES if does else DOES_NOT)[one.need] for one in alike])
        always = "in every release observed" if does else "in any release observed"
        clauses.append(f"{told} {'only in part ' if said == 'some' else ''}{f'from {since} on' if since else always}")
        clauses[-1] += with_switched(switched)
    return ", and it ".join(clauses)


def _newest(statement: Statement) -> tuple[SpanAnswer, str, tuple[str, ...]]:
    span = statement.spans[-1]
    return span.answer, began(statement, span), span.switched


def _surest(verdicts: Sequence[Verdict]) -> str:
    """Name the approaches that infer in a graph and train in most of the runs; there may be several."""
    runs = len({(one.release, one.profile) for one in verdicts if one.approach == PLAINEST})
    counts = Counter(
        one.approach
        for one in verdicts
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
