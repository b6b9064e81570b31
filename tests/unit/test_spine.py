"""The spine goes on where one record cannot be written or judged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from unit.fabricated import header, record

from matrix import spine
from matrix.base.errors import MachineError
from matrix.base.ids import Depth
from matrix.catalog import releases
from matrix.plan.due import Estimate
from matrix.plan.run_list import plan_runs, with_the_pythons_here
from matrix.plan.selection import Selection
from matrix.provision import interpreters
from matrix.record import records
from matrix.record.folder import behind
from matrix.record.records import Record
from matrix.suite import catalog as suite

SOUND = record(run="tf2.9.3-py310-cpu+onednn-off", release="2.9.3")


def swept(tmp_path, monkeypatch, *made: Record) -> spine.Done:
    monkeypatch.setattr(spine, "execute", lambda *_: (one for one in made))
    sweep = spine.Sweep(
        catalog=releases.load(), selection=Selection(), engine="venv", engine_why="a test", due=(), current=(),
        estimate=Estimate(environments=0, of={}), shard=None,
    )  # fmt: skip
    return spine.carry_out(sweep, tmp_path, Console(quiet=True))


def test_a_record_that_no_file_can_hold_costs_its_own_run(tmp_path, monkeypatch):
    """Such as that of a machine whose processor has no name."""
    header = record().header
    nameless = msgspec.structs.replace(header, host=msgspec.structs.replace(header.host, cpu=""))
    done = swept(tmp_path, monkeypatch, Record(header=nameless), SOUND)
    assert list(records.read_all(tmp_path)) == [SOUND]
    (unwritten,) = done.unwritten
    assert "makes no record: line 1" in unwritten.header.reason and done.prevented == done.unwritten


def test_a_report_that_cannot_be_made_does_not_end_the_sweep_and_a_full_disk_does(tmp_path, monkeypatch):
    def fails(*_):
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(spine, "report", fails)
    assert swept(tmp_path, monkeypatch, record(), SOUND).unwritten == ()
    assert len(list(records.read_all(tmp_path))) == 2 and behind(tmp_path).exists()

    def is_full(*_):
        raise MachineError("no space left")

    monkeypatch.setattr(spine, "report", is_full)
    with pytest.raises(MachineError):
        swept(tmp_path, monkeypatch, record(), SOUND)


def of(depth: Depth | None) -> Record:
    """A record of this depth. A record that names none was made before there was a choice, and holds everything."""
    cells = {tuple(cell) for cell in suite.cells(depth or "full")}
    return record(lambda cell: {} if cell in cells else None, depth=depth)


@pytest.mark.parametrize(
    ("stands", "comes", "is_written"),
    [
        ("full", "core", False),
        (None, "core", False),
        ("full", "full", True),
        ("core", "full", True),
        ("core", "core", True),
    ],
)
def test_a_record_of_the_core_never_takes_the_place_of_a_full_one(tmp_path, monkeypatch, stands, comes, is_written):
    monkeypatch.setattr(spine, "report", lambda *_: None)
    made = of(comes)
    records.write(tmp_path, of(stands))
    done = swept(tmp_path, monkeypatch, made)
    assert (done.unwritten, done.prevented) == (() if is_written else (made,), ())
    assert [one.header.depth for one in records.read_all(tmp_path)] == [comes if is_written else stands]


@pytest.mark.parametrize("stands", ["nothing", "no observations", "no record"])
def test_a_record_of_the_core_takes_the_place_of_what_says_nothing(tmp_path, monkeypatch, stands):
    monkeypatch.setattr(spine, "report", lambda *_: None)
    core = of("core")
    place = records.path(tmp_path, core.header.host.host_class, core.header.engine, core.header.run)
    if stands == "no observations":
        unseen = msgspec.structs.replace(core.header, depth=None, status="not_run", reason="why", observations=0)
        records.write(tmp_path, Record(header=unseen))
    elif stands == "no record":
        place.parent.mkdir(parents=True)
        place.write_text("no record")
    assert swept(tmp_path, monkeypatch, core).unwritten == ()
    assert records.read(place).header.depth == "core"


def test_a_python_that_is_missing_does_not_count_as_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(interpreters, "find", lambda version: None if version == "3.14" else Path("python"))
    lacking, broken = (
        Record(header=header(status="not_built", machine=True, reason="why", run=f"tf2.8.4-{python}-cpu+onednn-off"))
        for python in ("py314", "py313")
    )
    done = swept(tmp_path, monkeypatch, lacking, broken, SOUND)
    assert (done.without_python, done.prevented) == ((lacking,), (broken,))


def test_the_common_python_is_taken_where_the_newest_is_not_there(monkeypatch):
    def targets(*there: str) -> set[str]:
        monkeypatch.setattr(interpreters, "find", lambda version: Path("python") if version in there else None)
        planned = plan_runs(releases.load(), Selection(releases=("nightly", "2.8")), "venv")
        return {one.run.target.python for one in with_the_pythons_here(planned)}

    newest, common = (target.python for target in releases.load().releases[-1].targets("cpu"))
    assert targets(newest, common) == targets() == {newest, "3.10"}
    assert targets(common) == {common, "3.10"}
