from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from unit.fabricated import header

from matrix.base import paths
from matrix.base.errors import MachineError
from matrix.record import records
from matrix.record.records import Record
from matrix.site import build


def test_a_disk_that_refuses_is_the_machines_fault(tmp_path):
    with pytest.raises(MachineError, match="cannot write /proc/site"):
        build.build(tmp_path, Path("/proc/site"))


def test_a_host_class_on_which_the_machine_prevented_everything_has_no_page(tmp_path):
    host = msgspec.structs.replace(header().host, host_class="x86-avx512", cpu_flags=["avx512f", "avx512bw"])
    prevented = header("onednn-on", status="not_built", machine=True, reason="no disk", onednn=None, host=host)
    for made in (Record(header=prevented), Record(header=header(status="not_built", reason="no such wheel"))):
        records.write(tmp_path / "reports", made)
    build.build(tmp_path / "reports", tmp_path / "site")
    found = {file.parent.parent.name for file in (tmp_path / "site" / "runs").rglob("*.html")}
    assert found == {"x86-avx2"}


def test_the_same_records_make_the_same_files(tmp_path):
    """Whatever the order of sets is, which differs from process to process."""
    some = sorted(paths.REPORTS.glob("runs/*/*/tf2.9.3-*-cpu+onednn-off.jsonl"))
    assert len({file.parent.parent.name for file in some}) > 3
    for file in some:
        copy = tmp_path / "reports" / file.relative_to(paths.REPORTS)
        copy.parent.mkdir(parents=True)
        shutil.copy(file, copy)
    for seed in ("1", "2"):
        given = ["--reports", tmp_path / "reports", "--output", tmp_path / seed]
        command = [sys.executable, "-m", "matrix", "site", *given]
        subprocess.run(command, cwd=paths.ROOT, env=os.environ | {"PYTHONHASHSEED": seed}, check=True)
    first, second = (
        {
            file.relative_to(tmp_path / seed): file.read_bytes()
            for file in (tmp_path / seed).rglob("*")
            if file.is_file()
        }
        for seed in ("1", "2")
    )
    assert first.keys() == second.keys()
    assert [file for file in first if first[file] != second[file]] == []
