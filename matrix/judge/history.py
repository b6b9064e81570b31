"""The published table of earlier months, and what changed since.

`reports/history/YYYY-MM.json.xz` is support.json as it last was in that month. The last MONTHS of them are kept; what
was published before is in git.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from packaging.version import Version

from matrix.base.errors import BadRecord, BadUsage
from matrix.base.files import write_whole
from matrix.judge import support as support_json
from matrix.judge.support import Support, Verdict
from matrix.judge.verdicts import Answer, Need
from matrix.report.markdown import escape

MONTHS = 36
# What a table may be at most when it is unpacked; a published one of 150 records has 2 MB.
MOST_BYTES = 64 * 2**20
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")

# Release (all nightly builds are one), backend, profile, host class, approach.
Question = tuple[str, str, str, str, str]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A verdict that is another than it was, where both were known. `needs`: (before, after) of those that changed."""

    before: Verdict
    after: Verdict
    needs: dict[Need, tuple[Answer, Answer]]


def keep(reports: Path) -> Path:
    """Keep the table under the month of its newest run, and drop what is too old. Raise BadRecord without a table."""
    table = _read(reports / "support.json")
    month = max((run.date for run in table.runs if run.date), default="")[:7]
    if not month:
        raise BadRecord(f"{reports}: no run has been made that could be kept", "make some with: nox -s matrix")
    file = _file(reports, month)
    if not file.exists() or _read(file) != table:
        write_whole(file, lzma.compress(support_json.encode(table)))
    for old in months(reports)[:-MONTHS]:
        _file(reports, old).unlink()
    return file


def months(reports: Path) -> list[str]:
    """Those that are kept, the oldest first."""
    kept = (file.name.removesuffix(".json.xz") for file in (reports / "history").glob("*.json.xz"))
    return sorted(month for month in kept if MONTH.fullmatch(month))


def table(name: str, reports: Path) -> Support:
    """By month, by file or by folder of reports. Raise BadUsage where there is none, BadRecord where it is broken."""
    for file in (_file(reports, name), Path(name), Path(name) / "support.json"):
        if file.is_file():
            return _read(file)
    kept = ", ".join(months(reports)) or "none; nox -s keep keeps today's"
    raise BadUsage(f"no table is named {name!r}", f"a support.json, its folder, or a month that is kept: {kept}")


def changes(before: Support, after: Support) -> list[Change]:
    """In the order of `after`. What one of the two does not know has not changed."""
    was = dict(_questions(before))
    pairs = ((was[question], verdict) for question, verdict in _questions(after) if question in was)
    return [change for old, new in pairs if (change := _change(old, new))]


def told(change: Change) -> str:
    """An item of a list, in Markdown: what changed, and the first observation that it rests on now."""
    before, after = change.before, change.after
    where = f"{after.approach}, {after.release} on {after.backend}, {after.profile}, {after.host_class}"
    word = f"{before.verdict} -> {after.verdict}" if before.verdict != after.verdict else after.verdict
    needs = ", ".join(f"{need} {was} -> {now}" for need, (was, now) in change.needs.items())
    than = f" (than {before.release})" if before.release != after.release else ""
    seen = f"; see {after.deciding[0]}" if after.deciding else ""
    return f"- {escape(f'{where}{than}: {word}; {needs}{seen}' if needs else f'{where}{than}: {word}{seen}')}"


def _change(before: Verdict, after: Verdict) -> Change | None:
    needs = {need: (was, after.needs[need]) for need, was in before.needs.items() if need in after.needs}
    changed = {need: both for need, both in needs.items() if "unknown" not in both and both[0] != both[1]}
    words = {before.verdict, after.verdict}
    return Change(before=before, after=after, needs=changed) if changed or len(words - {"unknown"}) == 2 else None


def _questions(table: Support) -> Iterator[tuple[Question, Verdict]]:
    """Each with its verdict; of several nightly builds the newest is last."""
    for verdict in table.verdicts:
        line = "nightly" if Version(verdict.release).is_devrelease else verdict.release
        yield (line, verdict.backend, verdict.profile, verdict.host_class, verdict.approach), verdict


def _file(reports: Path, month: str) -> Path:
    return reports / "history" / f"{month}.json.xz"


def _read(file: Path) -> Support:
    try:
        with lzma.open(file) if file.suffix == ".xz" else file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise BadRecord(f"{file}: is larger than {MOST_BYTES // 2**20} MiB")
        return support_json.decode(data)
    except (OSError, EOFError, lzma.LZMAError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise BadRecord(f"{file}: {fault}", "make it anew with: nox -s report") from None
