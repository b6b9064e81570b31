"""What the matrix found in TensorFlow, the most harmful first: where, since when, how to see it, and what to write.

The rules and the words are those of matrix/data/findings.toml; everything else comes from the records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from packaging.version import Version

from matrix.answers import upstream_issue
from matrix.answers.answer_data import Where
from matrix.answers.error_answers import where_raised
from matrix.answers.instructions import for_profile, for_workaround
from matrix.answers.reproduction import Reproduction
from matrix.answers.situation import in_ranges
from matrix.base.errors import BadUsage
from matrix.base.grouping import grouped
from matrix.base.ids import Backend, is_emulated
from matrix.catalog.approaches import APPROACHES
from matrix.catalog.findings import HARMS, OUTCOMES, Finding
from matrix.catalog.known_errors import failure_text
from matrix.catalog.releases import Catalog
from matrix.judge.judged import Judged
from matrix.judge.verdicts import JudgedRun, replaces
from matrix.record.records import CellId, Observation
from matrix.speed.comparisons import Trap, traps


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A place where it was found: `what` was seen there, in `releases`, the newest of which is `release`. `cell` is one
    of the newest run, `run/approach/mode/check/case`; "" for a time or a switch, which no cell shows.
    """

    backend: Backend
    host_class: str
    profile: str
    approach: str
    releases: tuple[str, ...]
    what: str
    cell: str = ""
    by_default: bool = False

    @property
    def release(self) -> str:
        return self.releases[-1]


