"""Turn the samples of a run's processes into ratios with intervals. The same samples always give the same numbers.

Times are compared within a process only: what slows the whole process (its memory layout, a busy minute) cancels in the
ratio. The ratios then differ from process to process, and how much they differ decides how wide the interval is.
"""

from __future__ import annotations

import math
import statistics
import warnings
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from matrix.catalog.approaches import APPROACHES, SPLIT
from matrix.record.speed_records import Control, Doubt, Floor, Interval, Point, PointKey, Ratio, Variant, Word, word
from matrix.speed.speed_stream import AGAIN, DENSE, FROZEN, IN_F32, PLANTED, REFERENCES, Stream, Surroundings, Timed

Values = NDArray[np.float64]

CONFIDENCE = 0.95
DRAWS = 10_000
# The part of the variance within processes that is taken off the variance between them. By simulation, the intervals of
# 3 processes hold the truth in 91% of cases when all of it is taken off, and in 93 to 98% when half of it is.
EXPLAINED = 0.5
# A number is doubtful above these: the share of the core that other processes took, how much slower the second half of
# the samples was, the interquartile range over the median.
LOAD, DRIFT, SPREAD = 0.05, 0.10, 0.10
# A sample is left out where others had more than this share of its turn, beyond what is usual for the variant.
LOST = 0.02
# A number is doubtful below these.
FEW_SAMPLES, FEW_PROCESSES = 10, 3


@dataclass(frozen=True, kw_only=True)
class Series:
    """What each process says of a variant at a point.

    `sampled` has the samples of those processes where the variant worked, in their order; NaN is one that is left out,
    since others disturbed it.
    """

    timed: Mapping[int, Timed]

    @cached_property
    def sampled(self) -> dict[int, Values]:
        found = {}
        for number, timed in self.timed.items():
            if timed.samples is not None:
                lost = np.array(timed.lost or [0.0] * len(timed.samples))
                found[number] = np.where(lost > np.median(lost) + LOST, np.nan, timed.samples)
        return found

    @property
    def name(self) -> str:
        return next(iter(self.timed.values())).variant

    @property
    def median(self) -> float:
        return statistics.median(float(np.nanmedian(samples)) for samples in self.sampled.values())


def points(processes: Sequence[Stream]) -> list[Point]:
    """Summarise each point, in the order in which the processes first name them."""
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
    """Count how A/A pairs (the same program timed twice) were called, and planted ones, where one of the two was made
    slower on purpose.
    """
    words: dict[str, Counter[Word]] = defaultdict(Counter)
    for point in points:
        for ratio in point.ratios:
            words[ratio.variant][ratio.word] += 1
    again, planted = words[AGAIN], words[PLANTED]
    return Control(
        pairs=again.total(),
        false_alarms=again["faster"] + again["slower"],
        cannot_tell=again["cannot tell"],
        planted=planted.total(),
        detected=planted["slower"],
    )


def compare(variant: Series, against: Series) -> tuple[float, Interval] | None:
    """Return the ratio of the times and its interval; None where fewer than two processes have both.

    A process's ratio is the mean over the middle half of its turns: what disturbs the machine for a while slows both
    times of a turn, and a turn in which it slowed one of them lies outside that half. The variant with fewer samples
    missed turns, evenly; each of its samples is compared with the median of the samples that the other variant has
    around it.
    """
    both = sorted(variant.sampled.keys() & against.sampled.keys())
    logs, drawn = [], []
    for number in both:
        times, others = variant.sampled[number], against.sampled[number]
        turns = min(len(times), len(others))
        ratios = np.log(_by_turn(times, turns) / _by_turn(others, turns))
        ratios = ratios[~np.isnan(ratios)]
        if not len(ratios):  # one of the two was disturbed in each turn
            continue
        found, error = middle_half(ratios)
        logs.append(found)
        # Each process has its own generator: with equal draws all processes would err alike.
        drawn.append(_generator(variant.name, against.name, number).normal(found, error, DRAWS))
    if len(logs) < 2:
        return None
    middle = float(np.mean(logs))
    beyond = (1 - CONFIDENCE) / 2
    low, high = np.quantile(_resampled(np.array(logs), np.array(drawn)), [beyond, 1 - beyond])
    interval = (rounded(math.exp(min(low, middle))), rounded(math.exp(max(high, middle))))
    return rounded(math.exp(middle)), interval


