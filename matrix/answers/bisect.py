"""Between which two releases a cell changed: first by the records, then by trying builds in between, as few as needed.

The search knows nothing of TensorFlow: `search` halves a list by a question. A build that is tried is resolved,
installed and kept in the cache (`.matrix/bisect`), never in data/, and what it does is never a record.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from matrix.answers import release_records
from matrix.answers.bisected import CACHE, Found, Seen
from matrix.base import paths
from matrix.base.errors import BadData, BadUsage, MachineError
from matrix.base.files import write_whole
from matrix.base.ids import Run
from matrix.catalog.known_errors import failure_text
from matrix.catalog.releases import Profile, Release
from matrix.judge.verdicts import FAILED
from matrix.plan.planned_run import PlannedRun
from matrix.provision import interpreters
from matrix.provision.engines.protocol import Environment, Say
from matrix.record.records import CellId, Observation
from matrix.run.runner import Job, observe
from matrix.update import package_index, refresh, resolve

# The projects of the package index whose builds are tried: those for CPUs, and the nightly builds.
TRIED = ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One cell, under one profile."""

    cell: CellId
    profile: Profile

    def outcome(self, observation: Observation) -> str:
        """Return what is compared: the outcome, the error's text, and for fusion where the epilogue ran."""
        if observation.outcome in FAILED:
            return failure_text(observation)
        return observation.fusion.epilogue if observation.fusion else observation.outcome


def by_records(question: Question, good: str, bad: str, reports: Path) -> Found:
    """Answer without any run. Raise BadUsage where the two ends have no record, or do the same."""
    seen = []
    for release in _between(release_records.releases(reports, "cpu"), good, bad):
        try:
            judged_runs = release_records.load(reports, release, "cpu").judged_runs
        except BadUsage:
            continue
        asked = (one for one in judged_runs if one.header.release == release)
        run = next((one for one in asked if one.header.profile == question.profile.name), None)
        observation = run.cells.get(question.cell[0], {}).get(question.cell) if run else None
        if run and observation:
            outcome = question.outcome(observation)
            seen.append(Seen(release=release, outcome=outcome, source=run.judged_by.run))
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


def _between(releases: Iterable[str], good: str, bad: str) -> list[str]:
    """Return good, bad and the releases between them, from good to bad, whichever is the older. Raise BadUsage where
    one of the two is no release.
    """
    try:
        oldest, newest = sorted((Version(good), Version(bad)))
    except InvalidVersion as fault:
        raise BadUsage(f"{fault}, so no release of TensorFlow", "give two like 2.8.4 and 2.15.1") from None
    inside = (one for one in {*releases, good, bad} if oldest <= Version(one) <= newest)
    return sorted(inside, key=Version, reverse=Version(good) != oldest)


def search(candidates: Sequence[str], is_good: Callable[[str], bool | None]) -> tuple[int, int]:
    """Find between which two of the candidates, from good to bad, the answer turns: (last good, first bad).

    Index -1 is the good end, `len(candidates)` the bad end. None is no answer: the neighbours are asked instead.
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


def by_trying(question: Question, found: Found, say: Say, *, agreed: Callable[[str], bool]) -> Found | None:
    """Narrow `found` by patches, release candidates and nightly builds, as the package index has them.

    `agreed` asks the person before anything is installed; None where they do not agree.
    """
    address = package_index.address()
    offers = {project: package_index.ask(project, address) for project in refresh.PROJECTS}
    versions = sorted({offer.version for project in TRIED for offer in offers[project]})
    candidates = _between(map(str, versions), found.good.release, found.bad.release)[1:-1]
    say(f"{len(candidates)} builds lie between {found.good.release} and {found.bad.release}")
    most = len(candidates).bit_length()
    if most and not agreed(f"install up to {most} of them and run the cell, up to 0.6 GB of downloads each?"):
        return None
    seen: dict[str, Seen] = {}
    skipped = []

    def is_good(version: str) -> bool | None:
        try:
            outcome = _try(question, refresh.release_of(Version(version), offers), say)
        except (BadData, MachineError, KeyError) as fault:
            say(f"{version}: cannot be tried: {' '.join(str(fault).split())[:300]}")
            skipped.append(version)
            return None
        say(f"{version}: {outcome}")
        seen[version] = Seen(release=version, outcome=outcome, source="tried here")
        return outcome == found.good.outcome

    low, high = search(candidates, is_good)
    return Found(
        good=seen[candidates[low]] if low >= 0 else found.good,
        bad=seen[candidates[high]] if high < len(candidates) else found.bad,
        tried=tuple(seen.values()),
        skipped=tuple(skipped),
        flips=found.flips,
    )


def _try(question: Question, release: Release, say: Say) -> str:
    environment = _install(release, say)
    run = Run(target=environment.target, profile=question.profile.name)
    planned = PlannedRun(run=run, release=release, profile=question.profile, engine="venv")
    job = Job(planned=planned, environment=environment, arguments=("/".join(question.cell),))
    record = observe(job, [question.cell], lambda _: None)
    if not record.observations:
        raise MachineError(record.header.reason or f"nothing came of it: {record.header.status}")
    return question.outcome(record.observations[0])


def _install(release: Release, say: Say) -> Environment:
    """Resolve a lock, as of the release's own time, and install it, both in the cache."""
    target = release.target("cpu")
    folder = CACHE / target.id
    lock, where, ready = folder / "lock.txt", folder / "environment", folder / "ready"
    if not lock.exists():
        say(f"{release.version}: resolving")
        write_whole(lock, resolve.lock_of_another(release, "cpu", resolve.load_sdists()).encode())
    if not ready.exists():
        say(f"{release.version}: installing")
        shutil.rmtree(where, ignore_errors=True)
        python = str(interpreters.get(target.python))
        done = interpreters.uv("venv", "--quiet", "--no-project", "--python", python, str(where))
        if done.returncode == 0:
            command = ["pip", "sync", str(lock), "--quiet", "--require-hashes", "--python", str(where / "bin/python")]
            # The tools that sources are built with are locked as well, where a release of that Python builds any.
            tools = paths.LOCKS / "build" / f"py{target.python.replace('.', '')}.txt"
            if b"--no-binary" in lock.read_bytes() and tools.exists():
                command += ["--build-constraints", str(tools), "--require-build-hashes"]
            done = interpreters.uv(*command)
        if done.returncode != 0:
            raise MachineError(f"cannot be installed: {' '.join(done.stderr.split())[:200]}")
        ready.touch()
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    return Environment(target=target, where=str(where), recipe_sha256=digest, lock_sha256=digest)


def lines(question: Question, found: Found) -> Iterator[str]:
    """Yield the answer for a terminal."""
    yield f"{'/'.join(question.cell)} under {question.profile.name}"
    for name, one in (("still", found.good), ("first", found.bad)):
        yield f"  {name:5} {one.release}: {one.outcome} ({one.source})"
    if found.tried:
        yield f"  builds tried: {len(found.tried)} ({', '.join(one.release for one in found.tried)})"
    if found.flips:
        yield "  it changes more than once between the two that were asked; this is the last change"
    if found.skipped:
        yield f"  could not be tried: {', '.join(found.skipped)}"
