from __future__ import annotations

from pathlib import Path

import pytest

from matrix.base.errors import MachineError
from matrix.site import build


def test_a_disk_that_refuses_is_the_machines_fault(tmp_path):
    with pytest.raises(MachineError, match="cannot write /proc/site"):
        build.build(tmp_path, Path("/proc/site"))
