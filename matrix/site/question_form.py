"""The form on the front page, and `data/front.js`: the words with which the page's script draws an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import msgspec
from packaging.version import Version

from matrix.answers import processor
from matrix.answers.processor import Processor
from matrix.base.grouping import grouped
from matrix.catalog.approaches import APPROACHES
from matrix.judge.processors import agreement_in_words, nearest
from matrix.judge.verdicts import Need
from matrix.record import host
from matrix.record.records import Record
from matrix.site import advice_data
from matrix.site.content import Content
from matrix.site.html import BACKEND_NAMES
from matrix.suite import catalog as suite
from matrix.suite.speed import layers

WISHES: dict[Need, str] = {
    "infer-graph": "infer, in predict or a tf.function",
    "train": "train",
    "infer-eager": "infer, run eagerly",
    "infer-jit": "infer, compiled by XLA",
    "fused": "have bias and ReLU inside the kernel",
}
# What an answer says of an approach that does it.
DOES: dict[Need, str] = {
    "infer-graph": "infers in predict and in a tf.function",
    "train": "trains",
    "infer-eager": "infers eagerly",
    "infer-jit": "infers under XLA",
    "fused": "has bias and ReLU inside its kernel",
}
ISA_NAMES = {
    "amx": "AMX",
    "avx512fp16": "AVX-512 FP16",
    "avx512bf16": "AVX-512 BF16",
    "avx512vnni": "AVX-512 VNNI",
    "avx512": "AVX-512",
    "avxvnni": "AVX-VNNI",
    "avx2": "AVX2",
    "avx": "AVX",
    "base": "no AVX",
}


def choices(content: Content) -> dict[str, object]:
    """Return the options that the form offers."""
    return {
        "all_releases": _releases(content),
        "newest": _newest(content)["cpu"],
        "processor_names": sorted(_processors()),
        "forms": advice_data.FORMS,
        "like": _like(),
        "wishes": WISHES,
        "dtypes": suite.DTYPES,
        "layouts": suite.LAYOUTS,
    }


def script(content: Content) -> bytes:
    """`data/front.js`: sets MATRIX, what the form needs at once."""
    made = {run.host_class for run in content.support.runs if run.engine}
    names = [*made, *advice_data.processors()]
    data = {
        "backends": BACKEND_NAMES,
        "wishes": DOES,
        "forms": list(advice_data.FORMS),
        "newest": _newest(content),
        "recorded": _recorded(content.records),
        "executed": _recorded(one for one in content.records if not one.header.planned_for),
        "releases": _releases(content),
        "processors": _processors(),
        "classes": host.CLASSES,
        "vendors": host.VENDORS,
        "words": {name: in_words(name) for name in sorted(names) if name},
        "nearest": {name: nearest(name, sorted(made)) for name in advice_data.processors() if name},
        "agreements": [
            {
                "pair": (one.host_class, one.other),
                "release": one.release,
                "onednn": one.onednn,
                "said": agreement_in_words(one),
            }
            for statement in content.statements.processors
            for one in statement.agreements
        ],
        "switches": {name: one.switches_onednn_on for name, one in advice_data.processors().items() if one},
        "onednn": {profile.name: profile.onednn for profile in content.catalog.profiles},
        "like": _like(),
        "settings": {profile.name: profile.setting for profile in content.catalog.profiles},
        "approaches": {
            name: {"summary": about.summary, "computes": about.computes, "common": about.common}
            for name, about in APPROACHES.items()
        },
    }
    return b"const MATRIX = " + msgspec.json.encode(data) + b";\n"


def in_words(host_class: str) -> str:
    """Say what a host class is to a person who does not know the names of classes."""
    parts = host.parse_class(host_class)
    emulated = ", emulated" if parts.emulated else ""
    if parts.architecture == "x86":
        return f"{'AMD' if parts.vendor else 'Intel'} with {ISA_NAMES.get(parts.isa, parts.isa)}{emulated}"
    if parts.architecture == "cuda":
        return f"NVIDIA GPU, {parts.isa}"
    return f"{ {'arm': 'Arm', 'rocm': 'AMD GPU,'}.get(parts.architecture, parts.architecture) } {parts.isa}{emulated}"


def _like() -> dict[str, str]:
    """Return the layers that are timed, in words."""
    return {
        name: f"{one.groups} groups, {one.cin} channels, {one.kernel}x{one.kernel}, {one.size}x{one.size}"
        for name, one in layers.NAMED.items()
    }


@cache
def _processors() -> dict[str, str]:
    """Return the host class of every processor that has a name."""
    names = dict.fromkeys([*processor.names(), *(re.sub(r"[^a-z0-9.]+", "_", name) for name in processor.known())])
    return {name: Processor.named(name).host_class for name in names}


def _recorded(records: Iterable[Record]) -> dict[str, list[str]]:
    """Return the releases with observations, by backend, the oldest first."""
    observed = grouped((one.header for one in records if one.observations), lambda header: header.backend)
    return {
        backend: sorted({header.release for header in headers}, key=Version) for backend, headers in observed.items()
    }


def _newest(content: Content) -> dict[str, str]:
    """By backend the newest release that is no preview, what was executed before what was planned; "" for none."""
    executed = _recorded(one for one in content.records if not one.header.planned_for)
    found: dict[str, str] = dict.fromkeys(BACKEND_NAMES, "")
    for backend, releases in (_recorded(content.records) | executed).items():
        found[backend] = max(releases, key=lambda release: (not Version(release).is_prerelease, Version(release)))
    return found


def _releases(content: Content) -> list[str]:
    """Return the catalog's releases and those that only records have, oldest first."""
    return sorted({*content.releases, *(release.version for release in content.catalog.releases)}, key=Version)
