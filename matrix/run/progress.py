"""What a person sees while runs are made: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TimeElapsedColumn
from rich.text import Text

from matrix.base.grouping import grouped
from matrix.base.text import plain, visible
from matrix.record.records import Observation, Record

# A line comes after this many seconds of silence, whatever happens: somebody reads a log and wonders.
SILENT_FOR = 60.0
# What part of the expected time must pass before how it goes counts as much as what was expected; and at least so many
# seconds, for an import of TensorFlow shows no progress.
LEARNT_IN, IMPORT = 0.1, 30.0
# Seconds that a second interrupt takes at most.
STOPPED_WITHIN = 10


@dataclass
class _UnderWay:
    """Something that takes time: `cells` of a run, of which `done` are observed; 0 where nobody can count."""

    what: str
    since: float
    cells: int = 0
    done: int = 0

    def told(self, now: float) -> str:
        counted = f" {self.done} of {self.cells} cells," if self.cells else ""
        return f"{self.what},{counted} since {now - self.since:.0f} s"

    def left(self, now: float) -> float | None:
        """Return the seconds that it will still take if it goes on as it did."""
        return (now - self.since) * (self.cells - self.done) / self.done if self.done else None


class Plain:
    """Prints a line for each event, with the seconds since the start. Is called from several threads.

    `expected`: the seconds of the sweep that each run is expected to take, by its id.
    """

    def __init__(self, console: Console, expected: Mapping[str, float]) -> None:
        self._console = console
        self._expected, self._left = sum(expected.values()), dict(expected)
        self._runs = len(expected)
        self._start = self._printed = time.monotonic()
        self._under_way: dict[str, _UnderWay] = {}

    def building(self, what: str) -> None:
        self._line(what)
        self._under_way[""] = _UnderWay(what, time.monotonic())

    def built(self) -> None:
        self._under_way.pop("", None)

    def waiting(self, run: str, why: str) -> None:
        """Tell what the run waits for, until `waited`."""
        self._line(f"{run} waits: {why}")
        self._under_way[f"waiting {run}"] = _UnderWay(f"{run} waits: {why}", time.monotonic())

    def waited(self, run: str) -> None:
        self._under_way.pop(f"waiting {run}", None)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Tell of it only where nothing else is told for long."""
        self._under_way[what] = _UnderWay(what, time.monotonic())
        try:
            yield
        finally:
            self._under_way.pop(what, None)

    def started(self, run: str, cells: int) -> None:
        self._line(f"observing {run}: {cells} cells")
        self._under_way[run] = _UnderWay(f"observing {run}", time.monotonic(), cells)

    def timing(self, run: str, processes: int, rows: int) -> None:
        self._line(f"timing {run}: {processes} processes, each of up to {rows} variants at all points")
        self._under_way[run] = _UnderWay(f"timing {run}", time.monotonic())

    def process_ended(self, run: str, number: int, seconds: float) -> None:
        """Tell the end of a process. A run is timed in several processes, and in a deep run each takes long."""
        self._line(f"{run}: process {number} took {seconds:g} s")

    def observed(self, run: str) -> None:
        self._under_way[run].done += 1

    def finished(self, record: Record) -> None:
        self._has_ended(record.header.run, in_words(record))

    def ended(self, run: str, how: str) -> None:
        self._has_ended(run, f"{run}: {how}")

    def stands(self) -> str:
        """`3 of 25 runs done, about 40 min left`: first by what was expected, then more and more by how it goes here.
        Nothing is said where nothing is left.
        """
        if not self._left:
            return ""
        seen = {run: one.done / one.cells for run, one in list(self._under_way.items()) if one.cells}
        left = sum(seconds * (1 - seen.get(run, 0.0)) for run, seconds in list(self._left.items()))
        passed = time.monotonic() - self._start
        trust = max(IMPORT, LEARNT_IN * self._expected)
        minutes = left / 60 * (trust + passed) / (trust + self._expected - left)
        how_long = f"about {round(minutes)} min" if minutes > 1 else "a minute or less"
        return f"{self._runs - len(self._left)} of {self._runs} runs done, {how_long} left"

    def interrupted(self, under_way: int) -> None:
        now = time.monotonic()
        left = [one.left(now) for one in self._under_way.values()]
        known = [seconds for seconds in left if seconds is not None]
        how_long = "nobody knows how long that takes"
        if known:
            least = "" if None not in left else "at least "
            how_long = f"that takes {least}about {max(1, round(max(known) / 60))} min"
        self._line(
            f"interrupted: {under_way} under way will end, and be recorded; {how_long}; "
            f"once more stops them at once, in {STOPPED_WITHIN} s at most"
        )

    def stopped(self) -> None:
        self._line("stopped: what did not end in time is left behind; the same command goes on")

    def beat(self) -> None:
        """Tell what is under way where nothing was told for SILENT_FOR."""
        now = time.monotonic()
        if now - self._printed >= SILENT_FOR and self._under_way:
            under_way = "; ".join(one.told(now) for one in list(self._under_way.values()))
            self._line(": ".join(filter(None, (self.stands(), under_way))))

    def _has_ended(self, run: str, told: str) -> None:
        self._left.pop(run, None)
        self._under_way.pop(run, None)
        self._line("; ".join(filter(None, (told, self.stands()))))

    def _line(self, text: str) -> None:
        self._printed = time.monotonic()
        line = f"[{self._printed - self._start:6.1f} s] {visible(text)}"
        self._console.print(line, markup=False, highlight=False)


