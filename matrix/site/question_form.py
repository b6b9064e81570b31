"""The form "What about mine?", and the data with which the page's script answers it: every need in every dtype."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from packaging.version import Version

from matrix.answers import snippets
from matrix.answers.advise import CHECKS, DIRECTIONS, MODES, Asked, Wish, answer
from matrix.base.grouping import grouped
from matrix.base.ids import SWITCHES_ITSELF, is_emulated
from matrix.catalog.approaches import APPROACHES, INTERCHANGEABLE, Approach
from matrix.judge.processors import agreement_in_words, nearest
from matrix.judge.support import RunEntry, question_of
from matrix.judge.verdicts import IS_FUSED, NEEDS, REPRESENTATIVE, Judgement, Need
from matrix.record import speed_records
from matrix.record.host import CLASSES, ISAS, SWITCH_ONEDNN_ON, VENDORS, switches_onednn_on
from matrix.record.records import Mode
from matrix.report.support_table import why_unknown
from matrix.site.content import Content
from matrix.site.front_page import NEED_LETTERS
from matrix.site.html import BACKEND_NAMES, LETTERS
from matrix.speed import nearest_layers
from matrix.suite import catalog as suite

# What can be wished for, as `advise` is asked for it.
ASKED: Mapping[Need, tuple[Wish, Sequence[Mode]]] = {
    "infer-graph": ("infer", MODES["infer"]),
    "train": ("train", MODES["train"]),
    "infer-eager": ("infer", ("eager",)),
    "infer-jit": ("infer", ("jit",)),
}
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
# The share of the least possible time that each approach reaches on the usual layer, by wish; keys: release, backend,
# host class, profile, approach.
Reached = dict[tuple[str, ...], dict[Need, float]]


def choices(content: Content) -> dict[str, object]:
    """The options that the form offers. Processors that were run stand before the other classes that there are."""
    return {
        "all_releases": _releases(content),
        "hosts": _hosts(content),
        "settings": _settings(content),
        "forms": {one.computes: FORMS.get((one.form, one.rank), one.computes) for one in _offered().values()},
        "wishes": WISHES,
        "dtypes": suite.DTYPES,
    }


def _made(content: Content) -> list[str]:
    """The host classes on which processors were run, real ones before emulated ones."""
    made = dict.fromkeys(run.host_class for run in content.support.runs if run.engine and run.backend == "cpu")
    return sorted(made, key=is_emulated)


def _hosts(content: Content) -> list[str]:
    """Those that were run stand before the other classes that there are."""
    others = (f"x86-{isa}{vendor}" for isa in ISAS for vendor in ("", *(f"-{name}" for name in VENDORS.values())))
    return list(dict.fromkeys((*_made(content), *others)))


def script(content: Content) -> bytes:
    """`data/mine.js`: sets MATRIX."""
    reached: Reached = {}
    layer = Asked(wish="infer", modes=[]).layer
    timed = [run for run in speed_records.preferred(content.timed).values() if run.peer is None]
    for place, runs in grouped(timed, lambda run: (run.release, run.backend, run.host.host_class)).items():
        for need, (wish, modes) in ASKED.items():
            found = nearest_layers.nearest(runs, layer, DIRECTIONS[wish], modes, INTERCHANGEABLE)
            for key, timing in found.timings.items() if found else ():
                reached.setdefault((*place, *key), {})[need] = 1 / timing.effort
    data = {
        "letters": LETTERS,
        "backends": BACKEND_NAMES,
        "needs": NEEDS,
        "wishes": WISHES,
        "dtypes": suite.DTYPES,
        "classes": CLASSES,
        "vendors": VENDORS,
        "nearest": {name: nearest(name, _made(content)) for name in _hosts(content)},
        "agreements": [
            {
                "pair": (one.host_class, one.other),
                "release": one.release,
                "onednn": one.onednn,
                "said": agreement_in_words(one),
            }
            for statement in content.statements.processors
            for one in statement.agreements
        ],
        "switch_on": sorted(SWITCH_ONEDNN_ON),
        "on_in": [name for name in _hosts(content) if switches_onednn_on(name)],
        "switches_from": SWITCHES_ITSELF,
        "onednn": {str(profile.onednn).lower(): profile.name for profile in content.catalog.profiles},
        "options": {profile.name: sorted(profile.options) for profile in content.catalog.profiles},
        "profiles": _settings(content),
        "releases": _releases(content),
        "code": {name: _program(name, content) for name, about in APPROACHES.items() if about.function or about.layers},
        "approaches": [
            {"id": name, "summary": about.summary, "form": about.computes, "wasteful": about.wasteful}
            for name, about in _offered().items()
        ],
        "timed": dict.fromkeys(ASKED, nearest_layers.DTYPE),
        "runs": [_run(content, run, reached) for run in content.support.runs],
    }
    return b"const MATRIX = " + msgspec.json.encode(data) + b";\n"


def _program(name: str, content: Content) -> str:
    """Return an approach's program for the core's layer, in the newest release."""
    case = suite.parse_case(f"{APPROACHES[name].base}/none/f32/nhwc")
    return snippets.program(name, case, content.catalog.releases[-1].version)


def _offered() -> dict[str, Approach]:
    """The approaches that a program can be written with, in the order of `advise`, then in that of the suite."""
    replaced = APPROACHES[INTERCHANGEABLE[0]].computes
    names = [name for name, about in APPROACHES.items() if name in INTERCHANGEABLE or about.computes != replaced]
    return {name: APPROACHES[name] for name in sorted(names, key=[*INTERCHANGEABLE, *APPROACHES].index)}


def _releases(content: Content) -> list[str]:
    """The catalog's releases and those that only records have, oldest first."""
    return sorted({*content.releases, *(release.version for release in content.catalog.releases)}, key=Version)


