"""How a machine's GPUs are found. AMD's layout is the one that the kernel documents; no AMD GPU was there to try it."""

from __future__ import annotations

import msgspec
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


COMMON = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
NEWER = f"{COMMON} jscvt fcma sha3 sha512 asimdfhm dit uscat ilrcpc flagm"
WITH_SVE = f"{NEWER} sve svei8mm svebf16 i8mm bf16 dgh"
WITH_SVE2 = f"{WITH_SVE} sb dcpodp sve2 sveaes svepmull svebitperm svesha3 flagm2 frint"
SVE = "asimd asimddp asimdfhm asimdhp bf16 i8mm sve svebf16 svei8mm"


# Lines of real machines, their flags in another order, as published: by archspec-json (tests/targets, Graviton2
# and a Neoverse N2 under RHEL 9), on the kernel's lists (Graviton3 in the thread of
# 20220927154104.869029-1-james.clark@arm.com; Grace), and in Dr-Noob/cpufetch#229 (Linux on an Apple M3, under Apple's
# hypervisor, which hides the part).
@pytest.mark.parametrize(
    ("implementer", "part", "features", "host_class", "chosen_by"),
    [
        ("0x41", "0xd0c", f"{COMMON} ssbs", "arm-neoverse-n1", "asimd asimddp asimdhp"),
        ("0x41", "0xd40", f"{WITH_SVE} sm3 sm4 ssbs paca pacg dcpodp rng", "arm-neoverse-v1", SVE),
        ("0x41", "0xd49", f"{WITH_SVE2} ssbs", "arm-neoverse-n2", f"{SVE} sve2"),
        ("0x41", "0xd4f", f"{WITH_SVE2} sm3 sm4 paca pacg svesm4 bti", "arm-neoverse-v2", f"{SVE} sve2"),
        (
            "0x61",
            "0x000",
            f"{NEWER} ssbs sb paca pacg dcpodp flagm2 frint",
            "arm-apple-part-0x000",
            "asimd asimddp asimdfhm asimdhp",
        ),
    ],
)
def test_an_arm_processor_is_its_core(implementer, part, features, host_class, chosen_by):
    processor = (
        f"BogoMIPS\t: 50.00\nFeatures\t: {features}\nCPU implementer\t: {implementer}\nCPU architecture: 8\n"
        f"CPU variant\t: 0x1\nCPU part\t: {part}\nCPU revision\t: 1\n\n"
    )
    cpu = host.read_cpuinfo("".join(f"processor\t: {number}\n{processor}" for number in range(4)))
    assert (cpu.host_class, cpu.flags) == (host_class, sorted(chosen_by.split()))
    there = records.Host(
        host_class=cpu.host_class, cpu=cpu.name, vendor=cpu.vendor, cpu_flags=cpu.flags, cores=4, kernel="6.8"
    )
    assert host.is_of_its_class(there)
    assert not host.is_of_its_class(msgspec.structs.replace(there, host_class="arm-ampere1"))
    assert not host.is_of_its_class(msgspec.structs.replace(there, host_class="x86-avx2"))


def test_a_part_counts_for_its_maker_alone_and_of_unlike_cores_the_first_that_has_a_name_counts():
    """Apple's M1 has two kinds of cores, and archspec knows the number of one; 0x022 of another maker is no M1."""
    text = "".join(f"Features : asimd\nCPU implementer : MAKER\nCPU part : {part}\n" for part in ("0x023", "0x022"))
    assert host.read_cpuinfo(text.replace("MAKER", "0x61")).host_class == "arm-m1"
    assert host.read_cpuinfo(text.replace("MAKER", "0x51")).host_class == "arm-qualcomm-part-0x023"
    assert host.read_cpuinfo(text.replace("MAKER", "../..")).host_class == "arm-part-0x023"


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