def _point(key: PointKey, variants: Mapping[str, Series], surroundings: Mapping[int, Surroundings]) -> Point:
    some = next(iter(next(iter(variants.values())).timed.values()))
    floors = {}
    for number, around in surroundings.items():
        if peak := around.peak.get(some.dtype):
            compute, memory = some.operations / peak, some.bytes / around.bandwidth
            floors[number] = Floor(seconds=max(compute, memory), bound="compute" if compute >= memory else "memory")
    by_length = sorted(floors.values(), key=lambda floor: floor.seconds)
    median = by_length[len(by_length) // 2] if by_length else None
    working = {name: series for name, series in variants.items() if series.sampled}
    # Another library's variants are no approaches; each is a program.
    own = [name for name in working if name not in REFERENCES]
    programs = [name for name in own if name not in APPROACHES or APPROACHES[name].program]
    fastest = min(programs, key=lambda name: working[name].median, default=None)
    return Point(
        **{name: getattr(key, name) for name in PointKey.__struct_fields__},
        operations=some.operations,
        bytes=some.bytes,
        floor=Floor(seconds=rounded(median.seconds), bound=median.bound) if median else None,
        fastest=fastest,
        variants=[_variant(series, floors, len(surroundings)) for series in variants.values()],
        ratios=list(_ratios(working, fastest)),
    )


def _variant(series: Series, floors: Mapping[int, Floor], processes: int) -> Variant:
    """`floors`: of the processes in which the peak of the dtype was measured."""
    repeated = {timed.of for timed in series.timed.values() if timed.of}
    of = repeated.pop() if len(repeated) == 1 else None
    if not series.sampled:
        failure = next(timed.failure for timed in series.timed.values() if timed.failure)
        return Variant(variant=series.name, failure=failure, of=of)
    taken = np.concatenate(list(series.sampled.values()))
    everything = taken[~np.isnan(taken)]
    firsts = [timed.first for timed in series.timed.values() if timed.first is not None]
    primitives = [timed.primitive for timed in series.timed.values() if timed.primitive is not None]
    memory = [timed.memory for timed in series.timed.values() if timed.memory is not None]
    low, high = np.quantile(everything, [0.25, 0.75])
    fractions = [
        floors[number].seconds / float(np.nanmedian(samples))
        for number, samples in series.sampled.items()
        if number in floors
    ]
    return Variant(
        variant=series.name,
        of=of,
        median=rounded(series.median),
        iqr=rounded(float(high - low)),
        first=rounded(statistics.median(firsts)),
        processes=len(series.sampled),
        samples=len(everything),
        left_out=len(taken) - len(everything),
        floor_fraction=rounded(statistics.median(fractions)) if fractions else None,
        primitive=rounded(statistics.median(primitives)) if primitives else None,
        # A process in which another variant left memory free sees less.
        memory=max(memory, default=None),
        doubts=list(_doubts(series, float(high - low), processes)),
    )


def _doubts(series: Series, iqr: float, processes: int) -> Iterator[Doubt]:
    load = max((timed.load for timed in series.timed.values() if timed.load is not None), default=0.0)
    if load > LOAD:
        yield Doubt(kind="load", value=rounded(load))
    drift = 0.0
    undisturbed = [samples[~np.isnan(samples)] for samples in series.sampled.values()]
    for samples in undisturbed:
        half = len(samples) // 2
        if half >= FEW_SAMPLES // 2:
            drift = max(drift, float(np.median(samples[half:]) / np.median(samples[:half])) - 1)
    if drift > DRIFT:
        yield Doubt(kind="drift", value=rounded(drift))
    count = sum(map(len, undisturbed))
    if count < FEW_SAMPLES:
        yield Doubt(kind="samples", value=count)
    if len(series.sampled) < max(FEW_PROCESSES, processes):
        yield Doubt(kind="processes", value=len(series.sampled))
    if iqr / series.median > SPREAD:
        yield Doubt(kind="spread", value=rounded(iqr / series.median))


def _ratios(working: Mapping[str, Series], fastest: str | None) -> Iterator[Ratio]:
    """Compare `again`, `planted`, `frozen` and `in-f32` with the variant that they repeat, and an approach with the
    dense convolution, with split-concat and with the fastest approach.
    """
    for name, series in working.items():
        opponents: list[str | None] = [DENSE, SPLIT, fastest]
        if name == DENSE:
            opponents = []
        elif name in {AGAIN, PLANTED, FROZEN, IN_F32}:
            repeated = {timed.of for timed in series.timed.values() if timed.samples}
            opponents = list(repeated) if len(repeated) == 1 else []
        for against in dict.fromkeys(opponents):
            if against and against in working and against != name and (compared := compare(series, working[against])):
                ratio, interval = compared
                yield Ratio(variant=name, against=against, ratio=ratio, interval=interval, word=word(interval))


def _by_turn(samples: Values, turns: int) -> Values:
    if len(samples) == turns:
        return samples
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a turn in which all was disturbed NaN is the answer
        return np.array([np.nanmedian(part) for part in np.array_split(samples, turns)])


def middle_half(values: Values) -> tuple[float, float]:
    """Return the mean of the values without the lowest and the highest quarter, and its standard error (Yuen 1974): 0
    for a single value.

    Where others disturb the machine it leaves fewer pairs of the same program open than the median does, and far fewer
    than low quantiles; docs/speed.md has the figures.
    """
    count, cut = len(values), len(values) // 4
    ordered = np.sort(values)
    winsorized = np.clip(ordered, ordered[cut], ordered[count - 1 - cut])
    left = count - 2 * cut
    spread = float(np.sum((winsorized - winsorized.mean()) ** 2))
    return float(ordered[cut : count - cut].mean()), math.sqrt(spread / (left * (left - 1))) if left > 1 else 0.0


def _resampled(logs: Values, drawn: Values) -> Values:
    """Return bootstrap means over the processes: processes are drawn with replacement, then the ratio of each.

    `logs`: the logarithm of each process's ratio; `drawn`: what that might have been, shape (processes, DRAWS). The
    `logs` hold the noise of their samples already, and drawing it again would count it twice: so the differences
    between processes are first shrunk to what the samples do not explain (Davison and Hinkley 1997, 3.8). What remains
    is known from few processes, and is widened by as much as Student's t is wider than the normal distribution.
    """
    count, middle = len(logs), np.mean(logs)
    noise = drawn - logs[:, np.newaxis]
    between, within = float(np.var(logs, ddof=1)), float(np.mean(noise**2))
    unexplained = math.sqrt(max(0.0, 1 - EXPLAINED * within / between)) if between > 0 else 0.0
    student, normal = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1), stats.norm.ppf((1 + CONFIDENCE) / 2)
    widening = math.sqrt(count / (count - 1)) * float(student / normal)
    effects = (logs - middle) * unexplained * widening
    chosen = _generator("processes", count).integers(count, size=(count, DRAWS))
    columns = np.arange(DRAWS)
    # A process that is picked twice brings different draws.
    moved = [(columns + row * (DRAWS // count)) % DRAWS for row in range(count)]
    picked = [effects[row] + noise[row, place] for row, place in zip(chosen, moved, strict=True)]
    return np.asarray(middle + np.mean(picked, axis=0))


def _generator(*parts: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32("/".join(map(str, parts)).encode()))


def rounded(value: float) -> float:
    """Round to four significant digits, the precision of the samples in the stream."""
    return float(f"{value:.4g}")
