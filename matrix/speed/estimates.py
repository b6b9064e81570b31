"""From the samples of a run's processes to numbers that can be believed: pure, and the same for the same samples.

Times are compared within a process and nowhere else: whatever a process does to all (its memory, its minute) falls out
of the ratio. Processes then differ, and how much they do decides how wide the interval is.
"""

from __future__ import annotations

import math
import statistics
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from matrix.catalog.approaches import APPROACHES, SPLIT
from matrix.record.speed_records import Control, Doubt, Floor, Interval, Point, PointKey, Ratio, Variant, Word, word
from matrix.speed.speed_stream import Stream, Surroundings, Timed

Values = NDArray[np.float64]

CONFIDENCE = 0.95
DRAWS = 10_000
# By simulation: with all of it the intervals of 3 processes hold the truth in 91%, with half in 93 to 98%.
EXPLAINED = 0.5
# More than this makes a number doubtful: the share of the core that others had, how much slower the second half of the
# samples was, the interquartile range over the median; or fewer than this: samples, processes.
LOAD, DRIFT, SPREAD = 0.05, 0.10, 0.10
FEW_SAMPLES, FEW_PROCESSES = 10, 3

# The words of the stream for what is no way of writing it: see tests/suite/speed/layers.py.
DENSE, AGAIN, PLANTED = "dense", "again", "planted"
REFERENCES = (DENSE, AGAIN, PLANTED)


@dataclass(frozen=True, kw_only=True)
class Series:
    """The samples of a variant at a point, by process; `failure` is the first process's that has one."""

    timed: Mapping[int, Timed]

    @cached_property
    def sampled(self) -> dict[int, Values]:
        return {number: np.array(one.samples) for number, one in self.timed.items() if one.samples is not None}

    @property
    def name(self) -> str:
        return next(iter(self.timed.values())).variant

    @property
    def median(self) -> float:
        return statistics.median(float(np.median(samples)) for samples in self.sampled.values())


def points(processes: Sequence[Stream]) -> list[Point]:
    """What each point comes to, in the order of the first process."""
    surroundings = {number: process.surroundings for number, process in enumerate(processes) if process.surroundings}
    found: dict[PointKey, dict[str, dict[int, Timed]]] = defaultdict(lambda: defaultdict(dict))
    for number, process in enumerate(processes):
        for timed in process.timed.values():
            found[timed.point][timed.variant][number] = timed
    return [
        _point(key, {name: Series(timed=timed) for name, timed in sorted(variants.items())}, surroundings)
        for key, variants in found.items()
    ]


def control(points: Iterable[Point]) -> Control:
    words: dict[str, list[Word]] = {AGAIN: [], PLANTED: []}
    for point in points:
        for ratio in point.ratios:
            if ratio.variant in words:
                words[ratio.variant].append(ratio.word)
    return Control(
        pairs=len(words[AGAIN]),
        false_alarms=sum(word in {"faster", "slower"} for word in words[AGAIN]),
        cannot_tell=words[AGAIN].count("cannot tell"),
        planted=len(words[PLANTED]),
        detected=words[PLANTED].count("slower"),
    )


def compare(variant: Series, against: Series) -> tuple[float, Interval] | None:
    """The ratio of the times and its interval; None where fewer than two processes have both.

    A process's ratio is the median over its turns: what disturbs the machine for a while is in both times of a turn.
    The bootstrap draws processes, then samples within each. That processes differ by more than their samples explain is
    known from few of them: that part is widened as Student's t is beside the normal distribution.
    """
    both = sorted(variant.sampled.keys() & against.sampled.keys())
    if len(both) < 2:
        return None
    turns = [np.log(_in_turn(variant.sampled[number], against.sampled[number])) for number in both]
    seen = np.array([np.median(ratios) for ratios in turns])
    names = [(variant.name, against.name, number) for number in both]
    drawn = np.array([_drawn(ratios, _generator(*name)) for ratios, name in zip(turns, names, strict=True)])
    middle = float(np.mean(seen))
    beyond = (1 - CONFIDENCE) / 2
    low, high = np.quantile(_resampled(seen, drawn), [beyond, 1 - beyond])
    interval = (_rounded(math.exp(min(low, middle))), _rounded(math.exp(max(high, middle))))
    return _rounded(math.exp(middle)), interval


