"""Between which two releases a cell changed: first by the records, then by trying builds in between, as few as needed.

The search knows nothing of TensorFlow: `search` halves a list by a question. What is tried is resolved, installed and
kept in the cache (`.matrix/bisect`), never in data/ and never as a record.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import Version

from matrix.answers import lookup
from matrix.base import paths
from matrix.base.errors import BadData, BadUsage, MachineError
from matrix.base.files import write_whole
from matrix.base.ids import Run
from matrix.catalog.known_errors import spoken
from matrix.catalog.releases import Profile, Release
from matrix.judge.verdicts import FAILED
from matrix.plan.planned_run import Planned
from matrix.provision import interpreters
from matrix.provision.engines.protocol import Environment, Say
from matrix.record.records import CellId, Observation
from matrix.run.runner import Job, observe
from matrix.update import package_index, refresh, resolve

CACHE = paths.WORK / "bisect"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a release does in the cell; `source`: the run that shows it, or that it was tried here."""

    release: str
    outcome: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """The narrowest pair of releases between which the cell changes. `flips`: more than one change lies between."""

    good: Seen
    bad: Seen
    tried: tuple[Seen, ...] = ()
    skipped: tuple[str, ...] = ()
    flips: bool = False


@dataclass(frozen=True, kw_only=True)
class Question:
    """One cell, under one profile."""

    cell: CellId
    profile: Profile

    def of(self, observation: Observation) -> str:
        """What is compared: the outcome, the error's text, and for fusion where the epilogue ran."""
        if observation.outcome in FAILED:
            return spoken(observation)
        return observation.fusion.epilogue if observation.fusion else observation.outcome


def by_records(question: Question, good: str, bad: str, reports: Path) -> Found:
    """Without any run. Raise BadUsage where the two ends have no record, or do the same."""
    between = _between(lookup.releases(reports, "cpu"), good, bad)
    seen = [one for release in between for one in _recorded(question, release, reports)]
    ends = {one.release: one for one in seen}
    for name in (good, bad):
        if name not in ends:
            raise BadUsage(
                f"{'/'.join(question.cell)} was not observed on {name} under {question.profile.name}",
                f"observed are: {', '.join(ends) or 'none between the two'}",
            )
    if ends[good].outcome == ends[bad].outcome:
        raise BadUsage(f"{good} and {bad} do the same: {ends[good].outcome}", "choose two that differ")
    like_good = [one.outcome == ends[good].outcome for one in seen]
    changes = [number for number in range(1, len(seen)) if like_good[number] != like_good[number - 1]]
    last = changes[-1]
    return Found(good=seen[last - 1], bad=seen[last], flips=len(changes) > 1)


def _between(releases: Sequence[str], good: str, bad: str) -> list[str]:
    """From good to bad, whichever is the older."""
    ends = sorted((Version(good), Version(bad)))
    inside = sorted((one for one in {*releases, good, bad} if ends[0] <= Version(one) <= ends[1]), key=Version)
    return inside if Version(good) == ends[0] else inside[::-1]


def _recorded(question: Question, release: str, reports: Path) -> list[Seen]:
    try:
        loaded = lookup.load(reports, release, "cpu")
    except BadUsage:
        return []
    asked = (one for one in loaded.judged_runs if one.header.release == release)
    run = next((one for one in asked if one.header.profile == question.profile.name), None)
    seen = run.cells.get(question.cell[0], {}).get(question.cell) if run else None
    return [Seen(release=release, outcome=question.of(seen), source=run.judged_by.run)] if run and seen else []


def search(candidates: Sequence[str], is_good: Callable[[str], bool | None]) -> tuple[int, int]:
    """Between which two of the candidates, from good to bad, the answer turns: (last good, first bad).

    Index -1 is the good end, `len(candidates)` the bad one. None is no answer: its neighbours are asked instead.
    """
    low, high = -1, len(candidates)
    unknown: set[int] = set()
    while open_ := [number for number in range(low + 1, high) if number not in unknown]:
        middle = min(open_, key=lambda number: abs(number - (low + high) / 2))
        answer = is_good(candidates[middle])
        if answer is None:
            unknown.add(middle)
        elif answer:
            low = middle
        else:
            high = middle
    return low, high


