"""The facts about this machine that decide what TensorFlow does on it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import NamedTuple

from matrix.base.ids import EMULATED, MACHINES, USUAL, Architecture, Backend, is_emulated
from matrix.record.records import Host

# (flag, ISA): oneDNN takes the first ISA whose flag the processor has, and chooses its kernels by it. The order is
# oneDNN's own, the highest first (src/cpu/x64/cpu_isa_traits.hpp).
CLASSES = (
    ("amx_int8", "amx"),
    ("avx512_fp16", "avx512fp16"),
    ("avx512_bf16", "avx512bf16"),
    ("avx512_vnni", "avx512vnni"),
    ("avx512bw", "avx512"),
    ("avx_vnni", "avxvnni"),
    ("avx2", "avx2"),
    ("avx", "avx"),
)
ISAS = (*(isa for _, isa in CLASSES), "base")
# How ONEDNN_MAX_CPU_ISA names these ISAS.
CAPS = {
    "AVX512_CORE_AMX": "amx",
    "AVX512_CORE_FP16": "avx512fp16",
    "AVX512_CORE_BF16": "avx512bf16",
    "AVX512_CORE_VNNI": "avx512vnni",
    "AVX512_CORE": "avx512",
    "AVX2_VNNI": "avxvnni",
    "AVX2": "avx2",
    "AVX": "avx",
    "SSE41": "base",
}
# How oneDNN names these ISAS in the line `onednn_verbose,info,cpu,isa:...`: the first pattern that is found.
SAID = (
    (r"Intel AMX", "amx"),
    (r"AVX-512.*\bfloat16", "avx512fp16"),
    (r"AVX-512.*\bbfloat16", "avx512bf16"),
    (r"AVX-512.*DL Boost", "avx512vnni"),
    (r"AVX-512", "avx512"),
    (r"AVX2.*DL Boost", "avxvnni"),
    (r"AVX2", "avx2"),
    (r"AVX", "avx"),
)
# Old oneDNN fails on AMD's processors where it works on Intel's with the same features: the class names the vendor.
VENDORS = {"AuthenticAMD": "amd"}
# Where a processor has one of these flags, TensorFlow >= 2.9 turns oneDNN on by itself (core/util/util.cc,
# IsMKLEnabled).
SWITCH_ONEDNN_ON = frozenset({"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8"})
KERNELS_CHOOSE_BY = re.compile(
    r"(sse4_[12]|avx.*|amx.*|fma|f16c|asimd(dp|fhm|hp)?|bf16|i8mm|sve2?|sve(bf16|i8mm)|sme.*)$"
)


class Gpu(NamedTuple):
    """`architecture`: as it stands in the host class, `sm90` or `gfx90a`."""

    name: str
    driver: str | None
    architecture: str


class HostClass(NamedTuple):
    """The parts of a host class's name. `isa`: for Arm its core. `vendor`: "" for Intel, for GPUs and for Arm."""

    architecture: str
    isa: str
    vendor: str
    emulated: bool


class Cpu(NamedTuple):
    """A processor, as /proc/cpuinfo tells it. `flags`: those by which kernels are chosen."""

    host_class: str
    name: str
    vendor: str | None
    flags: list[str]


