"""A processor that somebody asks about: by name, by its flags, or this machine's."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from archspec.cpu import TARGETS

from matrix.base import paths
from matrix.base.errors import BadUsage, unknown
from matrix.base.ids import SWITCHES_ITSELF, minor
from matrix.base.structs import Strict
from matrix.catalog import entries
from matrix.record import host

# The one Arm core on which it does. Whether it does there depends on the release: see docs/decisions.md.
SWITCHES_ON_ARM = "arm-neoverse-v1"


class Name(Strict, frozen=True, kw_only=True, rename={"microarchitecture": "is"}):
    """A name of matrix/data/processors.toml, and others for the same; `source`: a page that says so."""

    name: str
    microarchitecture: str
    also: list[str] = []
    source: entries.Text


@dataclass(frozen=True, kw_only=True)
class Processor:
    """`name`: what the person called it. `switches_onednn_on`: TensorFlow turns oneDNN on there by itself, from
    SWITCHES_ITSELF on; None where that depends on the release in a way that only records can tell.
    """

    host_class: str
    switches_onednn_on: bool | None
    name: str = ""

    @classmethod
    def here(cls) -> Processor:
        facts = host.facts("cpu")
        return cls.of(facts.host_class, facts.cpu_flags, f"this machine ({facts.cpu})")

    @classmethod
    def named(cls, name: str) -> Processor:
        """Take a name of archspec or of matrix/data/processors.toml. Raise BadUsage, with the nearest, for another."""
        simple = _simple(name)
        target = TARGETS.get(names().get(simple, simple))
        if target is None or target.family.name not in {"x86_64", "aarch64"}:
            raise unknown("processor", name, [*names(), *known()])
        if target.family.name == "aarch64":
            return cls.of(f"arm-{target.name.replace('_', '-')}", [], name)
        return cls.of(host.cpu_class(target.features, target.vendor), target.features, name)

    @classmethod
    def with_flags(cls, text: str) -> Processor:
        """Take flags as /proc/cpuinfo writes them, or all that it says. Raise BadUsage for other words."""
        if re.search(r"^(flags|CPU part)\s*:", text, re.MULTILINE):
            cpu = host.read_cpuinfo(text)
            return cls.of(cpu.host_class, cpu.flags, cpu.name)
        flags = re.findall(r"[a-z0-9_.]+", text.lower())
        features = sorted({flag for target in TARGETS.values() for flag in target.features})
        for flag in flags:
            if flag not in features and (near := difflib.get_close_matches(flag, features, n=3)):
                raise BadUsage(f"no processor has the flag {flag}", f"did you mean {', '.join(near)}?")
        if not set(flags) & set(features):
            raise BadUsage("these are no flags of a processor", "give the flags line of /proc/cpuinfo: avx2,fma")
        return cls.of(host.cpu_class(flags, None), flags, "")

    @classmethod
    def of(cls, host_class: str, flags: Collection[str], name: str) -> Processor:
        on = None if host_class == SWITCHES_ON_ARM else not host.SWITCH_ONEDNN_ON.isdisjoint(flags)
        return cls(host_class=host_class, switches_onednn_on=on, name=name)

    def has_onednn_on(self, release: str) -> bool | None:
        """Tell whether oneDNN is on in that release when nothing is set; None where only a record can tell."""
        return self.switches_onednn_on and minor(release) >= SWITCHES_ITSELF


@cache
def names(file: Path = paths.DATA / "processors.toml") -> dict[str, str]:
    """Return archspec's name for each name of the file. Raise BadData naming every fault of the file."""
    loaded = entries.load_entries(file, "processor", Name, key="name")
    return {_simple(name): one.microarchitecture for one in loaded for name in (one.name, *one.also)}


def known() -> list[str]:
    """Return archspec's names of the processors that TensorFlow has wheels for."""
    return [name for name, target in TARGETS.items() if target.family.name in {"x86_64", "aarch64"}]


def _simple(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "_", name.strip().lower())