@dataclass
class Trial:
    """Tries builds that lie between two releases; what was seen is kept for the answer."""

    question: Question
    found: Found
    say: Say
    seen: dict[str, Seen] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def narrowed(self) -> Found:
        """Patches, release candidates and nightly builds, as the package index has them."""
        address = package_index.address()
        offers = {project: package_index.ask(project, address) for project in refresh.PROJECTS}
        versions = _between(_offered(offers), self.found.good.release, self.found.bad.release)[1:-1]
        self.say(f"{len(versions)} builds lie between {self.found.good.release} and {self.found.bad.release}")
        low, high = search(versions, lambda version: self._is_good(version, offers))
        return Found(
            good=self.seen[versions[low]] if low >= 0 else self.found.good,
            bad=self.seen[versions[high]] if high < len(versions) else self.found.bad,
            tried=tuple(self.seen.values()),
            skipped=tuple(self.skipped),
            flips=self.found.flips,
        )

    def _is_good(self, version: str, offers: refresh.Offers) -> bool | None:
        try:
            outcome = self._try(refresh.release_of(Version(version), offers))
        except (BadData, MachineError, KeyError) as fault:
            self.say(f"{version}: cannot be tried: {' '.join(str(fault).split())[:300]}")
            self.skipped.append(version)
            return None
        self.say(f"{version}: {outcome}")
        self.seen[version] = Seen(release=version, outcome=outcome, source="tried here")
        return outcome == self.found.good.outcome

    def _try(self, release: Release) -> str:
        environment = _install(release, self.say)
        run = Run(target=environment.target, profile=self.question.profile.name)
        planned = Planned(run=run, release=release, profile=self.question.profile, engine="venv")
        job = Job(planned=planned, environment=environment, arguments=("/".join(self.question.cell),))
        record = observe(job, [self.question.cell], lambda _: None)
        if not record.observations:
            raise MachineError(record.header.reason or f"nothing came of it: {record.header.status}")
        return self.question.of(record.observations[0])


def _offered(offers: refresh.Offers) -> list[str]:
    """Builds for CPUs: `tensorflow-cpu` where there is one, and the nightly builds."""
    found = {offer.version for project in ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu")
             for offer in offers[project]}  # fmt: skip
    return [str(version) for version in sorted(found)]


def _install(release: Release, say: Say) -> Environment:
    """In the cache: its lock, as of its own time, and the environment of that lock."""
    target = release.target("cpu")
    folder = CACHE / target.id
    lock = folder / "lock.txt"
    if not lock.exists():
        say(f"{release.version}: resolving")
        write_whole(lock, resolve.lock_of_another(release, "cpu", resolve.load_sdists()).encode())
    where, ready = folder / "environment", folder / "ready"
    if not ready.exists():
        say(f"{release.version}: installing")
        _build(lock, where, target.python)
        ready.touch()
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    return Environment(target=target, where=str(where), recipe_sha256=digest, lock_sha256=digest)


def _build(lock: Path, where: Path, python: str) -> None:
    shutil.rmtree(where, ignore_errors=True)
    made = interpreters.uv("venv", "--quiet", "--no-project", "--python", str(interpreters.get(python)), str(where))
    if made.returncode == 0:
        install = ("pip", "sync", str(lock), "--quiet", "--require-hashes", "--python", str(where / "bin" / "python"))
        made = interpreters.uv(*install, *_tools(lock, python))
    if made.returncode != 0:
        raise MachineError(f"cannot be installed: {' '.join(made.stderr.split())[:200]}")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the records say, and what trying builds in between made of it, if it was asked for."""

    cell: str
    profile: str
    by_records: Found
    narrowed: Found | None = None


def _tools(lock: Path, python: str) -> tuple[str, ...]:
    """What sources are built with is locked as well, where a release of that Python builds any."""
    tools = paths.LOCKS / "build" / f"py{python.replace('.', '')}.txt"
    builds = b"--no-binary" in lock.read_bytes() and tools.exists()
    return ("--build-constraints", str(tools), "--require-build-hashes") if builds else ()


def told(question: Question, found: Found) -> list[str]:
    lines = [f"{'/'.join(question.cell)} under {question.profile.name}"]
    lines += [f"  {name:5} {one.release}: {one.outcome} ({one.source})"
              for name, one in (("still", found.good), ("first", found.bad))]  # fmt: skip
    if found.tried:
        lines.append(f"  builds tried: {len(found.tried)} ({', '.join(one.release for one in found.tried)})")
    if found.flips:
        lines.append("  it changes more than once between the two that were asked; this is the last change")
    if found.skipped:
        lines.append(f"  could not be tried: {', '.join(found.skipped)}")
    return lines
