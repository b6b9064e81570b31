"""What the script is told of the runs, to answer "what about mine?": every need, in every dtype that was observed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from packaging.version import Version

from matrix.answers import speed_ranking
from matrix.answers.advise import CHECKS, DIRECTIONS, MODES, Wish, answer
from matrix.answers.lookup import SWITCHES_ITSELF
from matrix.answers.snippets import snippet
from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE
from matrix.judge.support import RunEntry, question_of
from matrix.judge.verdicts import IS_FUSED, NEEDS, REPRESENTATIVE, Answer, Judgement, Need
from matrix.record import speed_records
from matrix.record.host import CLASSES, SWITCH_ONEDNN_ON
from matrix.record.records import Mode, Observation
from matrix.record.speed_records import SpeedRun
from matrix.report.support_table import why_unknown
from matrix.site.content import Content
from matrix.site.front_page import NEED_LETTERS
from matrix.site.html import BACKEND_NAMES, LETTERS
from matrix.suite import catalog as suite

# What can be wished for, as `advise` is asked it.
ASKED: Mapping[Need, tuple[Wish, Sequence[Mode]]] = {
    "infer-graph": ("infer", MODES["infer"]),
    "train": ("train", MODES["train"]),
    "infer-eager": ("infer", ("eager",)),
    "infer-jit": ("infer", ("jit",)),
}
Reached = dict[tuple[str, ...], dict[Need, float]]
WISHES: Mapping[Need, str] = {
    "infer-graph": "infers in a graph",
    "train": "trains",
    "infer-eager": "infers eagerly",
    "infer-jit": "infers under XLA",
    "fused": "has bias and ReLU inside its kernel",
}
FORMS = {
    ("grouped", 2): "a grouped convolution",
    ("grouped", 1): "a grouped convolution of sequences (1D)",
    ("grouped", 3): "a grouped convolution of volumes (3D)",
    ("transpose", 2): "a grouped transposed convolution",
    ("depthwise", 2): "a depthwise convolution",
    ("separable", 2): "a depthwise-separable convolution",
}


def forms() -> dict[str, str]:
    """In the suite's order, in words where there are any."""
    return {
        APPROACHES[name].computes: FORMS.get((about.form, about.rank), APPROACHES[name].computes)
        for name, about in _offered()
    }


def choices(content: Content) -> dict[str, object]:
    """What the form offers. Processors are those that were run, and the other classes that there are."""
    made = [run.host_class for run in content.support.runs if run.engine and run.backend == "cpu"]
    return {
        "all_releases": _releases(content),
        "hosts": list(dict.fromkeys((*made, *(f"x86-{name}" for _, name in CLASSES), "x86-base"))),
        "settings": _settings(content),
        "forms": forms(),
        "wishes": WISHES,
        "dtypes": suite.DTYPES,
    }


def _offered() -> list[tuple[str, Any]]:
    """The approaches that a program can be written with, in the order of `advise`, then in that of the suite."""
    names = [
        name
        for name in APPROACHES
        if name in INTERCHANGEABLE or APPROACHES[name].computes != APPROACHES[INTERCHANGEABLE[0]].computes
    ]
    return [(name, APPROACHES[name]) for name in sorted(names, key=[*INTERCHANGEABLE, *APPROACHES].index)]


def script(content: Content) -> bytes:
    """`data/mine.js`: sets MATRIX."""
    profiles = _settings(content)
    reached = _reached(content)
    told = {
        "letters": LETTERS,
        "backends": BACKEND_NAMES,
        "needs": NEEDS,
        "wishes": WISHES,
        "dtypes": suite.DTYPES,
        "classes": CLASSES,
        "switch_on": sorted(SWITCH_ONEDNN_ON),
        "on_in": [f"x86-{name}" for flag, name in CLASSES if flag in SWITCH_ONEDNN_ON],
        "switches_from": SWITCHES_ITSELF,
        "onednn": {str(profile.onednn).lower(): profile.name for profile in content.catalog.profiles},
        "profiles": profiles,
        "releases": _releases(content),
        "code": {name: snippet(name) for name, about in APPROACHES.items() if about.function or about.layers},
        "approaches": [
            {"id": name, "summary": about.summary, "form": APPROACHES[name].computes, "wasteful": about.wasteful}
            for name, about in _offered()
        ],
        "timed": dict.fromkeys(ASKED, speed_ranking.DTYPE),
        "runs": [_run(content, run, reached) for run in content.support.runs],
    }
    return b"const MATRIX = " + msgspec.json.encode(told) + b";\n"


def _releases(content: Content) -> list[str]:
    """The catalog's and those that only records have, oldest first."""
    return sorted({*content.releases, *(release.version for release in content.catalog.releases)}, key=Version)


def _settings(content: Content) -> dict[str, str]:
    """What a person sets for each profile."""
    return {profile.name: profile.setting or "nothing set" for profile in content.catalog.profiles}


def _reached(content: Content) -> Reached:
    """By release, backend, host class, profile and approach: its speed for each wish that is timed, by `advise`."""
    places: dict[tuple[str, str, str], list[SpeedRun]] = defaultdict(list)
    for one in speed_records.preferred(content.timed).values():
        if one.peer is None:
            places[one.release, one.backend, one.host.host_class].append(one)
    found: Reached = defaultdict(dict)
    for place, runs in places.items():
        for need, (wish, modes) in ASKED.items():
            for key, score in speed_ranking.scores(runs, DIRECTIONS[wish], INTERCHANGEABLE, modes).items():
                found[*place, *key][need] = score
    return found


def _run(content: Content, run: RunEntry, reached: Reached) -> dict[str, object]:
    """By approach the verdict's word and a letter for each dtype and need; neither where nothing was observed."""
    place = (run.release, run.backend, run.host_class, run.profile)
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
        "answers": {name: _answers(content.judged[question_of(run), name]) for name in ways},
        "same": run.same_as and run.same_as.partition("+")[2],
        "onednn": run.onednn,
        "reached": {name: reached[*place, name] for name in ways if (*place, name) in reached},
        "planned": all(one.evidence != "executed" for one in ways.values()),
        "doubtful": bool(run.doubtful),
    }
    return {key: value for key, value in told.items() if value}


def _answers(judgement: Judgement) -> str:
    """A letter for each dtype and wish, over the base geometry as `advise` takes it."""
    by_dtype: dict[str, list[Observation]] = {dtype: [] for dtype in suite.DTYPES}
    base = APPROACHES[judgement.approach].base
    for one in judgement.cells.values():
        geometry, _, dtype, layout = one.case.split("/")
        if geometry == base and layout == "nhwc" and dtype in by_dtype:
            by_dtype[dtype].append(one)
    return "".join(NEED_LETTERS[_answer(seen, wish)] for seen in by_dtype.values() for wish in WISHES)


def _answer(seen: Sequence[Observation], wish: Need) -> Answer:
    if wish == "fused":
        usual = (one for one in seen if one.mode == "graph" and one.case.split("/")[1] == REPRESENTATIVE)
        return next((IS_FUSED[one.fusion.epilogue] for one in usual if one.fusion), "unknown")
    about, modes = ASKED[wish]
    return answer([one for one in seen if one.mode in modes and one.check in CHECKS[about]])
