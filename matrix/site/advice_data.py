"""What `advise` answers, asked while the site is built: the page looks answers up, and ranks nothing itself.

A script for each release and backend, loaded when they are chosen. Processors that get the same records share a group,
and what several answers have in common is written once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product

import msgspec

from matrix.answers.advise import GROUPED, MODES, Asked, Choice, Wish, advise, candidates, considered, program
from matrix.answers.nearest_release import Nearest
from matrix.answers.processor import Processor, known
from matrix.answers.release_records import answering
from matrix.base.grouping import grouped
from matrix.judge.notes import causes
from matrix.judge.processors import nearest_timed
from matrix.judge.verdicts import JudgedRun, Need
from matrix.record import speed_records
from matrix.record.host import ISAS, VENDORS, parse_class, switches_onednn_on
from matrix.record.records import Mode
from matrix.record.speed_records import SpeedRun
from matrix.site import downloads
from matrix.site.content import Content
from matrix.suite import catalog as suite
from matrix.suite.speed import layers

# What can be wished for, as `advise` is asked for it. Who wants the epilogue fused takes what is fused in a graph.
ASKED: Mapping[Need, tuple[Wish, Sequence[Mode]]] = {
    "infer-graph": ("infer", MODES["infer"]),
    "train": ("train", MODES["train"]),
    "infer-eager": ("infer", ("eager",)),
    "infer-jit": ("infer", ("jit",)),
}
# What the approaches compute, and how it moves; the first is meant where nothing is said.
FORMS = {
    GROUPED: "a grouped convolution",
    f"{GROUPED}-d2": "a grouped convolution, dilated by 2",
    f"{GROUPED}-s2": "a grouped convolution with strides of 2",
    "grouped-1d": "a grouped convolution of sequences (1D)",
    "grouped-3d": "a grouped convolution of volumes (3D)",
    "transpose-2d": "a grouped transposed convolution",
    "transpose-1d": "a grouped transposed convolution of sequences (1D)",
    "transpose-3d": "a grouped transposed convolution of volumes (3D)",
    "depthwise-2d": "a depthwise convolution",
    "depthwise-1d": "a depthwise convolution of sequences (1D)",
    "separable-2d": "a depthwise-separable convolution",
}


@cache
def questions() -> dict[str, Asked]:
    """Return every question that the page can ask, by its name there."""
    found = {}
    for need, (wish, modes) in ASKED.items():
        for form, dtype, layout in product(FORMS, suite.DTYPES, suite.LAYOUTS):
            moves = form.removeprefix(f"{GROUPED}-") if form.startswith(f"{GROUPED}-") else ""
            found[f"{need}/{form}/{dtype}/{layout}"] = Asked(
                wish=wish, modes=list(modes), computes=GROUPED if moves else form, moves=moves, dtype=dtype,
                layout=layout,
            )  # fmt: skip
        for name, layer in layers.NAMED.items():
            found[f"{need}/{name}"] = Asked(
                wish=wish, modes=list(modes), groups=layer.groups, cin=layer.cin, cout=layer.cout,
                kernel=layer.kernel, size=layer.size, told=True,
            )  # fmt: skip
    return found


@cache
def processors() -> dict[str, Processor | None]:
    """Return the processors that there are, by host class; "" is that of a person who said nothing."""
    x86 = [f"x86-{isa}{vendor}" for isa in ISAS for vendor in ("", *(f"-{name}" for name in VENDORS.values()))]
    found = {name: Processor(host_class=name, switches_onednn_on=switches_onednn_on(name)) for name in x86}
    arm = {one.host_class: one for one in map(Processor.named, known()) if one.host_class.startswith("arm-")}
    return {"": None, **found, **arm}


def files(content: Content) -> Iterator[tuple[str, bytes]]:
    """Yield a script for each release and backend with observations: its path, and its content."""
    runs = {id(one.run): one.run for one in content.judgements}.values()
    tried = grouped(runs, lambda run: (run.header.release, run.header.backend))
    timed = grouped(
        (run for run in speed_records.preferred(content.timed).values() if run.peer is None),
        lambda run: (run.release, run.backend),
    )
    headers = [record.header for record in content.records]
    each = {(one.backend, one.host.host_class, one.run) for one in headers}
    ran = Counter[tuple[str, str]]((backend, host) for backend, host, _ in each)
    for (release, backend), judged in tried.items():
        if any(run.header.observations for run in judged):
            told = _told(content, release, judged, timed.get((release, backend), []), ran)
            yield downloads.script(f"advice/{release}-{backend}", told)


def _told(
    content: Content,
    release: str,
    judged: Sequence[JudgedRun],
    timed: Sequence[SpeedRun],
    ran: Mapping[tuple[str, str], int],
) -> dict[str, object]:
    """Return all answers for a release and backend. `ran`: how many runs a backend has on a host class.

    `machines`: the group of each host class. `hosts` of a group: by profile whose records answer; `answers`: by
    question the choices that work, that fail, that are open, and what was timed.
    """
    chosen = Nearest(asked=release, releases=(release,), fit="recorded")
    by_host = grouped(timed, lambda run: run.host.host_class)
    cause, profiles = causes(content.known), {one.name: one for one in content.catalog.profiles}
    asked = [(name, one) for name, one in questions().items() if _observed(one, judged, timed)]
    choices, answers, lines = _Numbered(), _Numbered(), _Numbered()
    programs: dict[tuple[object, ...], list[int]] = {}

    def times_for(wanted: str, _: str) -> list[SpeedRun]:
        return next((by_host[host] for host in nearest_timed(wanted, by_host)), [])

    def code(choice: Choice, one: Asked) -> list[int]:
        key = (
            choice.approach,
            choice.nothing_to_set or choice.profile,
            one.modes == ["jit"],
            one.computes,
            one.moves,
            one.layer,
        )
        if key not in programs:
            programs[key] = [lines.of(line) for line in program(choice, one, profiles).splitlines()]
        return programs[key]

    def shown(choice: Choice, written: list[int]) -> int:
        about = {
            "approach": choice.approach,
            "profile": choice.profile,
            "nothing": choice.nothing_to_set,
            "answer": choice.answer,
            "fused": choice.fused,
            "of": choice.of,
            "unseen": not choice.groups_seen,
            "cell": next(iter(choice.cells), ""),
            "why": "" if choice.answer == "yes" else choice.why,
            "times": choice.times and float(f"{choice.times:.3g}"),
            "trap": choice.trap,
            "code": written,
        }
        return choices.of({key: value for key, value in about.items() if value})

    machines: dict[str, int] = {}
    groups: dict[tuple[object, ...], int] = {}
    told: list[dict[str, object]] = []
    backend = judged[0].header.backend
    there = processors() if backend == "cpu" else {"": None}
    for host, processor in there.items():
        recorded = answering(chosen, judged, times_for, lambda host: ran[backend, host], processor)
        default = recorded.default_profile_on(processor, release, profiles)
        vendor = parse_class(host).vendor if host and any(run.unsafe for run in judged) else ""
        key = (default, vendor, *map(id, recorded.judged_runs), *map(id, recorded.timed[release]))
        machines[host] = groups.setdefault(key, len(told))
        if machines[host] < len(told):
            continue
        by_question = {}
        for name, one in asked:
            advice = advise(recorded, one, profiles, cause, processor)
            by_question[name] = answers.of(
                {
                    "best": [shown(choice, code(choice, one)) for choice in advice.best],
                    "out": [shown(choice, []) for choice in advice.out],
                    "open": [shown(choice, []) for choice in advice.open],
                    "timed": advice.timed,
                }
            )
        told.append(
            {
                "host": recorded.host_class,
                "default": default,
                "hosts": {
                    run.header.profile: run.header.host.host_class for run in considered(recorded, release, default)
                },
                "answers": by_question,
            }
        )
    return {
        "machines": machines,
        "groups": told,
        "answers": answers.all,
        "choices": choices.all,
        "lines": lines.all,
        "planned": all(run.header.planned_for for run in judged),
    }


class _Numbered:
    """Things in the order in which they first came, each once."""

    def __init__(self) -> None:
        self.all: list[object] = []
        self._numbers: dict[bytes, int] = {}

    def of(self, thing: object) -> int:
        number = self._numbers.setdefault(msgspec.json.encode(thing), len(self.all))
        if number == len(self.all):
            self.all.append(thing)
        return number


def _observed(asked: Asked, judged: Sequence[JudgedRun], timed: Sequence[SpeedRun]) -> bool:
    """Say whether a question has an answer of its own: something was observed of it, and a named layer was timed."""
    if asked.told:
        return bool(timed)
    for run, approach in product(judged, candidates(asked)):
        if asked.geometry(approach) in run.counted.get((approach, asked.dtype, asked.layout), ()):
            return True
    return False