def _settings(content: Content) -> dict[str, str]:
    """What a person sets for each profile."""
    return {profile.name: profile.setting or "nothing set" for profile in content.catalog.profiles}


def _run(content: Content, run: RunEntry, reached: Reached) -> dict[str, object]:
    """By approach the verdict's word and its answers; neither where nothing was observed. Times are of the host class
    that is nearest among those that were timed, as `advise` takes them.
    """
    timed = {host_class for release, backend, host_class, *_ in reached if (release, backend) == question_of(run)[:2]}
    place = (run.release, run.backend, *nearest(run.host_class, timed)[:1], run.profile)
    about: dict[str, object] = {
        "release": run.release,
        "backend": run.backend,
        "profile": run.profile,
        "host": run.host_class,
    }
    question = question_of(run)
    verdicts = content.verdicts_of(question)
    if not any(one.evidence for one in verdicts.values()):
        return about | {"why": why_unknown(run)}
    observed = {
        "words": {name: one.verdict for name, one in verdicts.items()},
        "answers": {name: _answers(content.judged[question, name]) for name in verdicts},
        "same": run.same_as and run.same_as.partition("+")[2],
        "onednn": run.onednn,
        "reached": {name: reached[*place, name] for name in verdicts if (*place, name) in reached},
        "planned": all(one.evidence != "executed" for one in verdicts.values()),
        "doubtful": bool(run.doubtful),
    }
    return about | {key: value for key, value in observed.items() if value}


def _answers(judgement: Judgement) -> str:
    """A letter for each dtype and wish, over the base geometry as `advise` takes it."""
    base = APPROACHES[judgement.approach].base
    cells = [one for one in judgement.cells.values() if one.case.startswith(f"{base}/") and one.case.endswith("/nhwc")]
    letters = []
    for dtype in suite.DTYPES:
        seen = [one for one in cells if one.case.split("/")[2] == dtype]
        for wish in WISHES:
            if wish == "fused":
                usual = [one for one in seen if one.mode == "graph" and one.case.split("/")[1] == REPRESENTATIVE]
                found = next((IS_FUSED[one.fusion.epilogue] for one in usual if one.fusion), "unknown")
            else:
                about, modes = ASKED[wish]
                found = answer([one for one in seen if one.mode in modes and one.check in CHECKS[about]])
            letters.append(NEED_LETTERS[found])
    return "".join(letters)
