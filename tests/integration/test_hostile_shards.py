"""What shards of strangers bring, through the whole of `merge`: what becomes of it is written to docs/faults.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import outcomes
import pytest
from unit.fabricated import record

from matrix import spine
from matrix.record import quarantine, records
from matrix.record.records import Host, Record
from matrix.report.report import report

OLDER, NEWER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
STANDS = record(started=OLDER)
FALSE_CLASS = Host(host_class="x86-avx2", cpu="A processor", cpu_flags=["amx_int8"], cores=2, kernel="6.1")


def lying(**changes) -> Record:
    count = changes.get("observations", len(STANDS.observations))
    header = msgspec.structs.replace(STANDS.header, **{"started": NEWER} | changes)
    return Record(header=header, observations=STANDS.observations[:count])


def spoilt(old: bytes, new: bytes) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        file.write_bytes(file.read_bytes().replace(old, new))

    return spoil


def linked(file: Path) -> None:
    elsewhere = file.parents[1].rename(file.parents[3] / "elsewhere")
    file.parents[1].symlink_to(elsewhere)


# What is brought instead of a true record: made like this, or a true one spoilt like this.
LIES: dict[str, tuple[Record, Callable[[Path], None] | None]] = {
    "complete, newer, without an observation": (lying(observations=0), None),
    "complete, newer, with 40 observations": (lying(observations=40), None),
    "complete, newer, by a suite that nobody has": (lying(suite_sha256="d" * 64, observations=40), None),
    "not imported, with a lock with which it was": (
        lying(status="not_imported", reason="it says so", observations=0), None,
    ),
    "from the year 9999": (lying(), spoilt(NEWER.encode(), b"9999-01-01T00:00:00Z")),
    "of a class that its flags contradict": (lying(host=FALSE_CLASS), None),
    "of the processor, with a GPU": (lying(), spoilt(b'"cores":2', b'"cores":2,"gpu":"A GPU"')),
    "without the hash of its suite": (lying(), spoilt(b'"suite_sha256"', b'"recipe_sha256"')),
    "without the hash of its lock": (lying(), spoilt(b'"lock_sha256"', b'"recipe_sha256"')),
    "of an approach that nobody knows": (lying(), spoilt(b'"approach":"nn-conv2d"', b'"approach":"of-a-stranger"')),
    "that took 1e308 s": (lying(), spoilt(b'"observations":', b'"seconds":1e308,"observations":')),
    "the same as another, though it sets something": (
        lying(status="not_run", same_as="tf2.8.4-py310-cpu+onednn-on", observations=0), None,
    ),
    "behind a link": (lying(), linked),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_replaces_no_measurement(lie, tmp_path, monkeypatch, request):
    monkeypatch.setattr(quarantine, "FOLDER", tmp_path / "quarantine")
    reports, (brought, spoil) = tmp_path / "reports", LIES[lie]
    records.write(reports, STANDS)
    beside = record(run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3")
    file = records.write(tmp_path / "shard", brought)
    if spoil:
        spoil(file)
    records.write(tmp_path / "other" / "beside", beside)
    together = spine.merge([tmp_path / "shard", tmp_path / "other"], reports, None)
    assert list(records.read_all(reports)) == [STANDS, beside]
    assert report(reports, None).faults == ()
    named = bool(together.faults)
    assert not named or str(file.name) in str(together.faults[0])
    outcomes.check(
        f"a shard's record: {lie}", "any",
        "what was measured stays; " + ("left out, named, kept aside; exit 4" if together.aside else
                                       "left out and named; exit 4" if named else "it counts for less"),
        write=request.config.getoption("--golden"),
    )  # fmt: skip
