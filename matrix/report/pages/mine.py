"""What the script is told of the runs, to answer "what about mine?": every need, in every dtype that was observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from packaging.version import Version

from matrix.cells import suite
from matrix.host import CLASSES, SWITCH_ONEDNN_ON
from matrix.records import Observation
from matrix.report.pages.content import Content
from matrix.report.pages.front import NEED_LETTERS
from matrix.report.pages.html import BACKEND_NAMES, LETTERS
from matrix.report.support import RunEntry, Verdict, question_of
from matrix.report.table import why_unknown
from matrix.verdicts import FAILED, INSIDE, JUDGED, NEEDS, REPRESENTATIVE, Answer, Judgement, Need

NEED_HEADS: Mapping[Need, str] = {
    "infer-eager": "infers eagerly",
    "infer-graph": "infers in a graph",
    "infer-jit": "infers under XLA",
    "train": "trains",
    "fused": "bias and ReLU inside the kernel",
}
NEED_WORDS: Mapping[Need, str] = {**NEED_HEADS, "fused": "computes bias and ReLU inside its kernel"}
FORMS = {
    ("grouped", 2): "a grouped convolution",
    ("grouped", 1): "a grouped convolution of sequences (1D)",
    ("grouped", 3): "a grouped convolution of volumes (3D)",
    ("transpose", 2): "a grouped transposed convolution",
    ("depthwise", 2): "a depthwise convolution",
    ("separable", 2): "a depthwise-separable convolution",
}


def form_of(approach: str) -> str:
    """What an approach computes: only ways of the same can replace each other."""
    about = suite.APPROACHES[approach]
    return f"{about.form}-{about.rank}d"


def forms() -> dict[str, str]:
    """In the suite's order, in words where there are any."""
    return {
        form_of(name): FORMS.get((about.form, about.rank), form_of(name)) for name, about in suite.APPROACHES.items()
    }


def choices(content: Content) -> dict[str, object]:
    """What the form offers. Processors are those that were run, and the other classes that there are."""
    made = [run.host_class for run in content.support.runs if run.engine and run.backend == "cpu"]
    return {
        "all_releases": _releases(content),
        "hosts": list(dict.fromkeys((*made, *(f"x86-{name}" for _, name in CLASSES), "x86-base"))),
        "settings": {profile.name: _setting(profile.environment) for profile in content.catalog.profiles},
        "forms": forms(),
        "need_heads": NEED_HEADS,
        "dtypes": suite.DTYPES,
    }


def script(content: Content) -> bytes:
    """`data/mine.js`: sets MATRIX."""
    profiles = {profile.name: _setting(profile.environment) for profile in content.catalog.profiles}
    told = {
        "letters": LETTERS,
        "backends": BACKEND_NAMES,
        "needs": NEEDS,
        "need_words": NEED_WORDS,
        "need_heads": NEED_HEADS,
        "dtypes": suite.DTYPES,
        "classes": CLASSES,
        "switch_on": sorted(SWITCH_ONEDNN_ON),
        "on_in": [f"x86-{name}" for flag, name in CLASSES if flag in SWITCH_ONEDNN_ON],
        "off": next((profile.name for profile in content.catalog.profiles if profile.onednn is False), None),
        "profiles": profiles,
        "releases": _releases(content),
        "approaches": [
            {"id": name, "summary": about.summary, "form": form_of(name)} for name, about in suite.APPROACHES.items()
        ],
        "runs": [_run(content, run) for run in content.support.runs],
    }
    return b"const MATRIX = " + msgspec.json.encode(told) + b";\n"


def _releases(content: Content) -> list[str]:
    """The catalog's and those that only records have, oldest first."""
    return sorted({*content.releases, *(release.version for release in content.catalog.releases)}, key=Version)


def _setting(environment: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in environment.items()) or "nothing set"


def _run(content: Content, run: RunEntry) -> dict[str, object]:
    """By approach the verdict's word and a letter for each dtype and need; neither where nothing was observed."""
    told: dict[str, object] = {
        "release": run.release,
        "backend": run.backend,
        "profile": run.profile,
        "host": run.host_class,
    }
    ways = content.ways(question_of(run))
    if not any(one.evidence for one in ways.values()):
        return told | {"why": why_unknown(run)}
    told |= {
        "words": {name: one.verdict for name, one in ways.items()},
        "answers": {name: _answers(content.judged[question_of(run), name], one) for name, one in ways.items()},
        "same": run.same_as and run.same_as.partition("+")[2],
        "onednn": run.onednn,
        "planned": all(one.evidence != "executed" for one in ways.values()),
        "doubtful": bool(run.doubtful),
    }
    return {key: value for key, value in told.items() if value}


def _answers(judgement: Judgement, verdict: Verdict) -> str:
    by_dtype: dict[str, list[Observation]] = {dtype: [] for dtype in suite.DTYPES}
    for cell, one in judgement.cells.items():
        geometry, _, dtype, layout = cell[3].split("/")
        if geometry == suite.APPROACHES[verdict.approach].base and layout == "nhwc" and dtype in by_dtype:
            by_dtype[dtype].append(one)
    return "".join(
        NEED_LETTERS[verdict.needs[need] if dtype == "f32" else _answer(seen, need)]
        for dtype, seen in by_dtype.items()
        for need in NEEDS
    )


def _answer(seen: Iterable[Observation], need: Need) -> Answer:
    """Of a dtype beyond the core: no set of cells must be there, so that what was observed is the answer."""
    if need == "fused":
        return next((INSIDE[one.fusion.epilogue] for one in seen if one.fusion and _is_usual(one)), "unknown")
    check, modes = JUDGED[need]
    outcomes = {one.outcome for one in seen if one.check == check and one.mode in modes}
    failed = bool(outcomes & set(FAILED))
    if "pass" in outcomes:
        return "some" if failed else "yes"
    return "no" if failed else "unknown"


def _is_usual(one: Observation) -> bool:
    return one.evidence == "executed" and one.mode == "graph" and f"/{REPRESENTATIVE}/" in one.case
