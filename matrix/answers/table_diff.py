"""What two published tables say differently: verdicts and needs, for months whose records are no longer kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packaging.version import Version

from matrix.base.structs import Strict
from matrix.judge import history
from matrix.judge.support import Support, Verdict
from matrix.judge.verdicts import Answer, Need


class Changed(Strict, frozen=True, kw_only=True):
    """A verdict that differs in the later table; `verdict` and each of `needs` are (before, after).

    `deciding`: the first observation that the later verdict rests on. `than`: the release of the earlier table, where
    the two are different nightly builds.
    """

    release: str
    backend: str
    profile: str
    host_class: str
    approach: str
    verdict: tuple[str, str]
    needs: dict[Need, tuple[Answer, Answer]]
    deciding: str | None = None
    than: str | None = None


def is_table(side: str) -> bool:
    """Tell whether `side` is a month, kept or not, or a file."""
    return history.MONTH.fullmatch(side) is not None or Path(side).is_file()


def changed(reports: Path, before: str, after: str, only: Sequence[str] = ()) -> list[Changed]:
    """Raise BadUsage where there is no such table, BadRecord where it is broken."""
    return changes(history.table(before, reports), history.table(after, reports), only)


def changes(before: Support, after: Support, only: Sequence[str] = ()) -> list[Changed]:
    """Return the changes in the order of `after`. A verdict that only one of the tables knows has not changed.

    All nightly builds answer the same question; of several in the earlier table, the newest counts.
    """
    was = {_question(verdict): verdict for verdict in before.verdicts}
    found = []
    for now in after.verdicts:
        old = was.get(_question(now))
        if old is None or not set(only) <= {now.release, now.backend, now.profile, now.host_class, now.engine}:
            continue
        pairs = {need: (answer, now.needs[need]) for need, answer in old.needs.items() if need in now.needs}
        needs = {need: pair for need, pair in pairs.items() if "unknown" not in pair and pair[0] != pair[1]}
        if needs or len({old.verdict, now.verdict} - {"unknown"}) == 2:
            found.append(
                Changed(
                    release=now.release,
                    backend=now.backend,
                    profile=now.profile,
                    host_class=now.host_class,
                    approach=now.approach,
                    verdict=(old.verdict, now.verdict),
                    needs=needs,
                    deciding=now.deciding[0] if now.deciding else None,
                    than=old.release if old.release != now.release else None,
                )
            )
    return found


def line(change: Changed) -> str:
    """`nn-conv2d, 2.8.4 on cpu, onednn-off, x86-avx2: works -> partial; train yes -> no`"""
    where = f"{change.approach}, {change.release} on {change.backend}, {change.profile}, {change.host_class}"
    before, after = change.verdict
    needs = "".join(f"; {need} {was} -> {now}" for need, (was, now) in change.needs.items())
    than = f" (than {change.than})" if change.than else ""
    return f"{where}{than}: {after if before == after else f'{before} -> {after}'}{needs}"


def _question(verdict: Verdict) -> tuple[str, ...]:
    release = "nightly" if Version(verdict.release).is_devrelease else verdict.release
    return (release, verdict.backend, verdict.profile, verdict.host_class, verdict.approach)