class Bars(Plain):
    """Prints the same lines, and below them a bar for all runs and a bar for each run that is under way."""

    def __init__(self, console: Console, bars: Progress, expected: Mapping[str, float]) -> None:
        super().__init__(console, expected)
        self._bars = bars
        self._all = bars.add_task("", total=len(expected), told=self.stands)
        self._tasks: dict[str, TaskID] = {}

    def started(self, run: str, cells: int) -> None:
        self._tasks[run] = self._bars.add_task(run, total=cells)
        self._under_way[run] = _UnderWay(f"observing {run}", time.monotonic(), cells)

    def timing(self, run: str, processes: int, rows: int) -> None:
        self.started(run, processes * rows)

    def process_ended(self, run: str, number: int, seconds: float) -> None:
        pass  # the bar shows it

    def observed(self, run: str) -> None:
        super().observed(run)
        self._bars.advance(self._tasks[run])

    def beat(self) -> None:
        pass  # the bars show it

    def _has_ended(self, run: str, told: str) -> None:
        super()._has_ended(run, told)
        self._bars.update(self._all, completed=self._runs - len(self._left))
        if (task := self._tasks.pop(run, None)) is not None:
            self._bars.remove_task(task)


class _Told(ProgressColumn):
    """What a task is: the whole sweep tells how it stands, anew each time."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["told"]() if "told" in task.fields else task.description)


@contextmanager
def showing(console: Console, expected: Mapping[str, float]) -> Iterator[Plain]:
    """Show the progress of runs, of which each is expected to take some seconds of the whole."""
    if not console.is_terminal:
        progress, ended = Plain(console, expected), threading.Event()

        def beat() -> None:
            while not ended.wait(SILENT_FOR / 4):
                progress.beat()

        beating = threading.Thread(target=beat, daemon=True)
        beating.start()
        try:
            yield progress
        finally:
            ended.set()
            beating.join()
        return
    columns = (_Told(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        yield Bars(console, bars, expected)


def in_words(record: Record) -> str:
    """`tf2.8.4-py310-cpu+onednn-off: complete in 41.2 s: 700 pass, 96 error`"""
    header = record.header
    if header.same_as:
        return f"{header.run}: the same as {header.same_as} on this host class"
    status = header.status + (f" in {header.seconds:g} s" if header.seconds else "")
    parts = (header.run, status, _counts(record.observations), plain(header.reason or ""))
    return ": ".join(part for part in parts if part)


def by_question(record: Record) -> Iterator[str]:
    """`nn-conv2d graph forward: 2 pass, 6 error (Fused conv implementation does not support grouped convolutions)`"""
    questions = grouped(record.observations, lambda one: (one.approach, one.mode, one.check))
    for question, answers in questions.items():
        reasons = (answer.error.message if answer.error else answer.reason for answer in answers)
        why = next(filter(None, reasons), None)
        yield f"{' '.join(question)}: {_counts(answers)}" + (f" ({plain(why)})" if why else "")


def _counts(observations: Iterable[Observation]) -> str:
    """`700 pass, 96 error`"""
    counts = Counter(observation.outcome for observation in observations)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
