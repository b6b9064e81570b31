"""What two published tables say differently: verdicts and needs, where cells are no longer kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from matrix.judge import history
from matrix.judge.history import Change
from matrix.judge.support import Verdict
from matrix.judge.verdicts import Answer, Need


class Changed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A verdict that is another in the later table; `needs` and `verdict` are (before, after)."""

    release: str
    backend: str
    profile: str
    host_class: str
    approach: str
    verdict: tuple[str, str]
    needs: dict[Need, tuple[Answer, Answer]]
    deciding: str | None = None
    """The first observation that it rests on now."""
    than: str | None = None
    """The release before, where that was another: of nightly builds the newest stands for all."""


def is_table(side: str) -> bool:
    """A month, kept or not, or a support.json: what is no month that is kept is told which are."""
    return history.MONTH.fullmatch(side) is not None or Path(side).is_file()


def changed(reports: Path, before: str, after: str, only: Sequence[str]) -> list[Changed]:
    """Raise BadUsage where there is no such table, BadRecord where it is broken."""
    found = history.changes(*(history.table(side, reports) for side in (before, after)))
    return [_changed(one) for one in found if set(only) <= _words(one.after)]


def told(change: Changed) -> str:
    where = f"{change.approach}, {change.release} on {change.backend}, {change.profile}, {change.host_class}"
    before, after = change.verdict
    needs = "".join(f"; {need} {was} -> {now}" for need, (was, now) in change.needs.items())
    than = f" (than {change.than})" if change.than else ""
    return f"{where}{than}: {after if before == after else f'{before} -> {after}'}{needs}"


def _words(verdict: Verdict) -> set[str]:
    return {verdict.release, verdict.backend, verdict.profile, verdict.host_class, verdict.engine}


def _changed(change: Change) -> Changed:
    before, after = change.before, change.after
    return Changed(
        release=after.release,
        backend=after.backend,
        profile=after.profile,
        host_class=after.host_class,
        approach=after.approach,
        verdict=(before.verdict, after.verdict),
        needs=change.needs,
        deciding=after.deciding[0] if after.deciding else None,
        than=before.release if before.release != after.release else None,
    )