@cache
def facts(backend: Backend) -> Host:
    """Host class, processor, and for GPU backends the device and its driver."""
    cpu = read_cpuinfo(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    gpu = {"cpu": lambda: None, "cuda": _nvidia, "rocm": _amd}[backend]()
    return Host(
        host_class=f"{backend}-{gpu.architecture}" if gpu else cpu.host_class,
        cpu=cpu.name,
        vendor=cpu.vendor,
        cpu_flags=cpu.flags,
        cores=len(os.sched_getaffinity(0)),
        kernel=platform.release(),
        gpu=gpu.name if gpu else None,
        driver=gpu.driver if gpu else None,
    )


def machine() -> Architecture:
    """Return the processor architecture of this machine; one that no wheel is for counts as the usual one."""
    named = platform.machine()
    return next((architecture for architecture in MACHINES if architecture == named), USUAL)


@cache
def arm() -> tuple[dict[str, str], dict[str, str]]:
    """Return the names of Arm's makers, by their numbers in /proc/cpuinfo, and those of cores, by the numbers of maker
    and part: `0x41 0xd49`.
    """
    from archspec.cpu import TARGETS  # noqa: PLC0415 - it takes long to import, and few questions ask this
    from archspec.cpu.schema import TARGETS_JSON  # noqa: PLC0415

    vendors: dict[str, str] = TARGETS_JSON["conversions"]["arm_vendors"]
    numbers = {name: number for number, name in vendors.items()}
    arms = {name: core for name, core in TARGETS.items() if core.vendor in numbers and core.cpu_part}
    return vendors, {f"{numbers[core.vendor]} {core.cpu_part}": name.replace("_", "-") for name, core in arms.items()}


def read_cpuinfo(text: str) -> Cpu:
    """Read a text of the form of /proc/cpuinfo. An Arm processor's class is its core, by the numbers of its maker and
    its part; where cores differ, the first that has a name.
    """
    line = r"^(model name|vendor_id|flags|Features|CPU implementer|CPU part)[ \t]*: (.*)$"
    found = re.findall(line, text, re.MULTILINE)
    fields: dict[str, str] = dict(found)
    flags = sorted(set(fields.get("flags", fields.get("Features", "")).split()))
    chosen_by = [flag for flag in flags if KERNELS_CHOOSE_BY.match(flag)]
    if "CPU part" in fields:
        vendors, cores = arm()
        maker = fields.get("CPU implementer", "").strip()
        vendor = vendors.get(maker, maker.removeprefix("0x"))
        parts = [value.strip() for name, value in found if name == "CPU part"]
        core = next((cores[key] for part in parts if (key := f"{maker} {part}") in cores), None)
        told = f"{vendor} {core}" if core else f"{vendor} part {parts[0]}"
        host_class = "-".join(["arm", *re.findall("[a-z0-9]+", (core or told).lower())])
        return Cpu(host_class, fields.get("model name", told), vendor or None, chosen_by)
    vendor_id = fields.get("vendor_id")
    return Cpu(cpu_class(flags, vendor_id), fields.get("model name", platform.machine()), vendor_id, chosen_by)


def onednn_switches_itself_on(host: Host) -> bool:
    return bool(SWITCH_ONEDNN_ON & set(host.cpu_flags))


def cpu_class(flags: Collection[str], vendor: str | None) -> str:
    """Name the class of an x86 processor: the ISA that oneDNN takes on it, and the vendor if that is not Intel."""
    isa = next((isa for flag, isa in CLASSES if flag in flags), "base")
    return "-".join(["x86", isa, *([VENDORS[vendor]] if vendor in VENDORS else [])])


def parse_class(host_class: str) -> HostClass:
    """Take the name of a host class apart. What follows the architecture is the ISA, or the kind of GPU or Arm core."""
    architecture, _, rest = host_class.removesuffix(EMULATED).partition("-")
    isa, _, vendor = rest.rpartition("-") if rest.rpartition("-")[2] in VENDORS.values() else (rest, "", "")
    return HostClass(architecture, isa, vendor, is_emulated(host_class))


def switches_onednn_on(host_class: str) -> bool:
    """Tell whether every processor of an x86 host class has oneDNN on when nothing is set: the ISAs from AVX512_VNNI up
    do, and AVX_VNNI.
    """
    parts = parse_class(host_class)
    return parts.architecture == "x86" and any(
        isa == parts.isa for flag, isa in CLASSES if flag in {*SWITCH_ONEDNN_ON, "avx512_fp16"}
    )


def rung(isa: str) -> int:
    """Return the place of an ISA among those of x86, 0 for the highest."""
    return ISAS.index(isa) if isa in ISAS else len(ISAS)


def is_of_its_class(host: Host) -> bool:
    """Say whether the flags, the vendor and the GPU that a record names give the host class that it names. Older
    records do not name the vendor. Flags do not make an Arm core, but must not be more than it has.
    """
    architecture, _, rest = host.host_class.partition("-")
    if host.gpu or architecture in {"cuda", "rocm"}:
        return host.gpu is not None and architecture in {"cuda", "rocm"}
    if architecture == "arm":
        from archspec.cpu import TARGETS  # noqa: PLC0415 - as above

        core = TARGETS.get(rest.removesuffix(EMULATED).replace("-", "_"))
        is_its_makers = core is None or host.vendor in {None, core.vendor}
        return is_its_makers and (core is None or set(host.cpu_flags) <= core.features)
    vendors = [host.vendor] if host.vendor else [None, *VENDORS]
    found = {cpu_class(host.cpu_flags, vendor).partition("-")[2] for vendor in vendors}
    return architecture != "x86" or rest.removesuffix(EMULATED) in found


def isa_said(onednn_isa: str) -> str:
    """Return the ISA that oneDNN's own words name. A cap makes it a lower one than the processor's class names."""
    return next((isa for pattern, isa in SAID if re.search(pattern, onednn_isa)), "base")


def keeps_to(cap: str, onednn_isa: str | None) -> bool:
    """Tell whether oneDNN itself says that it takes no more than the ISA `cap`; where it says nothing, it does not."""
    return onednn_isa is not None and rung(isa_said(onednn_isa)) >= rung(cap)


def _nvidia() -> Gpu | None:
    """Return the first NVIDIA GPU; its architecture is its compute capability."""
    if (answer := _nvidia_smi("name", "driver_version", "compute_cap")) is None:
        return None
    name, driver, capability = answer
    return Gpu(name, driver, f"sm{capability.replace('.', '')}")


def _amd(topology: Path = Path("/sys/class/kfd/kfd/topology/nodes")) -> Gpu | None:
    """Return the first AMD GPU that ROCm's driver shows; nodes without a gfx version are processors.

    The driver is the kernel's own and has no version, except where AMD's package has replaced it.
    """
    for node in sorted(topology.glob("*")):
        text = (node / "properties").read_text(encoding="utf-8", errors="replace")
        if version := int(dict(re.findall(r"^(\w+) (\d+)$", text, re.MULTILINE)).get("gfx_target_version", 0)):
            name = (node / "name").read_text(encoding="utf-8", errors="replace").strip()
            own = Path("/sys/module/amdgpu/version")
            driver = own.read_text(encoding="utf-8").strip() if own.exists() else None
            return Gpu(name, driver, f"gfx{version // 10000}{version // 100 % 100}{version % 100:x}")
    return None


@cache
def gpu_uuid() -> str | None:
    """Return the UUID of the first NVIDIA GPU, by which a container is given it."""
    answer = _nvidia_smi("uuid")
    return answer[0] if answer else None


def _nvidia_smi(*fields: str) -> list[str] | None:
    """Ask NVIDIA's driver for these fields of the first GPU. Return None where there is no driver that answers."""
    query = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.splitlines()[0].split(", ")
