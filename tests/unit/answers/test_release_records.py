from __future__ import annotations

import msgspec
import pytest
from unit.fabricated import header, record

from matrix.answers import release_records
from matrix.answers.processor import Processor
from matrix.record import records

RUN = {"run": "tf2.8.4-py310-cuda+default", "backend": "cuda", "profile": "default"}
HERE = Processor(host_class=header().host.host_class, switches_onednn_on=False)


@pytest.mark.parametrize("processor", [None, HERE])
def test_what_was_executed_counts_before_what_was_planned(tmp_path, processor):
    on_gpu = msgspec.structs.replace(header().host, host_class="cuda-sm90", gpu="A GPU")
    records.write(tmp_path, record(**RUN, planned_for={"type": "GPU", "model": "A100"}))
    assert release_records.load(tmp_path, "2.8.4", "cuda", processor).host_class == HERE.host_class
    records.write(tmp_path, record(**RUN, host=on_gpu))
    assert release_records.load(tmp_path, "2.8.4", "cuda", processor).host_class == "cuda-sm90"
