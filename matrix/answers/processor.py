"""A processor that somebody asks about, and whether TensorFlow turns oneDNN on by itself on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from matrix.record import host
from matrix.record.records import Host

# TensorFlow 2.9 is the first that switches oneDNN on by itself (tensorflow/core/util/util.cc)
SWITCHES_ITSELF = (2, 9)


@dataclass(frozen=True, kw_only=True)
class Processor:
    """`switches_onednn_on`: it has a feature for which TensorFlow turns oneDNN on, from SWITCHES_ITSELF on."""

    host_class: str
    switches_onednn_on: bool

    @classmethod
    def here(cls) -> Processor:
        return cls.of(host.facts("cpu"))

    @classmethod
    def of(cls, facts: Host) -> Processor:
        return cls(host_class=facts.host_class, switches_onednn_on=host.onednn_switches_itself_on(facts))

    @classmethod
    def with_flags(cls, flags: Iterable[str]) -> Processor:
        """Take flags as /proc/cpuinfo writes them."""
        named = sorted(set(flags))
        return cls.of(Host(host_class=host.cpu_class(named, None), cpu="named", cpu_flags=named, cores=1, kernel="-"))

    def has_onednn_on(self, release: str) -> bool:
        """Tell whether oneDNN is on in that release when nothing is set."""
        return self.switches_onednn_on and tuple(map(int, release.split(".")[:2])) >= SWITCHES_ITSELF
