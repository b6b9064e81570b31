from __future__ import annotations

import ast
import importlib.util
import io
import json
import subprocess
import sys
import zipfile

import msgspec
import pytest

from matrix.answers.probe import pack
from matrix.judge.verdicts import REPRESENTATIVE, core_case
from matrix.record import host, records
from matrix.suite import catalog as suite

CASE = "g4-k3/bias_relu/f32/nhwc"


def test_the_probe_holds_the_suite_a_program_and_the_published_rows(reports):
    made, _ = records.readable(reports)
    data = pack.pack(pack.published(made))
    assert data.startswith(b"#!/usr/bin/env python3\n") and data == pack.pack(pack.published(made))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        published = json.loads(archive.read("published.json"))
        for name in names:
            if name.endswith(".py"):
                ast.parse(archive.read(name), feature_version=(3, 7))
    assert {"suite/observe.py", "suite/worker.py", "model/reader.py", "model/hdf5_child.py", "checking.py"} <= names
    assert not any("test_" in name for name in names)
    rows = published["rows"]["2.8.4"]
    cell = published["cells"].index(f"nn-conv2d/graph/forward/{CASE}")
    assert (rows["onednn-off"]["outcomes"][cell], rows["onednn-on"]["outcomes"][cell]) == ("e", "p")
    layer = published["model_cells"].index(f"keras-groups/keras/forward/{CASE}")
    assert [published["model_rows"]["2.8.4"][name][layer] for name in ("onednn-off", "onednn-on")] == ["e", "p"]
    assert set("".join(row["outcomes"] for row in rows.values())) <= set(published["letters"])


def test_the_probe_observes_first_what_its_table_shows():
    cells = pack.cells()
    shown = [cell for cell in suite.cells() if (cell.mode, cell.check) in pack.TABLE]
    shown = {tuple(cell) for cell in shown if cell.case == core_case(cell.approach, REPRESENTATIVE)}
    assert set(cells[: len(shown)]) == shown and len(set(cells)) == len(cells) == 556
    source = (pack.PROGRAM / "__main__.py").read_text()
    needs = ast.literal_eval(source[source.index("NEEDS = ") + 8 : source.index("]  # fmt") + 1])
    assert set(needs) == set(pack.TABLE)


def row(**changed):
    return dict.fromkeys(("eager", "graph", "predict", "XLA", "gradient", "fit", "fused"), "yes") | changed


@pytest.fixture
def program(monkeypatch):
    monkeypatch.syspath_prepend(pack.PROGRAM)
    spec = importlib.util.spec_from_file_location("probe_program", pack.PROGRAM / "__main__.py")
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


@pytest.mark.parametrize(
    "cpuinfo",
    [
        "model name\t: AMD EPYC\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu avx avx2 fma\n",
        "model name\t: Xeon\nvendor_id\t: GenuineIntel\nflags\t\t: fpu avx2 avx512bw avx512_vnni amx_int8\n",
        "Features\t: fp asimd crc32 sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n",
        "Features\t: asimd\nCPU implementer\t: 0x61\nCPU part\t: 0x023\n\nCPU implementer\t: 0x61\nCPU part\t: 0x022\n",
    ],
)
def test_the_probe_and_the_records_name_a_processor_alike(program, cpuinfo):
    published = pack.published([])
    found = program._host(cpuinfo, published["classes"], published["arm_cores"])
    cpu = host.read_cpuinfo(cpuinfo)
    assert (found["class"].partition("-")[2], found["cpu_flags"]) == (cpu.host_class.partition("-")[2], cpu.flags)


def test_the_probe_ends_with_what_to_do(reports, program):
    made, _ = records.readable(reports)
    published = json.loads(msgspec.json.encode(pack.published(made)))
    found = {"release": "2.8.4", "onednn": False, "table": {"nn-conv2d": row(graph="error"), "split-concat": row()}}
    assert program.what_to_do(found, published) == [
        "Write it as split-concat: it infers and trains here.",
        "Or set TF_ENABLE_ONEDNN_OPTS=1 before TensorFlow is imported:",
        "then nn-conv2d infers and trains, as published for x86-avx2.",
    ]
    table = {"nn-conv2d": row(gradient="error"), "split-concat": row(graph="?")}
    told = program.what_to_do({"release": "2.8.4", "onednn": True, "table": table}, published)
    assert told == ["To infer, write it as nn-conv2d.", "To train, write it as split-concat."]
    none = {"release": "2.8.4", "onednn": True, "table": {"nn-conv2d": row(graph="?", gradient="?")}}
    assert program.what_to_do(none, published) == ["Nothing can be said yet: too few cells were reached."]


@pytest.mark.parametrize("seconds", ["-5", "0", "inf", "soon"])
def test_the_probe_refuses_a_time_that_is_none(seconds):
    ended = subprocess.run(
        [sys.executable, pack.PROGRAM / "__main__.py", f"--seconds={seconds}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2 and "--seconds" in ended.stderr
