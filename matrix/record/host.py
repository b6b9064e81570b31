"""This machine, as far as it decides what TensorFlow does on it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from functools import cache
from pathlib import Path

from matrix.base.ids import Backend
from matrix.record.records import Host

# The highest that a processor has names its class. oneDNN switches itself on with the first three (from 2.9);
# every processor with AVX512_BF16 has AVX512_VNNI, so that the former needs no class of its own.
CLASSES = (
    ("amx_int8", "amx"),
    ("avx512_vnni", "avx512vnni"),
    ("avx_vnni", "avxvnni"),
    ("avx512f", "avx512"),
    ("avx2", "avx2"),
    ("avx", "avx"),
)
# Old oneDNN fails on AMD's processors where it does not on Intel's of the same features: they are classes of their own.
VENDORS = {"AuthenticAMD": "amd"}
# Where a processor has one of these, TensorFlow >= 2.9 turns oneDNN on by itself (core/util/util.cc, IsMKLEnabled).
SWITCH_ONEDNN_ON = frozenset({"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8"})
# name, driver, architecture
Gpu = tuple[str, str | None, str]
KERNELS_CHOOSE_BY = re.compile(r"(sse4_[12]|avx.*|amx.*|fma|f16c)$")


@cache
def facts(backend: Backend) -> Host:
    """Host class, processor, and for GPU backends the device and its driver."""
    cpu, vendor, flags = _cpu()
    gpu = {"cpu": lambda: None, "cuda": _nvidia, "rocm": _amd}[backend]()
    return Host(
        host_class=f"{backend}-{gpu[2]}" if gpu else cpu_class(flags, vendor),
        cpu=cpu,
        cpu_flags=sorted(flag for flag in flags if KERNELS_CHOOSE_BY.match(flag)),
        cores=len(os.sched_getaffinity(0)),
        kernel=platform.release(),
        gpu=gpu[0] if gpu else None,
        driver=gpu[1] if gpu else None,
    )


def is_emulated(host_class: str) -> bool:
    """See matrix/data/emulators.toml."""
    return host_class.endswith("-emulated")


def onednn_switches_itself_on(host: Host) -> bool:
    return bool(SWITCH_ONEDNN_ON & set(host.cpu_flags))


def _cpu() -> tuple[str, str, set[str]]:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    fields = dict(re.findall(r"^(model name|vendor_id|flags)\s*: (.*)$", text, re.MULTILINE))
    name, vendor = fields.get("model name", platform.machine()), fields.get("vendor_id", "")
    return name, vendor, set(fields.get("flags", "").split())


def cpu_class(flags: set[str], vendor: str = "") -> str:
    machine = {"x86_64": "x86", "aarch64": "arm"}.get(platform.machine(), platform.machine())
    highest = next((name for flag, name in CLASSES if flag in flags), "base")
    return "-".join([machine, highest, *([VENDORS[vendor]] if vendor in VENDORS else [])])


def _nvidia() -> Gpu | None:
    """The first NVIDIA GPU; its architecture by compute capability, as in "sm90"."""
    if (told := _nvidia_smi("name", "driver_version", "compute_cap")) is None:
        return None
    name, driver, capability = told
    return name, driver, f"sm{capability.replace('.', '')}"


def _amd(topology: Path = Path("/sys/class/kfd/kfd/topology/nodes")) -> Gpu | None:
    """The first AMD GPU that ROCm's driver shows, "gfx90a"; nodes without a gfx version are processors.

    The driver is the kernel's own, and has no version but where AMD's package has replaced it.
    """
    for node in sorted(topology.glob("*")):
        text = (node / "properties").read_text(encoding="utf-8", errors="replace")
        if version := int(dict(re.findall(r"^(\w+) (\d+)$", text, re.MULTILINE)).get("gfx_target_version", 0)):
            name = (node / "name").read_text(encoding="utf-8", errors="replace").strip()
            own = Path("/sys/module/amdgpu/version")
            driver = own.read_text(encoding="utf-8").strip() if own.exists() else None
            return name, driver, f"gfx{version // 10000}{version // 100 % 100}{version % 100:x}"
    return None


@cache
def gpu_uuid() -> str | None:
    """The first NVIDIA GPU, by the name that a container is given it by."""
    told = _nvidia_smi("uuid")
    return told[0] if told else None


def _nvidia_smi(*fields: str) -> list[str] | None:
    query = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return told.splitlines()[0].split(", ")
