"""How a machine's GPUs are found. AMD's layout is the one that the kernel documents; no AMD GPU was there to try it."""

from __future__ import annotations

import pytest

from matrix.base import ids, paths
from matrix.record import host, records


def add(topology, number, name, version):
    node = topology / str(number)
    node.mkdir()
    (node / "name").write_text(f"{name}\n")
    (node / "properties").write_text(
        f"cpu_cores_count 0\nsimd_count 440\ngfx_target_version {version}\nvendor_id 4098\n"
    )


@pytest.mark.parametrize(("version", "gfx"), [(90010, "gfx90a"), (90402, "gfx942"), (100300, "gfx1030")])
def test_an_amd_gpu_is_the_first_node_with_a_gfx_version(tmp_path, version, gfx):
    add(tmp_path, 0, "", 0)
    add(tmp_path, 1, "aldebaran", version)
    name, _, architecture = host._amd(tmp_path)
    assert (name, architecture) == ("aldebaran", gfx)


def test_processors_alone_are_no_gpu(tmp_path):
    add(tmp_path, 0, "", 0)
    assert host._amd(tmp_path) is None
    assert host._amd(tmp_path / "no-such-driver") is None


def test_an_nvidia_gpu_is_known_by_its_compute_capability(monkeypatch):
    monkeypatch.setattr(host, "_nvidia_smi", lambda *_: ["NVIDIA H100 80GB HBM3", "550.54.15", "9.0"])
    assert host._nvidia() == ("NVIDIA H100 80GB HBM3", "550.54.15", "sm90")


BASIC = {"avx", "avx2", "fma"}
SKYLAKE = BASIC | {"avx512f", "avx512bw", "avx512vl", "avx512dq"}
CASCADE_LAKE = SKYLAKE | {"avx512_vnni"}
COOPER_LAKE = CASCADE_LAKE | {"avx512_bf16"}
WITH_FLOAT16 = COOPER_LAKE | {"avx512_fp16", "avx_vnni"}


@pytest.mark.parametrize(
    ("flags", "isa"),
    [
        (set(), "base"),
        (BASIC, "avx2"),
        (BASIC | {"avx_vnni"}, "avxvnni"),
        (BASIC | {"avx512f"}, "avx2"),  # Xeon Phi: oneDNN takes AVX-512 only with BW, VL and DQ
        (SKYLAKE, "avx512"),
        (CASCADE_LAKE, "avx512vnni"),
        (COOPER_LAKE, "avx512bf16"),
        (WITH_FLOAT16, "avx512fp16"),
        (WITH_FLOAT16 | {"amx_tile", "amx_int8", "amx_bf16"}, "amx"),
    ],
)
def test_a_class_is_the_isa_that_onednn_takes_and_the_vendor(flags, isa):
    assert host.cpu_class(flags, "GenuineIntel") == host.cpu_class(flags, None) == f"x86-{isa}"
    assert host.cpu_class(flags, "AuthenticAMD") == f"x86-{isa}-amd"


@pytest.mark.parametrize(
    ("said", "isa"),
    [
        # What oneDNN of TensorFlow 2.9.3 printed under each cap, and on a processor with AVX2 alone.
        ("Intel AVX2", "avx2"),
        ("Intel AVX-512 with AVX512BW, AVX512VL, and AVX512DQ extensions", "avx512"),
        ("Intel AVX-512 with Intel DL Boost", "avx512vnni"),
        ("Intel AVX-512 with Intel DL Boost and bfloat16 support", "avx512bf16"),
        (
            "Intel AVX-512 with Intel DL Boost and bfloat16 support and Intel AMX with bfloat16 and 8-bit ...",
            "amx",
        ),
        # What newer ones print (src/cpu/x64/cpu_isa_traits.cpp).
        ("Intel AVX-512 with float16, Intel DL Boost and bfloat16 support", "avx512fp16"),
        ("Intel AVX2 with Intel DL Boost", "avxvnni"),
        ("Intel AVX", "avx"),
        ("Intel SSE4.1", "base"),
    ],
)
def test_what_onednn_says_names_the_isa(said, isa):
    assert host.isa_said(said) == isa
    assert isa in host.ISAS


def test_every_published_record_lies_in_the_class_that_its_flags_and_vendor_name():
    """AMD's processors are known by their name in records that have no vendor."""
    for header in records.headers(paths.REPORTS):
        machine = header.host
        if not (machine.gpu or ids.is_emulated(machine.host_class)):
            vendor = machine.vendor or ("AuthenticAMD" if machine.cpu.startswith("AMD") else None)
            assert machine.host_class == host.cpu_class(machine.cpu_flags, vendor), header.run
