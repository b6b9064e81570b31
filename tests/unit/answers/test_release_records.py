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


def few(cell):
    return {} if cell[:3] == ("nn-conv2d", "graph", "forward") else None


def made(tmp_path, host_class, release, *profiles, **fields):
    host = msgspec.structs.replace(header().host, host_class=host_class)
    for profile in profiles:
        run = f"tf{release}-py310-cpu+{profile}"
        onednn = profile == "onednn-on"
        made = record(few, run=run, release=release, profile=profile, host=host, onednn=onednn, **fields)
        records.write(tmp_path, made)


def test_what_the_own_host_class_lacks_is_borrowed_and_says_how_far_the_two_agree(tmp_path):
    zen3 = Processor(host_class="x86-avx2-amd", switches_onednn_on=False)
    made(tmp_path, "x86-avx512vnni", "2.9.3", "onednn-on", "onednn-off")
    made(tmp_path, "x86-avx512vnni", "2.12.1", "onednn-on")
    made(tmp_path, "x86-avx2-amd", "2.9.3", "onednn-off")
    made(tmp_path, "x86-avx2-amd", "2.12.1", "onednn-on")
    found = release_records.load(tmp_path, "2.9.3", "cpu", zen3)
    chosen = {one.header.profile: one.header.host.host_class for one in found.judged_runs}
    assert chosen == {"onednn-off": "x86-avx2-amd", "onednn-on": "x86-avx512vnni"}
    assert [one.header.profile for one in found.elsewhere] == ["onednn-off"]
    (borrowed,) = found.borrowed
    assert (borrowed.run, borrowed.host_class) == ("tf2.9.3-py310-cpu+onednn-on", "x86-avx512vnni")
    assert borrowed.agreement.release == "2.12.1"
    assert borrowed.agreement.compared == record(few).header.observations
    assert borrowed.agreement.differing == {}


def test_a_release_that_the_own_host_class_lacks_is_answered_from_another(tmp_path):
    zen3 = Processor(host_class="x86-avx2-amd", switches_onednn_on=False)
    made(tmp_path, "x86-avx2-amd", "2.9.3", "onednn-off")
    made(tmp_path, "x86-avx512vnni", "2.12.1", "onednn-off")
    found = release_records.load(tmp_path, "2.12.1", "cpu", zen3)
    assert (found.nearest.note, found.host_class) == ("", "x86-avx512vnni")
    assert [one.agreement for one in found.borrowed] == [None]
