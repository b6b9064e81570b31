from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from unit.fabricated import header

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