def _point(key: PointKey, variants: Mapping[str, Series], surroundings: Mapping[int, Surroundings]) -> Point:
    some = next(iter(next(iter(variants.values())).timed.values()))
    floors = {number: floor for number, around in surroundings.items() if (floor := _floor(some, around)) is not None}
    working = {name: series for name, series in variants.items() if series.sampled}
    ways = [name for name in working if name not in REFERENCES and APPROACHES[name].program]
    fastest = min(ways, key=lambda name: working[name].median, default=None)
    return Point(
        **{name: getattr(key, name) for name in PointKey.__struct_fields__},
        operations=some.operations,
        bytes=some.bytes,
        floor=_middle(list(floors.values())),
        fastest=fastest,
        variants=[_variant(series, floors, len(surroundings)) for series in variants.values()],
        ratios=list(_ratios(working, fastest)),
    )


def _floor(timed: Timed, around: Surroundings) -> Floor | None:
    """In one process; None where the peak of the dtype was not measured."""
    if timed.dtype not in around.peak:
        return None
    compute, memory = timed.operations / around.peak[timed.dtype], timed.bytes / around.bandwidth
    return Floor(seconds=max(compute, memory), bound="compute" if compute >= memory else "memory")


def _middle(floors: Sequence[Floor]) -> Floor | None:
    """The median process's."""
    ordered = sorted(floors, key=lambda floor: floor.seconds)
    if not ordered:
        return None
    middle = ordered[len(ordered) // 2]
    return Floor(seconds=_rounded(middle.seconds), bound=middle.bound)


def _variant(series: Series, floors: Mapping[int, Floor], processes: int) -> Variant:
    controls = {one.of for one in series.timed.values() if one.of}
    of = controls.pop() if len(controls) == 1 else None
    if not series.sampled:
        failure = next(one.failure for one in series.timed.values() if one.failure)
        return Variant(variant=series.name, failure=failure, of=of)
    everything = np.concatenate(list(series.sampled.values()))
    firsts = [one.first for one in series.timed.values() if one.first is not None]
    primitives = [one.primitive for one in series.timed.values() if one.primitive is not None]
    low, high = np.quantile(everything, [0.25, 0.75])
    fractions = [
        floors[number].seconds / float(np.median(samples))
        for number, samples in series.sampled.items()
        if number in floors
    ]
    return Variant(
        variant=series.name,
        of=of,
        median=_rounded(series.median),
        iqr=_rounded(float(high - low)),
        first=_rounded(statistics.median(firsts)),
        processes=len(series.sampled),
        samples=len(everything),
        floor_fraction=_rounded(statistics.median(fractions)) if fractions else None,
        primitive=_rounded(statistics.median(primitives)) if primitives else None,
        doubts=list(_doubts(series, float(high - low), processes)),
    )


def _doubts(series: Series, iqr: float, processes: int) -> Iterator[Doubt]:
    loads = [one.load for one in series.timed.values() if one.load is not None]
    if loads and max(loads) > LOAD:
        yield Doubt(kind="load", value=_rounded(max(loads)))
    drift = max(map(_drift, series.sampled.values()))
    if drift > DRIFT:
        yield Doubt(kind="drift", value=_rounded(drift))
    samples = sum(map(len, series.sampled.values()))
    if samples < FEW_SAMPLES:
        yield Doubt(kind="samples", value=samples)
    if len(series.sampled) < max(FEW_PROCESSES, processes):
        yield Doubt(kind="processes", value=len(series.sampled))
    if iqr / series.median > SPREAD:
        yield Doubt(kind="spread", value=_rounded(iqr / series.median))


def _drift(samples: Values) -> float:
    """By how much the second half of a process's samples was slower: a core that is throttled."""
    half = len(samples) // 2
    if half < FEW_SAMPLES // 2:
        return 0.0
    return float(np.median(samples[half:]) / np.median(samples[:half])) - 1


def _ratios(working: Mapping[str, Series], fastest: str | None) -> Iterator[Ratio]:
    for name, series in working.items():
        for against in _opponents(name, series, working, fastest):
            if compared := compare(series, working[against]):
                ratio, interval = compared
                yield Ratio(variant=name, against=against, ratio=ratio, interval=interval, word=word(interval))


def _opponents(name: str, series: Series, working: Mapping[str, Series], fastest: str | None) -> list[str]:
    """A control is compared with what it repeats; a way with the references, and with the fastest way."""
    if name in {AGAIN, PLANTED}:
        return [base] if (base := _base(series, working)) else []
    if name == DENSE:
        return []
    return [other for other in dict.fromkeys((DENSE, SPLIT, fastest)) if other in working and other != name and other]


def _base(series: Series, working: Mapping[str, Series]) -> str | None:
    """What it says itself that it repeats, in every process the same."""
    told = {one.of for one in series.timed.values() if one.samples}
    only = told.pop() if len(told) == 1 else None
    return only if only in working else None


def _in_turn(times: Values, others: Values) -> Values:
    """The ratios of the times of each turn. Who has fewer samples missed turns, evenly: each of his stands beside the
    median of those that the other has around it.
    """
    turns = min(len(times), len(others))
    return _by_turn(times, turns) / _by_turn(others, turns)


def _by_turn(samples: Values, turns: int) -> Values:
    if len(samples) == turns:
        return samples
    return np.array([np.median(part) for part in np.array_split(samples, turns)])


def _drawn(samples: Values, random: np.random.Generator) -> Values:
    """Medians of bootstrap samples, drawn from their exact distribution: with U the k-th smallest of n uniform numbers,
    the k-th smallest of n draws is the sample at place floor(U n), and U is Beta(k, n + 1 - k).
    """
    ordered, size = np.sort(samples), len(samples)
    low = (size + 1) // 2
    first = random.beta(low, size + 1 - low, DRAWS)
    if size % 2:
        return ordered[_places(first, size)]
    second = first + (1 - first) * random.beta(1, size - low, DRAWS)
    return (ordered[_places(first, size)] + ordered[_places(second, size)]) / 2


def _places(uniform: Values, size: int) -> NDArray[np.intp]:
    return np.minimum((uniform * size).astype(np.intp), size - 1)


def _resampled(seen: Values, drawn: Values) -> Values:
    """Means over as many processes as there are, drawn with replacement; each brings medians of its own draws.

    What is seen of processes holds the noise of their samples already. Drawing those again would count it twice, so
    that the processes' part is first shrunk towards what the samples do not explain (Davison and Hinkley 1997, 3.8).
    """
    count, middle = len(seen), np.mean(seen)
    noise = drawn - seen[:, np.newaxis]
    between, within = float(np.var(seen, ddof=1)), float(np.mean(noise**2))
    unexplained = math.sqrt(max(0.0, 1 - EXPLAINED * within / between)) if between > 0 else 0.0
    effects = (seen - middle) * unexplained * _widening(count)
    chosen = _generator("processes", count).integers(count, size=(count, DRAWS))
    columns = np.arange(DRAWS)
    moved = [(columns + row * (DRAWS // count)) % DRAWS for row in range(count)]
    picked = [effects[row] + noise[row, place] for row, place in zip(chosen, moved, strict=True)]
    return np.asarray(middle + np.mean(picked, axis=0))


def _widening(processes: int) -> float:
    """Of Student's interval beside that of a bootstrap, which takes the deviation of few for that of all."""
    student, normal = stats.t.ppf((1 + CONFIDENCE) / 2, processes - 1), stats.norm.ppf((1 + CONFIDENCE) / 2)
    return math.sqrt(processes / (processes - 1)) * float(student / normal)


def _generator(*parts: object) -> np.random.Generator:
    """Of its own for each process: with equal draws all of them would err alike."""
    return np.random.default_rng(zlib.crc32("/".join(map(str, parts)).encode()))


def _rounded(value: float) -> float:
    """To four significant digits, as the samples are told."""
    return float(f"{value:.4g}")
