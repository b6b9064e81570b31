"""The README's answer for a stranger: what to write on a release and processor, what to set, and which trap is near.

Each row stands for neighbouring releases in which the same can be written and the same fails. It is concluded from the
short tables and the times; what is not observed says nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from packaging.version import Version

from matrix.base.grouping import grouped
from matrix.base.ids import SWITCHES_ITSELF, parse_run
from matrix.catalog.releases import Catalog
from matrix.judge.landmarks import COMPARED
from matrix.judge.verdicts import Need
from matrix.report.support_table import Short
from matrix.speed.comparisons import Place, traps

MOST_ROWS = 10
PROGRAMS = {
    "nn-conv2d": "`tf.nn.conv2d` with a grouped filter",
    "keras-groups": "Keras `Conv2D(groups=...)`",
    "split-concat": "`tf.split`, a convolution for each group, `tf.concat`",
}
# What must work where something is to be written, and how its failing is told.
WANTED: dict[Need, str] = {"infer-graph": "in a `tf.function`", "train": "in training"}
# The processors on which oneDNN is on or off from 2.9 on, by TensorFlow's own rule.
PROCESSORS = {"on": "x86 with AVX512_VNNI, AVX_VNNI or AMX", "off": "any other x86"}


@dataclass(frozen=True, kw_only=True)
class Advised:
    """A row, in Markdown. `releases`: `2.9 and later`; `record`: that of the newest; `program`: what to write."""

    releases: str
    record: str
    processor: str
    program: str
    setting: str
    traps: tuple[str, ...]
    measured_on: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the compared approaches do in a release, with oneDNN on or off. `refused_on`: by approach, the host classes
    on which it fails all the same.
    """

    version: Version
    onednn: str
    record: str
    answers: dict[str, dict[Need, str]]
    refused_on: dict[str, set[str]] = field(default_factory=dict)

    @property
    def switches_itself(self) -> bool:
        return self.version.release[:2] >= SWITCHES_ITSELF

    @property
    def is_plain(self) -> bool:
        """Nothing is set: a variable that brings nothing is not worth setting."""
        return self.onednn != "on" or self.switches_itself

    def meets(self, need: Need) -> tuple[str, ...]:
        return tuple(name for name in COMPARED if self.answers.get(name, {}).get(need) == "yes")

    @property
    def works(self) -> tuple[str, ...]:
        """Those in which bias and ReLU are in the kernel, where there are any."""
        sound = [name for name in self.meets("infer-graph") if name in self.meets("train")]
        return tuple(name for name in sound if name in self.meets("fused")) or tuple(sound)

    @property
    def fails(self) -> tuple[str, ...]:
        return tuple(name for name in COMPARED if any(self.failed(name, need) for need in WANTED))

    def failed(self, approach: str, need: Need) -> bool:
        return _is_failure(self.answers.get(approach, {}).get(need, "unknown"))


def _is_failure(answer: str) -> bool:
    return answer not in {"yes", "unknown", "not there"}


def advise(shorts: Iterable[Short], places: Sequence[Place], catalog: Catalog) -> list[Advised]:
    """Return at most ten rows of each backend's best known host class: CPUs first, and the newest release first."""
    rows = []
    for short in shorts:
        slow = _slow(places, short.backend)
        seen = _seen(short)
        newest = max((one.version for one in seen), default=None)
        spans = [
            span
            for of_state in grouped(seen, lambda one: one.onednn).values()
            for span in _spans(of_state)
            if span[-1].meets("infer-graph") and (span[-1].is_plain or span[-1].meets("fused"))
        ]
        spans.sort(key=lambda span: (span[-1].version, span[-1].onednn), reverse=True)
        rows += [_advised(span, short, slow, catalog, is_newest=span[-1].version == newest) for span in spans]
    return rows[:MOST_ROWS]