@dataclass(frozen=True, kw_only=True)
class Instead:
    """What was measured to do better in the same place; `cell` shows it, if one does."""

    words: str
    cell: str = ""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A finding and its evidence. `recorded`: all releases that were run there, oldest first. `since` says when it came
    and went. `script` shows it, and `report` is what TensorFlow can be told; "" where a short one cannot be made.
    """

    finding: Finding
    evidence: tuple[Evidence, ...]
    recorded: tuple[str, ...]
    since: str
    script: str
    instead: tuple[Instead, ...]
    report: str

    @property
    def releases(self) -> str:
        held = {release for one in self.evidence for release in one.releases}
        return in_ranges([release for release in self.recorded if release in held], self.recorded)

    @property
    def host_classes(self) -> list[str]:
        return sorted({one.host_class for one in self.evidence}, key=lambda name: (is_emulated(name), name))

    @property
    def profiles(self) -> list[str]:
        return list(dict.fromkeys(one.profile for one in self.evidence))

    @property
    def by_default(self) -> bool:
        return any(one.by_default for one in self.evidence)

    @property
    def is_gone(self) -> bool:
        """Say whether the newest final release that was run there is free of it."""
        final = [release for release in self.recorded if not Version(release).is_prerelease]
        return not any(final[-1] in one.releases for one in self.evidence)


def find(judged: Judged, rules: Sequence[Finding]) -> tuple[list[Found], list[str]]:
    """Return what the records show, the most harmful first: of one harm, first what is not mended, what happens with
    nothing set, and what real processors show. Also return, in words, what no rule covers.
    """
    runs = list({id(one.run): one.run for one in judged.judgements}.values())
    beside = grouped(runs, lambda run: run.place[1:])
    seen: dict[str, list[tuple[JudgedRun, Observation]]] = defaultdict(list)
    for run in runs:
        if run.header.same_as or run.judged_by.planned_for is not None:
            continue
        for one in (one for cells in run.cells.values() for one in cells.values() if one.outcome in OUTCOMES):
            if one.check != "fusion":
                place = (run.header.profile, run.header.host.host_class)
                rule = next((rule for rule in rules if rule.covers(one, *place)), None)
                seen[rule.id if rule else ""].append((run, one))
    recorded = {
        backend: tuple(sorted({run.header.release for run in group if run.cells}, key=Version))
        for backend, group in grouped(runs, lambda run: run.header.backend).items()
    }
    found = []
    for rule in rules:
        if rule.harm == "slow":
            made = _slow(rule, judged, recorded.get("cpu", ()))
        elif rule.harm == "lost":
            made = _lost(rule, judged, runs, recorded.get("cpu", ()))
        else:
            made = _failing(rule, where_raised(seen[rule.id], beside), judged, seen[rule.id], recorded)
        found += [made] if made else []
    found.sort(
        key=lambda one: (
            HARMS.index(one.finding.harm),
            one.is_gone,
            not one.by_default,
            all(map(is_emulated, one.host_classes)),
        )
    )
    unnamed: dict[str, str] = {}
    for run, one in seen[""]:
        unnamed.setdefault(f"{one.outcome}: {one.approach}, {one.check}, {one.case}", run.judged_by.run)
    return found, [f"{words}, for example {run}" for words, run in unnamed.items()]


def _failing(
    rule: Finding,
    wheres: Sequence[Where],
    judged: Judged,
    seen: Iterable[tuple[JudgedRun, Observation]],
    recorded: dict[Backend, tuple[str, ...]],
) -> Found | None:
    if not wheres:
        return None
    texts = {(run.judged_by.run, run.header.host.host_class, "/".join(one.cell)): one for run, one in seen}

    def told(where: Where) -> Observation:
        return texts[where.runs[-1], where.host_class, where.cell]

    evidence = [
        Evidence(
            backend=where.backend,
            host_class=where.host_class,
            profile=where.profile,
            approach=where.approach,
            releases=tuple(where.releases),
            what=f"{where.check} in {', '.join(where.modes)}, {', '.join(where.variants)}: {failure_text(told(where))}",
            cell=f"{where.runs[-1]}/{where.cell}",
            by_default=bool(where.default_in),
        )
        for where in wheres
    ]
    # The newest release shows it, by default where it can, in the shortest program.
    plainest = sorted(
        wheres,
        key=lambda one: (one.releases[-1] not in one.default_in, is_emulated(one.host_class), one.check != "forward"),
    )
    plainest.sort(key=lambda one: Version(one.releases[-1]), reverse=True)
    script = report = ""
    chosen = plainest[0]
    for where in plainest:
        wanted = _reproduction(where, failure_text(told(where)), judged.catalog)
        try:
            reason = told(where).reason or ""
            script = rule.script.lstrip() or upstream_issue.script(wanted, reason if rule.harm == "wrong" else "")
        except BadUsage:
            continue
        chosen = where
        outcomes = upstream_issue.observed(wanted.cell, judged.records, where.backend)
        report = "\n".join(upstream_issue.report(wanted, script, outcomes, where.backend))
        break
    cell: CellId = tuple(chosen.cell.split("/", 3))  # type: ignore[assignment]
    return Found(
        finding=rule,
        evidence=tuple(evidence),
        recorded=recorded[chosen.backend],
        since=_since(
            upstream_issue.observed(cell, judged.records, chosen.backend), {where.profile for where in wheres}
        ),
        script=script,
        instead=tuple(_instead(chosen, judged.catalog)),
        report=report,
    )


def _reproduction(where: Where, told: str, catalog: Catalog) -> Reproduction:
    return Reproduction(
        cell=tuple(where.cell.split("/", 3)),  # type: ignore[arg-type]
        release=where.releases[-1],
        profile=next((one for one in catalog.profiles if one.name == where.profile), None),
        told=told,
    )


def _instead(where: Where, catalog: Catalog) -> Iterator[Instead]:
    profiles = {one.name: one for one in catalog.profiles}
    for way in where.ways:
        if way.whole:
            run = way.run or where.runs[-1]
            run = f"{run.partition('+')[0]}+{way.name}" if way.kind == "profile" else run
            yield Instead(words=for_workaround(way, where.releases[-1], profiles), cell=f"{run}/{way.cell}")


def _since(outcomes: Mapping[tuple[str, str], str], profiles: Container[str]) -> str:
    """Say when a cell began to fail under one of the profiles, and when it ceased to."""
    line: dict[str, str] = {}
    for (release, profile), told in outcomes.items():
        if profile in profiles and (release not in line or _fails(told)):
            line[release] = told
    order = sorted(line, key=Version)
    failing = [release for release in order if _fails(line[release])]
    first, last = order.index(failing[0]), order.index(failing[-1])
    before = f"{order[first - 1]}, the release run before it: {_word(line[order[first - 1]])}" if first else ""
    words = f"{failing[0]} ({before or 'the oldest release that was run so'})"
    if last + 1 < len(order):
        return f"{words}, up to {failing[-1]} ({order[last + 1]}: {_word(line[order[last + 1]])})"
    return f"{words}, and still in {failing[-1]}, the newest that was run so"


def _fails(told: str) -> bool:
    return told.partition(":")[0] in OUTCOMES


def _word(outcome: str) -> str:
    return outcome if len(outcome) <= 40 else f"{outcome[:37]}..."


def _slow(rule: Finding, judged: Judged, recorded: tuple[str, ...]) -> Found | None:
    slow: list[Trap] = [
        trap
        for run in judged.timed
        if not run.peer and run.profile
        for trap in traps(run)
        if trap.approach in rule.approaches and trap.direction == rule.direction
    ]
    if not slow:
        return None
    default = {run.same_as or run.run for run in judged.support.runs if run.profile == "default"}
    slow.sort(key=lambda trap: Version(trap.run.release))
    evidence = tuple(
        Evidence(
            backend=trap.run.backend,
            host_class=trap.run.host.host_class,
            profile=trap.run.profile or "",
            approach=trap.approach,
            releases=(trap.run.release,),
            what=f"{_times(trap.least, trap.most)} times as long as split-concat, in {', '.join(trap.modes)}",
            by_default=trap.run.run in default,
        )
        for trap in slow
    )
    times = _times(min(trap.least for trap in slow), max(trap.most for trap in slow))
    measured = f"{times} times as long as split-concat"
    report = [
        f"**{rule.says}**\n",
        f"TensorFlow {slow[-1].run.release} from PyPI, CPU, Linux.\n\n```python",
        rule.script.strip(),
        "```\n",
        "Expected: about the time of the same layer split by hand.",
        f"Actual: {measured}, over {len(slow)} timed runs, one thread each:",
        *(f"- {one.release}, {one.profile}, {one.host_class}: {one.what}" for one in evidence),
    ]
    timed = tuple(sorted({run.release for run in judged.timed if not run.peer}, key=Version))
    return Found(
        finding=rule,
        evidence=evidence,
        recorded=tuple(release for release in recorded if release in timed),
        since=f"{slow[0].run.release} at least; timed were {', '.join(timed)}",
        script=rule.script.lstrip(),
        instead=(Instead(words="split-concat: split the input and the filter, convolve each part, concatenate"),),
        report="\n".join(report),
    )


def _times(least: float, most: float) -> str:
    return f"{least:.0f}" if f"{least:.0f}" == f"{most:.0f}" else f"{least:.0f} to {most:.0f}"


def _lost(rule: Finding, judged: Judged, runs: Sequence[JudgedRun], recorded: tuple[str, ...]) -> Found | None:
    losses = list(_switched(runs) if rule.switch else _unmet(rule, judged))
    if not losses:
        return None
    evidence = tuple(one for one, _ in losses)
    newest = max(evidence, key=lambda one: Version(one.release))
    instead = dict.fromkeys(
        words
        for one in evidence
        for words in (_turned_on(one, runs, judged.catalog) if rule.switch else _met(rule, one, judged))
    )
    report = [
        f"**{rule.says}**\n",
        f"TensorFlow {newest.release} from PyPI, CPU, Linux.\n",
        *(["```python", rule.script.strip(), "```\n"] if rule.script else []),
        *(f"- {one.host_class}, {one.profile}: {one.what}" for one in evidence),
    ]
    return Found(
        finding=rule,
        evidence=evidence,
        recorded=recorded,
        since="; ".join(dict.fromkeys(since for _, since in losses)),
        script=rule.script.lstrip(),
        instead=tuple(Instead(words=words) for words in instead),
        report="\n".join(report),
    )


def _switched(runs: Sequence[JudgedRun]) -> Iterator[tuple[Evidence, str]]:
    """Find the processors on which oneDNN was on with nothing set, and off in the next release that was run."""
    default = [one for one in runs if one.header.profile == "default" and one.judged_by.onednn is not None]
    for (backend, host_class), line in grouped(default, lambda run: run.place[1:]).items():
        line.sort(key=lambda run: Version(run.header.release))
        for before, after in pairwise(line):
            if before.judged_by.onednn and not after.judged_by.onednn:
                was, now = before.header.release, after.header.release
                releases = tuple(run.header.release for run in line if Version(run.header.release) >= Version(now))
                yield Evidence(
                    backend=backend, host_class=host_class, profile="default", approach="", releases=releases,  # type: ignore[arg-type]
                    what=f"oneDNN is on in {was} and off in {now}, with nothing set", by_default=True,
                ), f"on in {was}, off in {now}; the releases between were not run there"  # fmt: skip


def _turned_on(one: Evidence, runs: Sequence[JudgedRun], catalog: Catalog) -> Iterator[str]:
    for run in runs:
        if run.place == (one.release, one.backend, one.host_class) and run.judged_by.onednn and run.cells:
            yield for_profile(run.header.profile, one.release, {each.name: each for each in catalog.profiles})


def _unmet(rule: Finding, judged: Judged) -> Iterator[tuple[Evidence, str]]:
    for change in judged.statements.changes:
        if (
            change.approach in rule.approaches
            and change.need == rule.need
            and (change.was, change.evidence) == ("yes", "executed")
        ):
            yield Evidence(
                backend=change.backend, host_class=change.host_class, profile=change.profiles[-1],
                approach=change.approach, releases=(change.release,),
                    what=f"{change.need}: {change.was} in {change.before}, {change.now} in {change.release}",
                cell=change.deciding[-1], by_default="default" in change.profiles,
            ), f"yes in {change.before}, {change.now} in {change.release} ({change.profiles[-1]})"  # fmt: skip


def _met(rule: Finding, one: Evidence, judged: Judged) -> Iterator[str]:
    """Say which approaches meet the need in the release that lost it."""
    place = (one.release, one.backend, one.host_class)
    for each in judged.judgements:
        if (each.run.place, each.run.header.profile) != (place, one.profile) or APPROACHES[each.approach].wasteful:
            continue
        can_replace = each.approach != one.approach and replaces(each.approach, one.approach, ("graph",))
        if can_replace and rule.need and each.needs[rule.need] == "yes" and APPROACHES[each.approach].program:
            yield f"{each.approach} under {one.profile}"
