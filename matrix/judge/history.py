"""The published tables of earlier months.

`reports/history/YYYY-MM.json.xz` is support.json as it was at the end of that month. The last MONTHS months are kept;
older tables are in git.
"""

from __future__ import annotations

import lzma
import re
from pathlib import Path

import msgspec

from matrix.base.errors import BadRecord, BadUsage
from matrix.base.files import write_whole
from matrix.judge import support as support_json
from matrix.judge.support import Support

MONTHS = 36
# The most that an unpacked table may take; a published table of 150 records takes 2 MB.
MOST_BYTES = 64 * 2**20
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def keep(reports: Path) -> Path:
    """Keep the table under the month of its newest run, and drop tables that are too old. Raise BadRecord where there
    is no table, or no run in it.
    """
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
    """Return the months that are kept, the oldest first."""
    kept = (file.name.removesuffix(".json.xz") for file in (reports / "history").glob("*.json.xz"))
    return sorted(month for month in kept if MONTH.fullmatch(month))


def table(name: str, reports: Path) -> Support:
    """Read the table that is named by a month, a file or a folder of reports. Raise BadUsage where there is none,
    BadRecord where it is broken.
    """
    for file in (_file(reports, name), Path(name), Path(name) / "support.json"):
        if file.is_file():
            return _read(file)
    kept = ", ".join(months(reports)) or "none; nox -s keep keeps today's"
    raise BadUsage(f"no table is named {name!r}", f"a support.json, its folder, or a month that is kept: {kept}")


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