def _seen(short: Short) -> list[_Seen]:
    """In the order of the releases."""
    found: dict[tuple[str, str], _Seen] = {}
    for row in short.rows:
        for one in (one for span in row.spans for one in span):
            key = (one.release, row.onednn)
            empty = _Seen(version=Version(one.release), onednn=row.onednn, record=one.record, answers={})
            found.setdefault(key, empty).answers[row.approach] = row.answers
    for row in short.rows:
        for under in row.otherwise:
            if any(_is_failure(under.answers[need]) for need in WANTED):
                for one in (one for span in under.spans for one in span):
                    found[one.release, row.onednn].refused_on.setdefault(row.approach, set()).update(under.host_classes)
    return sorted(found.values(), key=lambda one: one.version)


def _spans(seen: Iterable[_Seen]) -> Iterator[list[_Seen]]:
    """Divide the releases, which are in order, where what can be written changes, or what fails."""
    span: list[_Seen] = []
    for one in seen:
        if span and _alike(one) != _alike(span[-1]):
            yield span
            span = []
        span.append(one)
    if span:
        yield span


def _alike(one: _Seen) -> tuple[object, ...]:
    in_kernel = bool(set(one.works) & set(one.meets("fused")))
    return (one.works, in_kernel, one.fails, one.switches_itself, [one.refused_on.get(name) for name in one.works])


def _slow(places: Iterable[Place], backend: str) -> dict[tuple[str, str], dict[str, float]]:
    """By release and oneDNN: approaches that train many times slower than split-concat, and at most how many times, on
    any host class of the backend.
    """
    found: dict[tuple[str, str], dict[str, float]] = {}
    for run in (run for place in places for run in place.runs if parse_run(run.run).target.backend == backend):
        at = found.setdefault((run.release, "on" if run.onednn else "off"), {})
        for trap in traps(run):
            if trap.direction == "train" and {"graph", "keras"} & set(trap.modes):
                at[trap.approach] = max(trap.most, at.get(trap.approach, 0))
    return found


def _advised(
    span: Sequence[_Seen], short: Short, slow: dict[tuple[str, str], dict[str, float]], catalog: Catalog, *,
    is_newest: bool,
) -> Advised:  # fmt: skip
    first, last = span[0], span[-1]
    slowly: dict[str, float] = {}
    for one in span:
        for name, times in slow.get((str(one.version), one.onednn), {}).items():
            slowly[name] = max(times, slowly.get(name, 0))

    def where(approach: str) -> str:
        return " and ".join(words for need, words in WANTED.items() if all(one.failed(approach, need) for one in span))

    told = [
        f"{_listed(names, 'and')} {'fail' if len(names) > 1 else 'fails'} {places or 'in part'}"
        for places, names in grouped(last.fails, where).items()
    ]
    told += [
        f"{PROGRAMS.get(name, name)} trains up to {times:.0f} times slower"
        for name, times in slowly.items()
        if name in COMPARED and name not in last.fails
    ]
    works = last.works or last.meets("infer-graph")
    told += [
        f"{PROGRAMS.get(name, name)} fails on {', '.join(sorted(last.refused_on[name]))}"
        for name in works
        if name in last.refused_on
    ]
    in_kernel = set(works) & set(last.meets("fused"))
    setting = next((profile.setting for profile in catalog.profiles if profile.onednn), "")
    begin, end = (".".join(map(str, one.version.release[:2])) for one in (first, last))
    processor = PROCESSORS.get(last.onednn, "any") if last.switches_itself else "any"
    return Advised(
        releases=f"{begin} and later" if is_newest else begin if begin == end else f"{begin} to {end}",
        record=last.record,
        processor=", ".join(short.cpus) if short.backend != "cpu" else processor,
        program=_listed([name for name in works if name not in slowly] or works, "or")
        + (", one kernel with bias and ReLU" if in_kernel else "")
        + ("" if last.works else ", to infer only"),
        setting=f"`{setting}`" if short.backend == "cpu" and not last.is_plain else "nothing",
        traps=tuple(told),
        measured_on=(f"{', '.join(short.host_classes)} ({', '.join(short.cpus)})",),
    )


def _listed(approaches: Iterable[str], last: str) -> str:
    return f" {last} ".join(PROGRAMS.get(name, name) for name in approaches)
